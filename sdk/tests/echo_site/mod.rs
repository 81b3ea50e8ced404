//! An echo handler and the request that opens it.

use http::{HeaderMap, HeaderValue, Method, Version};
use wharf_sdk::{Result, Socket, driver::UpgradeRequest};

pub(crate) async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

/// Asks for `/echo`.
pub(crate) fn request() -> UpgradeRequest {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "test.example"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    UpgradeRequest {
        method: Method::GET,
        uri: "/echo".parse().expect("a target"),
        mount: String::new(),
        version: Version::HTTP_11,
        headers,
        peer: None,
        is_secure: false,
        protocol: None,
        extensions: http::Extensions::new(),
    }
}
