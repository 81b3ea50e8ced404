//! What is said where messages have a meaning: by the generator, by Wharf's servers and by hand.

use serde::{Deserialize, Serialize};

/// An event with an id, as a client sends it.
pub const EVENT: &str = concat!(
    r#"{"event":"bid","data":{"lot":1017,"amount":4250,"#,
    r#""comment":"before the hammer falls"},"id":7}"#
);

/// The reply to it.
pub const REPLY: &str = r#"{"reply":7,"data":{"lot":1017,"amount":4250,"leads":true}}"#;

/// What the event carries.
#[derive(Debug, Deserialize)]
pub struct Bid {
    lot: u64,
    amount: u64,
    comment: String,
}

/// What is answered.
#[derive(Debug, Serialize)]
pub struct Accepted {
    lot: u64,
    amount: u64,
    leads: bool,
}

impl Bid {
    /// Takes the bid.
    pub fn accept(self) -> Accepted {
        Accepted {
            lot: self.lot,
            amount: self.amount,
            leads: !self.comment.is_empty(),
        }
    }
}

/// A value of some 2 KiB of JSON.
#[derive(Debug, Serialize)]
pub struct Prices {
    channel: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    id: u32,
    symbol: String,
    price: f64,
    volume: u32,
    side: &'static str,
}

/// Rows of a value.
const ROWS: u32 = 29;

impl Default for Prices {
    fn default() -> Self {
        let row = |id| Row {
            id,
            symbol: format!("ACME{}", id % 7),
            price: f64::from(id).mul_add(1.25, 100.0),
            volume: 1000 + id * 37,
            side: if id % 2 == 0 { "buy" } else { "sell" },
        };
        Self {
            channel: "prices",
            rows: (0..ROWS).map(row).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Envelope {
        data: Bid,
    }

    #[test]
    fn the_event_is_answered_by_the_reply() {
        let event: Envelope = serde_json::from_str(EVENT).expect("an envelope");
        let data = serde_json::to_string(&event.data.accept()).expect("JSON");
        assert_eq!(REPLY, format!(r#"{{"reply":7,"data":{data}}}"#));
    }

    #[test]
    fn a_value_takes_two_kibibytes() {
        let json = serde_json::to_string(&Prices::default()).expect("JSON");
        assert!((1900..2200).contains(&json.len()), "{}", json.len());
    }
}
