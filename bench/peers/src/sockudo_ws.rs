//! sockudo-ws on a bare TCP listener, as its echo example.

use std::io;

use bytes::BytesMut;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use sockudo_ws::deflate::{DeflateConfig, DeflateNegotiation, negotiate_server_deflate};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::{CompressedWebSocketStream, Config, Error, Message, WebSocketStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::serve::{MAX_MESSAGE_BYTES, ServeOptions, announce, runtime};

/// Longest request head.
const HEAD_BYTES: usize = 4096;

pub(crate) fn serve(options: &ServeOptions) -> io::Result<()> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind(options.addr).await?;
        announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            if options.nodelay {
                stream.set_nodelay(true)?;
            }
            tokio::spawn(serve_connection(stream));
        }
    })
}

async fn serve_connection(mut stream: TcpStream) {
    let config = Config {
        max_message_size: MAX_MESSAGE_BYTES,
        max_frame_size: MAX_MESSAGE_BYTES,
        ..Config::default()
    };
    match upgrade(&mut stream).await {
        Ok(Some(agreed)) => {
            echo(CompressedWebSocketStream::server(stream, config, agreed.config)).await;
        }
        Ok(None) => echo(WebSocketStream::server(stream, config)).await,
        // Its error is the peer's doing, and only this connection's.
        Err(_) => {}
    }
}

async fn upgrade(stream: &mut TcpStream) -> Result<Option<DeflateNegotiation>, Error> {
    let mut head = BytesMut::with_capacity(HEAD_BYTES);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        let Some((request, _)) = parse_request(&head)? else {
            continue;
        };
        let forgets = request.path == "/deflate";
        let policy = DeflateConfig {
            server_no_context_takeover: forgets,
            client_no_context_takeover: forgets,
            ..DeflateConfig::default()
        };
        let agreed = match (&*request.path, request.extensions) {
            ("/deflate" | "/takeover", Some(offers)) => negotiate_server_deflate(offers, &policy),
            _ => None,
        };
        let header = agreed.as_ref().map(DeflateNegotiation::to_response_header);
        let accept = generate_accept_key(request.key);
        stream
            .write_all(&build_response(&accept, None, header.as_deref()))
            .await?;
        return Ok(agreed);
    }
}

async fn echo<S>(mut socket: S)
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(Ok(message)) = socket.next().await {
        let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}
