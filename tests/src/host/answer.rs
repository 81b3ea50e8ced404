//! What a server says to a request.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::Stream;

/// A response, and after a 101 the connection.
pub struct Answer {
    /// The status; `None` if the server only closed the connection.
    pub status: Option<StatusCode>,
    /// The header lines.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The connection behind a 101.
    pub stream: Option<Box<dyn Stream>>,
}

impl Answer {
    /// The connection was closed without a word.
    pub(crate) fn none() -> Self {
        Self {
            status: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            stream: None,
        }
    }

    /// The status as a number, 0 if there is none.
    pub fn status(&self) -> u16 {
        self.status.map_or(0, |status| status.as_u16())
    }

    /// A header's only value.
    ///
    /// # Panics
    ///
    /// If there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.get_all(name).iter();
        let first = lines.next()?;
        assert!(
            lines.next().is_none(),
            "the header {name} comes more than once"
        );
        Some(first.to_str().expect("a header of text"))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body {:?}", self.body))
    }

    /// Asserts the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status(),
            status,
            "wrong status; the answer is {self:?}"
        );
        self
    }

    /// Asserts the status, that the body is a problem document, and its stable code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        let content_type = answer.header("content-type");
        assert_eq!(
            content_type,
            Some("application/problem+json"),
            "in {answer:?}"
        );
        let problem = answer.json();
        assert_eq!(problem["code"], code, "in {answer:?}");
        assert_eq!(problem["status"], status, "in {answer:?}");
        answer
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &String::from_utf8_lossy(&self.body))
            .field("is_upgraded", &self.stream.is_some())
            .finish()
    }
}
