//! yawc behind a hyper upgrade, as its documentation has it.

use std::io;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use yawc::{CompressionLevel, DeflatePool, OpCode, Options, UpgradeFut, WebSocket, WebSocketError};

use crate::serve::{MAX_MESSAGE_BYTES, ServeOptions, announce, runtime};

/// Compressors that wait for a message: more than there are threads.
const POOLED: usize = 64;

pub(crate) fn serve(options: &ServeOptions) -> io::Result<()> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind(options.addr).await?;
        announce(listener.local_addr()?)?;
        let pool = DeflatePool::new(POOLED);
        loop {
            let (stream, _) = listener.accept().await?;
            if options.nodelay {
                stream.set_nodelay(true)?;
            }
            tokio::spawn(serve_connection(stream, pool.clone()));
        }
    })
}

async fn serve_connection(stream: TcpStream, pool: DeflatePool) {
    let accept = service_fn(move |request| accept(request, pool.clone()));
    // Its error is the peer's doing, and only this connection's.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), accept)
        .with_upgrades()
        .await;
}

async fn accept(
    mut request: Request<Incoming>,
    pool: DeflatePool,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let plain = Options::default()
        .with_max_payload_read(MAX_MESSAGE_BYTES)
        .with_utf8();
    let compressed = |options: Options| options.with_compression_level(CompressionLevel::default());
    let options = match request.uri().path() {
        "/deflate" => compressed(plain)
            .server_no_context_takeover()
            .client_no_context_takeover()
            .with_deflate_pool(pool),
        "/takeover" => compressed(plain),
        _ => plain.without_compression(),
    };
    let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(echo(upgraded));
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) {
    let Ok(mut socket) = upgraded.await else {
        return;
    };
    while let Some(frame) = socket.next().await {
        let is_data = matches!(frame.opcode(), OpCode::Text | OpCode::Binary);
        if is_data && socket.send(frame).await.is_err() {
            break;
        }
    }
}
