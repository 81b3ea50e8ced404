//! How the generator gets in: TCP, TLS or HTTP/2, to one path, with or without an offer of
//! compression.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::http2::Http2;
use super::offer::{Agreed, Offer};
use super::wire::Wire;
use crate::certificate::Certificate;

/// Longest wait for one handshake.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The sample key of RFC 6455, section 1.3, and what a server makes of it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Longest response head that is read.
const HEAD_BYTES: usize = 2048;

/// What connections run over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// TCP.
    #[default]
    Tcp,
    /// TLS, a connection for each socket.
    Tls,
    /// Streams of one HTTP/2 connection over TLS.
    Http2,
}

/// The way into a server: all its sockets are opened alike.
#[derive(Debug)]
pub struct Door {
    addr: SocketAddr,
    path: String,
    offer: Offer,
    certificate: Option<Certificate>,
    http2: Option<Http2>,
}

/// A socket, and what was agreed on.
#[derive(Debug)]
pub struct Opened {
    /// Its bytes.
    pub wire: Wire,
    /// permessage-deflate, where there is.
    pub deflate: Option<Agreed>,
}

impl Door {
    /// TCP, without compression.
    pub fn tcp(addr: SocketAddr, path: &str) -> Self {
        Self {
            addr,
            path: path.to_owned(),
            offer: Offer::None,
            certificate: None,
            http2: None,
        }
    }

    /// Any way; `certificate` is what the server shows, where there is TLS.
    ///
    /// # Errors
    ///
    /// There is no certificate, or no HTTP/2.
    pub async fn open(
        addr: SocketAddr,
        path: &str,
        over: Over,
        offer: Offer,
        certificate: Option<&Certificate>,
    ) -> io::Result<Self> {
        let mut door = Self::tcp(addr, path);
        door.offer = offer;
        if over == Over::Tcp {
            return Ok(door);
        }
        let certificate = certificate.ok_or_else(|| io::Error::other("TLS has no certificate"))?;
        match over {
            Over::Http2 => door.http2 = Some(Http2::connect(addr, certificate).await?),
            _ => door.certificate = Some(certificate.clone()),
        }
        Ok(door)
    }

    /// What is offered.
    pub fn offer(&self) -> Offer {
        self.offer
    }

    /// Opens a WebSocket, within ten seconds.
    ///
    /// # Errors
    ///
    /// The server does not accept, does not upgrade, sends more than the response, or agrees on
    /// something else than what was meant.
    pub async fn connect(&self) -> io::Result<Opened> {
        timeout(ANSWER_DEADLINE, self.connect_unbounded())
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no upgrade in ten seconds"))?
    }

    async fn connect_unbounded(&self) -> io::Result<Opened> {
        if let Some(http2) = &self.http2 {
            let wire = Wire::Http2(http2.open_socket(&self.path).await?);
            return Ok(Opened {
                wire,
                deflate: None,
            });
        }
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        let mut wire = match &self.certificate {
            Some(certificate) => Wire::Tls(Box::new(certificate.connect(stream, &[]).await?)),
            None => Wire::Tcp(stream),
        };
        wire.write_all(self.request().as_bytes()).await?;
        wire.flush().await?;
        let extension = read_response(&mut wire).await?;
        let deflate = self.offer.read_answer(extension.as_deref())?;
        Ok(Opened { wire, deflate })
    }

    fn request(&self) -> String {
        let Self { addr, path, .. } = self;
        let offer = self.offer.header().map_or_else(String::new, |offer| {
            format!("Sec-WebSocket-Extensions: {offer}\r\n")
        });
        format!(
            "GET {path} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{offer}\r\n"
        )
    }
}

/// Reads the head of the response; returns the extension that was agreed on.
async fn read_response(wire: &mut Wire) -> io::Result<Option<String>> {
    let mut head = [0; HEAD_BYTES];
    let mut length = 0;
    while !head[..length].ends_with(b"\r\n\r\n") {
        match wire.read(&mut head[length..]).await? {
            0 => return Err(io::Error::other("no complete response to the handshake")),
            read => length += read,
        }
    }
    let head = String::from_utf8_lossy(&head[..length]);
    if !(head.starts_with("HTTP/1.1 101") && head.contains(ACCEPT)) {
        let first = head.lines().next().unwrap_or_default();
        return Err(io::Error::other(format!("not upgraded: {first}")));
    }
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let extension = headers.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"));
    Ok(extension.map(|(_, value)| value.trim().to_owned()))
}
