//! Crowds at the door.

use std::time::Duration;

use futures::future::join_all;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout_at},
};

use crate::keep::{Held, Target, open};

/// How many come at once.
const CROWD: usize = 2_000;

/// They come all at once, stand about, leave, and come again.
pub(crate) async fn rapid_connects(target: Target) -> Held {
    crowd(target, async |_| sleep(Duration::from_millis(200)).await).await
}

/// The same, and each wants a socket.
pub(crate) async fn rapid_upgrades(target: Target) -> Held {
    crowd(target, async |mut stream| {
        let _ = open(&mut stream, "/echo").await;
    })
    .await
}

async fn crowd(target: Target, visit: impl AsyncFn(TcpStream)) -> Held {
    while !target.is_over() {
        let come = async || {
            if let Ok(stream) = TcpStream::connect(target.address).await {
                visit(stream).await;
            }
        };
        let crowd = join_all((0..CROWD).map(|_| come()));
        let _ = timeout_at(target.until.into(), crowd).await;
    }
    Held::new()
}
