//! The generator's end of a connection: the handshake and one verified message.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frame::Frame;

/// Longest wait for one handshake or one echoed message.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The sample key of RFC 6455, section 1.3, and what a server makes of it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Longest response head that is read.
const HEAD_BYTES: usize = 2048;

/// Opens a WebSocket: connects and upgrades, within ten seconds.
///
/// # Errors
///
/// The server does not accept, does not upgrade, or sends more than the response.
pub async fn connect(addr: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let opening = async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        stream.write_all(request(addr, path).as_bytes()).await?;
        read_response(&mut stream).await?;
        Ok(stream)
    };
    timeout(ANSWER_DEADLINE, opening)
        .await
        .map_err(|_| late("upgrade"))?
}

/// Sends one message and checks that it comes back bit by bit, within ten seconds.
///
/// # Errors
///
/// Something else comes back, or nothing.
pub async fn expect_echo(stream: &mut TcpStream, frame: &Frame) -> io::Result<()> {
    // A large message needs its echo read while it is still being written.
    let (mut reader, mut writer) = stream.split();
    let mut received = vec![0; frame.echo().len()];
    let exchange = async {
        tokio::try_join!(
            writer.write_all(frame.next_bytes(0, frame.sent_bytes())),
            reader.read_exact(&mut received),
        )
    };
    timeout(ANSWER_DEADLINE, exchange)
        .await
        .map_err(|_| late("echo"))??;
    frame.check_echo(&received)
}

fn request(addr: SocketAddr, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

async fn read_response(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = [0; HEAD_BYTES];
    let mut length = 0;
    while !head[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut head[length..]).await? {
            0 => return Err(io::Error::other("no complete response to the handshake")),
            read => length += read,
        }
    }
    let head = String::from_utf8_lossy(&head[..length]);
    if head.starts_with("HTTP/1.1 101") && head.contains(ACCEPT) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "not upgraded: {}",
        head.lines().next().unwrap_or_default()
    )))
}

fn late(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no {what} in {ANSWER_DEADLINE:?}"),
    )
}
