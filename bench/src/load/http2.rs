//! One HTTP/2 connection that carries many sockets (RFC 8441).

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::certificate::{Certificate, NAME};

/// What each stream and the whole connection may have under way: more than any load has.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;

/// One connection. It ends when this and its sockets are dropped.
#[derive(Debug)]
pub struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
}

impl Http2 {
    /// Connects, over TLS.
    ///
    /// # Errors
    ///
    /// The server does not speak HTTP/2.
    pub async fn connect(addr: SocketAddr, certificate: &Certificate) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let stream = certificate.connect(stream, &["h2"]).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(io::Error::other("the server does not settle on HTTP/2"));
        }
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // How it ends, its sockets tell.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender })
    }

    /// Opens a socket by extended CONNECT.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn open_socket(&self, path: &str) -> io::Result<TokioIo<Upgraded>> {
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("https://{NAME}{path}"))
            .header("sec-websocket-version", "13")
            .extension(Protocol::from_static("websocket"))
            .body(Empty::new())
            .map_err(io::Error::other)?;
        let mut sender = self.sender.clone();
        sender.ready().await.map_err(io::Error::other)?;
        let response = sender.send_request(request).await;
        let mut response = response.map_err(io::Error::other)?;
        if response.status() != StatusCode::OK {
            return Err(io::Error::other(format!(
                "not upgraded: {}",
                response.status()
            )));
        }
        let upgraded = hyper::upgrade::on(&mut response).await;
        Ok(TokioIo::new(upgraded.map_err(io::Error::other)?))
    }
}
