//! The one error type: what went wrong, for whom, and what to do about it.

use std::{
    borrow::Cow,
    error::Error as StdError,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::message::close::{CloseCode, CloseFrame, InvalidClose};

/// How many issues an error keeps, and how long they may be.
const MAX_ISSUES: usize = 8;
const MAX_ISSUE_CHARS: usize = 160;

/// What is wrong with one field.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Issue {
    /// Where it is, by the names that the peer sent.
    pub path: String,
    /// What is wrong with it, without its value.
    pub message: String,
}

/// The result of Wharf's own operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error, boxed: the private cause of an [`Error`], and what a handler may fail with.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong.
///
/// It has two audiences. [`kind`](Self::kind), [`code`](Self::code) and
/// [`message`](Self::message) are public: they may reach the peer. The
/// [`source`](StdError::source) and the [`context`](Self::context) are private: they reach
/// observers and logs, and the peer only while the app is in debug mode.
///
/// `Display` is one line, `code: message`. Neither it nor `Debug` holds payloads or credentials.
///
/// ```
/// use wharf_sdk::{Error, ErrorKind, http::StatusCode};
///
/// // Before the upgrade:
/// let refusal = Error::reject(StatusCode::PAYMENT_REQUIRED, "buy a ticket first");
/// assert_eq!(refusal.status(), 402);
///
/// // After it: what a handler returns to close with a code of its own.
/// let close = Error::close(4001, "game over");
/// assert_eq!(close.close_frame().expect("a frame").code().as_u16(), 4001);
///
/// // One of yours, with a stable code and a private cause.
/// let error = Error::new(ErrorKind::Unavailable, "ACME_NO_TABLE", "all tables are taken; wait")
///     .with_source("table 7 is broken");
/// assert_eq!(error.to_string(), "ACME_NO_TABLE: all tables are taken; wait");
/// assert_eq!(error.cause_chain(), "table 7 is broken");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    expected: bool,
    phase: Option<Phase>,
    status: Option<StatusCode>,
    close: Option<CloseFrame>,
    headers: HeaderMap,
    issues: Vec<Issue>,
    context: Vec<(&'static str, String)>,
    fields: Vec<(&'static str, serde_json::Value)>,
    source: Option<BoxError>,
}

impl Error {
    /// Makes an error from its kind, its stable code and its public message.
    pub fn new(
        kind: ErrorKind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            code: code.into(),
            message: message.into(),
            expected: kind.is_expected(),
            phase: None,
            status: None,
            close: None,
            headers: HeaderMap::new(),
            issues: Vec::new(),
            context: Vec::new(),
            fields: Vec::new(),
            source: None,
        }))
    }

    /// Makes an error that closes the socket with this code and reason when a handler returns it.
    ///
    /// A code or reason that may not be sent becomes 1011 with the typed refusal as the cause.
    pub fn close(code: impl Into<CloseCode>, reason: impl Into<bytestring::ByteString>) -> Self {
        match CloseFrame::new(code, reason) {
            Ok(frame) => {
                let message = format!("the handler closed with {}", frame.code());
                let mut error = Self::new(ErrorKind::Handler, "WHARF_HANDLER_CLOSE", message);
                error.0.close = Some(frame);
                error
            }
            Err(invalid) => Self::handler(Self::from(invalid)),
        }
    }

    /// Refuses an upgrade with this status and public message. After the upgrade, where there is no
    /// status any more, it closes with 4000 and the status (403 is 4403) and the message.
    ///
    /// Statuses that are no errors become 500.
    pub fn reject(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let kind = ErrorKind::from_status(status);
        let status = if status.is_client_error() || status.is_server_error() {
            status
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        let error = Self::new(kind, "WHARF_REJECTED", message).with_status(status);
        let frame = error.refusal_frame();
        error.with_close(frame)
    }

    /// A refusal as a close frame, which a browser can read, where it cannot read a status.
    pub(crate) fn refusal_frame(&self) -> CloseFrame {
        CloseFrame::cut(
            CloseCode::from(4000 + self.status().as_u16()),
            self.message(),
        )
    }

    /// Wraps whatever a handler or a middleware failed with. An [`Error`] stays as it is.
    pub fn handler(cause: impl Into<BoxError>) -> Self {
        match cause.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(cause) => Self::new(
                ErrorKind::Handler,
                "WHARF_HANDLER",
                "the handler failed; its error is in the private cause",
            )
            .with_source(cause),
        }
    }

    pub(crate) fn closed() -> Self {
        Self::new(
            ErrorKind::Closed,
            "WHARF_CLOSED",
            "the socket is closed; stop writing to it",
        )
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, "WHARF_CONFIG", message)
    }

    /// What the application panicked with, as an error.
    pub(crate) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a panic without a message")
            .to_owned();
        // What was panicked with may panic again in its drop, and so on: the second is leaked.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(again);
        }
        Self::new(
            ErrorKind::Panic,
            "WHARF_PANIC",
            "the server's code panicked; the panic message is in the private cause",
        )
        .with_source(text)
    }

    /// Attaches the private cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Replaces the stable code, for errors of your own.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = code.into();
        self
    }

    /// Sets the status that answers the upgrade request, instead of the kind's. An error cannot
    /// answer with 1xx, which is passed by.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds a header to the response that answers the upgrade request.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// Sets the close frame that ends the session, instead of the kind's.
    #[must_use]
    pub fn with_close(mut self, frame: CloseFrame) -> Self {
        self.0.close = Some(frame);
        self
    }

    /// Marks the error as part of normal life (`true`) or as something to look at (`false`).
    #[must_use]
    pub fn with_expected(mut self, expected: bool) -> Self {
        self.0.expected = expected;
        self
    }

    /// Adds a private fact for logs. Never put a payload or a credential here.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Adds a public field to the problem document that refuses an upgrade, and to an event's error
    /// reply: what a client needs to act, such as `retry_after_ms`. It replaces none of their own.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.0.fields.push((name, value.into()));
        self
    }

    /// The public fields, in the order in which they were added.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &serde_json::Value)> {
        self.0.fields.iter().map(|(name, value)| (*name, value))
    }

    /// The same beside those that a document has, its issues among them.
    pub(crate) fn add_fields(&self, document: &mut serde_json::Value) {
        let Some(document) = document.as_object_mut() else {
            return;
        };
        if !self.issues().is_empty() {
            document.insert("issues".to_owned(), serde_json::json!(self.issues()));
        }
        for (name, value) in self.fields() {
            let place = document.entry(name);
            place.or_insert_with(|| value.clone());
        }
    }

    /// Names the phase, unless an inner layer has named it already.
    #[must_use]
    pub(crate) fn in_phase(mut self, phase: Phase) -> Self {
        self.0.phase.get_or_insert(phase);
        self
    }

    /// Adds what is wrong with one field of what the peer sent, which the peer may know. At most 8
    /// are kept, and of each path and message 160 characters.
    #[must_use]
    pub fn with_issue(mut self, path: impl AsRef<str>, message: impl AsRef<str>) -> Self {
        if self.0.issues.len() < MAX_ISSUES {
            let cut = |text: &str| text.chars().take(MAX_ISSUE_CHARS).collect();
            self.0.issues.push(Issue {
                path: cut(path.as_ref()),
                message: cut(message.as_ref()),
            });
        }
        self
    }

    /// What is wrong with the fields of what the peer sent.
    pub fn issues(&self) -> &[Issue] {
        &self.0.issues
    }

    /// What callers act on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, `WHARF_…` for Wharf's own.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The public message: what was wrong and what to do.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether this is part of normal life (a peer that left, a refused request) rather than
    /// something that somebody should look at.
    pub fn is_expected(&self) -> bool {
        self.0.expected
    }

    /// In which phase it happened; `None` for errors that are returned to their caller only.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// The private facts, in the order in which they were added.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .context
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
    }

    /// The status that answers the upgrade request.
    pub fn status(&self) -> StatusCode {
        let own = self.0.status.filter(|status| !status.is_informational());
        own.unwrap_or_else(|| self.0.kind.status())
    }

    /// The extra headers of the response that answers the upgrade request.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The close frame that this error carries, if it carries one.
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        self.0.close.as_ref()
    }

    /// The causes, innermost last, joined into one line. Private: for logs and debug mode.
    pub fn cause_chain(&self) -> String {
        let mut line = String::new();
        let mut cause: Option<&(dyn StdError + 'static)> = self.source();
        while let Some(error) = cause {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Error");
        shown
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("message", &self.0.message);
        if let Some(phase) = self.0.phase {
            shown.field("phase", &phase);
        }
        if !self.0.context.is_empty() {
            shown.field("context", &self.0.context);
        }
        if let Some(source) = &self.0.source {
            shown.field("source", source);
        }
        shown.finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<InvalidClose> for Error {
    fn from(invalid: InvalidClose) -> Self {
        let code = match invalid {
            InvalidClose::Code(_) => "WHARF_CLOSE_CODE",
            InvalidClose::Reason { .. } => "WHARF_CLOSE_REASON",
        };
        Self::new(ErrorKind::InvalidInput, code, invalid.to_string())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(
            ErrorKind::Io,
            "WHARF_IO",
            "the connection failed; the peer or the network went away",
        )
        .with_source(error)
    }
}

/// What a caller acts on. Each kind has a status for before the upgrade and a close code for
/// after it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The socket is closed.
    Closed,
    /// The peer violated the protocol.
    Protocol,
    /// The peer sent data that is not what it claims to be, such as text that is not UTF-8.
    InvalidData,
    /// A message is over a limit.
    TooLarge,
    /// A deadline passed.
    Timeout,
    /// The send queue is full.
    Backpressure,
    /// An argument is wrong; nothing was done.
    InvalidInput,
    /// A message is of another kind or shape than was asked for.
    Decode,
    /// The request is malformed.
    BadRequest,
    /// There is no such route.
    NotFound,
    /// The method is not allowed here.
    MethodNotAllowed,
    /// The request is not a WebSocket upgrade of a version that is spoken here.
    UpgradeRequired,
    /// There is no principal and there must be one.
    Unauthorized,
    /// The principal, or the origin, may not do this.
    Forbidden,
    /// Too many requests.
    RateLimited,
    /// The server is full or shutting down.
    Unavailable,
    /// The app is configured wrongly.
    Config,
    /// The driver cannot do this.
    Unsupported,
    /// The connection failed.
    Io,
    /// Code of the application panicked.
    Panic,
    /// A handler or a middleware failed.
    Handler,
    /// Wharf itself is wrong.
    Internal,
}

impl ErrorKind {
    /// The lower-case name, as logs and metrics show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::InvalidData => "invalid-data",
            Self::TooLarge => "too-large",
            Self::Timeout => "timeout",
            Self::Backpressure => "backpressure",
            Self::InvalidInput => "invalid-input",
            Self::Decode => "decode",
            Self::BadRequest => "bad-request",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::UpgradeRequired => "upgrade-required",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::Config => "config",
            Self::Unsupported => "unsupported",
            Self::Io => "io",
            Self::Panic => "panic",
            Self::Handler => "handler",
            Self::Internal => "internal",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The close code of a session that this kind of error ends.
    pub(crate) fn close_code(self) -> CloseCode {
        match self {
            Self::Protocol => CloseCode::PROTOCOL,
            Self::InvalidData => CloseCode::INVALID_PAYLOAD,
            Self::TooLarge => CloseCode::TOO_BIG,
            Self::Unauthorized | Self::Forbidden | Self::RateLimited => CloseCode::POLICY,
            Self::Backpressure | Self::Unavailable => CloseCode::TRY_AGAIN,
            _ => CloseCode::INTERNAL,
        }
    }

    fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::UPGRADE_REQUIRED => Self::UpgradeRequired,
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            StatusCode::GATEWAY_TIMEOUT => Self::Timeout,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    fn is_expected(self) -> bool {
        !matches!(
            self,
            Self::Config | Self::Panic | Self::Handler | Self::Internal | Self::Unsupported
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The stretch of a connection's life in which an error happened.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Finding the route.
    Match,
    /// Checking the upgrade request.
    Handshake,
    /// The middleware chain.
    Middleware,
    /// Turning the connection into a socket.
    Upgrade,
    /// The handler.
    Handler,
    /// The session around the handler: protocol, limits, timers.
    Session,
    /// The shutdown of the server.
    Shutdown,
}

impl Phase {
    /// The lower-case name, as logs and metrics show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Handshake => "handshake",
            Self::Middleware => "middleware",
            Self::Upgrade => "upgrade",
            Self::Handler => "handler",
            Self::Session => "session",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_boxing_as_a_handler_error() {
        let boxed: BoxError = Box::new(Error::close(4001, "custom"));
        let frame = Error::handler(boxed).close_frame().cloned().expect("frame");
        assert_eq!((frame.code().as_u16(), &**frame.reason()), (4001, "custom"));
    }

    #[test]
    fn a_foreign_error_is_private() {
        let error = Error::handler("password=hunter2");
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(error.cause_chain(), "password=hunter2");
        assert!(!error.is_expected());
    }

    #[test]
    fn an_unsendable_close_becomes_a_failure() {
        let error = Error::close(1006, "");
        assert!(error.close_frame().is_none());
        assert_eq!(error.code(), "WHARF_CLOSE_CODE");
    }

    #[test]
    fn rejections_keep_their_status() {
        let error = Error::reject(StatusCode::IM_A_TEAPOT, "short and stout");
        assert_eq!(error.status(), StatusCode::IM_A_TEAPOT);
        assert_eq!(Error::reject(StatusCode::OK, "").status().as_u16(), 500);
    }
}
