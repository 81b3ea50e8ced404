//! axum as its documentation teaches it: `WebSocketUpgrade`, `recv`, `send`.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use wharf_bench::serve::{MAX_MESSAGE_BYTES, ServeOptions, announce, runtime};

pub(crate) fn serve(options: &ServeOptions) -> io::Result<()> {
    runtime()?.block_on(async {
        let app = router();
        let listener = TcpListener::bind(options.addr).await?;
        announce(listener.local_addr()?)?;
        if options.nodelay {
            let listener = listener.tap_io(|stream| {
                // A socket that is already gone reports itself on its first read.
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, app).await
        } else {
            axum::serve(listener, app).await
        }
    })
}

pub(crate) fn router() -> Router {
    Router::new()
        .route("/echo", get(echo))
        .route("/fan", get(fan))
        .with_state(Arc::<Members>::default())
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            match message {
                Message::Text(_) | Message::Binary(_) => {
                    if socket.send(message).await.is_err() {
                        break;
                    }
                }
                // axum answers pings and closes by itself.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            }
        }
    })
}

/// Every socket of `/fan`, by a number of its own, and the way to write to it.
#[derive(Default)]
struct Members {
    next: AtomicU64,
    senders: Mutex<HashMap<u64, UnboundedSender<Utf8Bytes>>>,
}

async fn fan(upgrade: WebSocketUpgrade, State(members): State<Arc<Members>>) -> Response {
    with_limits(upgrade).on_upgrade(|socket| run_member(socket, members))
}

async fn run_member(socket: WebSocket, members: Arc<Members>) {
    let (mut sink, mut stream) = socket.split();
    let (sender, mut receiver) = unbounded_channel();
    let number = members.next.fetch_add(1, Ordering::Relaxed);
    members
        .senders
        .lock()
        .expect("nothing panics under this lock")
        .insert(number, sender);

    let writer = tokio::spawn(async move {
        while let Some(text) = receiver.recv().await {
            if sink.send(Message::Text(text)).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Text(text) = message {
            let senders = members
                .senders
                .lock()
                .expect("nothing panics under this lock");
            for sender in senders.values() {
                // A member that is just leaving removes itself.
                let _ = sender.send(text.clone());
            }
        }
    }
    members
        .senders
        .lock()
        .expect("nothing panics under this lock")
        .remove(&number);
    writer.abort();
}

fn with_limits(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
}
