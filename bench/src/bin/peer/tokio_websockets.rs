//! tokio-websockets on a bare TCP listener.

use std::io;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_websockets::{Limits, ServerBuilder};
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
    let limits = Limits::default().max_payload_len(Some(MAX_MESSAGE_BYTES));
    let accepted = ServerBuilder::new().limits(limits).accept(stream).await;
    let Ok((_request, mut socket)) = accepted else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        let is_data = message.is_text() || message.is_binary();
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}
