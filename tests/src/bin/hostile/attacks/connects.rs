//! Crowds at the door.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout_at},
};

use crate::keep::{Held, Target, open};

/// How many come at once.
pub(crate) const CROWD: usize = 2_000;

/// As many, who come a few at a time and each leave when they have a socket: how long that takes.
pub(crate) async fn orderly_crowd(address: SocketAddr) -> Duration {
    const AT_ONCE: usize = 50;
    let since = Instant::now();
    let visits = stream::iter(0..CROWD).for_each_concurrent(AT_ONCE, async |_| {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let _ = open(&mut stream, "/echo").await;
        }
    });
    visits.await;
    since.elapsed()
}

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
