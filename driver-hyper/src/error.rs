//! What can go wrong in this driver, as Wharf errors and as answers without an app.

use wharf_sdk::{Error, ErrorKind};

pub(crate) fn no_address() -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_NO_ADDRESS",
        "the server has no address; give it one with `tcp`, `unix` or a listener",
    )
}

#[cfg(feature = "http2")]
pub(crate) fn http2_without_tls() -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_HTTP2_WITHOUT_TLS",
        "HTTP/2 is settled in TLS handshakes; give the server a certificate with `tls`",
    )
}

#[cfg(feature = "tls")]
pub(crate) fn tls_files(what: impl std::fmt::Display, cause: wharf_sdk::BoxError) -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_TLS_FILES",
        format!("{what}; give the server's certificate chain and its own key"),
    )
    .with_source(cause)
}

#[cfg(feature = "tls")]
pub(crate) fn tls_provider(cause: impl Into<wharf_sdk::BoxError>) -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_TLS_PROVIDER",
        "the process's provider of cryptography cannot serve TLS; install another as its default",
    )
    .with_source(cause)
}

/// What plain HTTP is told on a port that speaks TLS.
#[cfg(feature = "tls")]
pub(crate) fn tls_required() -> String {
    canned(
        "400 Bad Request",
        "",
        "WHARF_TLS_REQUIRED",
        "this port speaks TLS; connect with wss:// or https://",
    )
}

/// A whole HTTP/1.1 response, for connections that no app is asked about.
pub(crate) fn canned(status: &str, header: &str, code: &str, detail: &str) -> String {
    let number = status.split(' ').next().unwrap_or_default();
    let title = status.split_once(' ').map_or("", |(_, title)| title);
    let body = format!(
        r#"{{"type":"about:blank","title":"{title}","status":{number},"code":"{code}","detail":"{detail}"}}"#
    );
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{header}content-type: application/problem+json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// There are only sockets, and no place left.
pub(crate) fn full() -> String {
    canned(
        "503 Service Unavailable",
        "retry-after: 5\r\n",
        "WHARF_CONNECTIONS_FULL",
        "the server has all the connections that it can; try again later",
    )
}
