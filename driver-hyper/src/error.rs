//! What can go wrong in this driver, as Wharf errors and as answers without an app.

use wharf_sdk::{Error, ErrorKind};

pub(crate) fn no_address() -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_NO_ADDRESS",
        "the server has no address; give it one with `tcp`, `unix` or a listener",
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
