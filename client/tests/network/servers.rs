//! Servers of a few lines.

use std::{future::Future, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use wharf_sdk::driver::accept_key;

/// Serves each connection; ends with the test's runtime.
pub(crate) async fn serve<F, Fut>(each: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream));
        }
    });
    address
}

/// An address that nobody listens on; and while the socket is held, that nobody else is given. A
/// program that is told to can listen there.
pub(crate) fn reserved() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Reads a request's head.
pub(crate) async fn head(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A header's value, or nothing.
pub(crate) fn value<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map_or("", |(_, value)| value)
}

/// The right answer to a request, with these lines besides.
pub(crate) fn accepting(head: &str, more: &str) -> String {
    let accept = accept_key(value(head, "sec-websocket-key"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// Accepts, says hello, and ends as the rules say.
pub(crate) async fn hello<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO) {
    let head = head(&mut io).await;
    let mut bytes = accepting(&head, "").into_bytes();
    bytes.extend(b"\x81\x05hello\x88\x02\x03\xe8");
    io.write_all(&bytes).await.unwrap();
    // The client's close.
    let _ = io.read_exact(&mut [0; 8]).await;
    let _ = io.shutdown().await;
}

/// A server that answers every request with these bytes.
pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer: Vec<u8> = answer.into();
    serve(move |mut stream| {
        let answer = answer.clone();
        async move {
            head(&mut stream).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await
}
