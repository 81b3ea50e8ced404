//! What becomes of a message that does not decode.

use std::{fmt, sync::Arc};

use serde::Serialize;

use crate::message::{Error, Message};

/// Makes the answer to a message that does not decode.
#[derive(Clone)]
pub struct DecodeAnswer(Arc<MakeAnswer>);

type MakeAnswer = dyn Fn(&Error, &Message) -> Message + Send + Sync;

impl DecodeAnswer {
    pub(super) fn new(
        answer: impl Fn(&Error, &Message) -> Message + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(answer))
    }

    pub(crate) fn of(&self, error: &Error, message: &Message) -> Message {
        (self.0)(error, message)
    }
}

impl fmt::Debug for DecodeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecodeAnswer")
    }
}

/// What happens to a message that does not decode.
///
/// Set on a route with [`Configure::decode_errors`](crate::Configure::decode_errors); it applies
/// to `read_text`, `read_bytes`, `read_json` and [`Typed`](crate::Typed).
///
/// ```
/// use wharf_sdk::{Configure, DecodeErrors, Route, Typed};
/// # use wharf_sdk::{App, Result, testing::TestHost};
///
/// async fn count(mut socket: Typed<Vec<u32>, u32>) -> Result<()> {
///     while let Some(numbers) = socket.read().await? {
///         socket.write(&numbers.iter().sum()).await?;
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let route = Route::new("/sum", count).decode_errors(DecodeErrors::Answer);
/// # let mut client = TestHost::new(App::builder().route(route).build()?).connect("/sum").await;
/// client.send_text(r#"[1, "two"]"#).await;
/// let answer: serde_json::Value = client.expect_json().await;
/// assert_eq!(answer["error"]["code"], "WHARF_INVALID_JSON");
/// client.send_text("[1, 2]").await; // and on
/// client.expect_text("3").await;
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecodeErrors {
    /// The read returns the error; passed on with `?`, it closes with 1003 or 1007.
    #[default]
    Return,
    /// The peer is answered with a JSON text `{"error":{"code","message"}}`, and the next message
    /// is read.
    Answer,
    /// The session is closed with 1003 for a wrong kind, 1007 for wrong contents; the read
    /// returns the error.
    Close,
}
