//! tokio-tungstenite on a bare TCP listener: what axum is built on, without axum.

use std::io;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wharf_bench::serve::{MAX_MESSAGE_BYTES, ServeOptions, announce, runtime};

pub(crate) fn serve(options: &ServeOptions) -> io::Result<()> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind(options.addr).await?;
        announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            if options.nodelay {
                stream.set_nodelay(true)?;
            }
            tokio::spawn(echo(stream));
        }
    })
}

async fn echo(stream: TcpStream) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let Ok(mut socket) = accept_async_with_config(stream, Some(config)).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        let is_data = message.is_text() || message.is_binary();
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}
