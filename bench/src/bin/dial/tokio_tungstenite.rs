//! tokio-tungstenite.

use std::io;

use futures::future::BoxFuture;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;

use super::load::{Link, MESSAGE};

pub(crate) fn open(link: Link) -> BoxFuture<'static, io::Result<()>> {
    run(link).boxed()
}

async fn run(link: Link) -> io::Result<()> {
    let connecting = connect_async_with_config(&*link.url, None, true);
    let (mut socket, _) = connecting.await.map_err(io::Error::other)?;
    link.opened.add_permits(1);
    loop {
        for _ in 0..link.in_flight {
            let message = Message::text(MESSAGE);
            socket.feed(message).await.map_err(io::Error::other)?;
        }
        socket.flush().await.map_err(io::Error::other)?;
        for _ in 0..link.in_flight.max(1) {
            let Some(message) = socket.next().await else {
                return Err(io::Error::other("the server closed a link"));
            };
            message.map_err(io::Error::other)?;
        }
        link.count();
    }
}
