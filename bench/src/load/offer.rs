//! What a client offers of permessage-deflate, and what a server makes of it (RFC 7692).

use std::io;

use serde::{Deserialize, Serialize};

/// What the generator offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offer {
    /// Nothing.
    #[default]
    None,
    /// Compression of each message by itself.
    Forget,
    /// Compression with what was said before.
    Takeover,
}

/// The largest window of the format, and what a side has that says nothing.
const MAX_WINDOW_BITS: u8 = 15;

/// What a server has agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Window of what the client sends.
    pub client_window_bits: u8,
}

impl Offer {
    /// The header's value; `None` where nothing is offered.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Forget => Some(
                "permessage-deflate; client_no_context_takeover; \
                 server_no_context_takeover; client_max_window_bits",
            ),
            Self::Takeover => Some("permessage-deflate; client_max_window_bits"),
        }
    }

    /// Reads a server's answer, which has to be what was meant by the offer: a server that
    /// compresses in another way than the one that is measured would be compared with the wrong
    /// ones.
    ///
    /// # Errors
    ///
    /// It is another.
    pub fn read_answer(self, answer: Option<&str>) -> io::Result<Option<Agreed>> {
        let unexpected = || io::Error::other(format!("{self:?} was answered by {answer:?}"));
        let (Some(value), true) = (answer, self != Self::None) else {
            return match (answer, self) {
                (None, Self::None) => Ok(None),
                _ => Err(unexpected()),
            };
        };
        let mut client_window_bits = MAX_WINDOW_BITS;
        let mut forgets = 0;
        for parameter in value.split(';').map(str::trim).skip(1) {
            match parameter.split_once('=') {
                Some(("client_max_window_bits", bits)) => {
                    client_window_bits = bits.trim().parse().map_err(|_| unexpected())?;
                }
                None if parameter.ends_with("_no_context_takeover") => forgets += 1,
                _ => {}
            }
        }
        let meant = match self {
            Self::Forget => 2,
            _ => 0,
        };
        match forgets == meant {
            true => Ok(Some(Agreed { client_window_bits })),
            false => Err(unexpected()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_to_be_what_was_meant() {
        let both = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
        let plain = "permessage-deflate; client_max_window_bits=12";
        let agreed = Offer::Takeover.read_answer(Some(plain)).expect("as meant");
        assert_eq!(agreed.map(|agreed| agreed.client_window_bits), Some(12));
        assert!(Offer::Forget.read_answer(Some(both)).is_ok());
        assert!(Offer::Takeover.read_answer(Some(both)).is_err());
        assert!(Offer::Forget.read_answer(Some(plain)).is_err());
        assert!(Offer::Forget.read_answer(None).is_err());
        assert!(Offer::None.read_answer(Some(plain)).is_err());
        assert_eq!(Offer::None.read_answer(None).expect("as meant"), None);
    }
}
