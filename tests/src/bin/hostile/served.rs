//! What the child serves.

use std::time::Duration;

use wharf_conformance::serve_named;
use wharf_sdk::{
    App, Bytes, Compression, Configure, Result, Route, Socket,
    http::{Response, StatusCode},
};

/// What one peer that does not read may have waiting for it.
pub(crate) const QUEUE_BYTES: usize = 64 * 1024;

/// How large the answer is that nobody reads: more than the kernel takes off the server's hands.
const LARGE_BYTES: usize = 8 * 1024 * 1024;

/// Serves until it is killed.
pub(crate) fn run(driver: &str, workers: usize, descriptors: u64) {
    rlimit::setrlimit(rlimit::Resource::NOFILE, descriptors, descriptors).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve_named(driver, app()));
}

fn app() -> App {
    let large = Bytes::from(vec![b'x'; LARGE_BYTES]);
    App::builder()
        .write_deadline(Duration::from_secs(3))
        .close_timeout(Duration::from_secs(2))
        .queue_bytes(QUEUE_BYTES)
        .route(Route::new("/echo", echo))
        .route(Route::new("/push", push).server_sent_events())
        .route(Route::new("/deflate", echo).compression(Compression::new()))
        .route(Route::new("/large", echo).fallback(move |_| {
            let mut answer = Response::new(large.clone());
            *answer.status_mut() = StatusCode::OK;
            async { answer }
        }))
        .build()
        .unwrap()
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

async fn push(mut socket: Socket) -> Result<()> {
    loop {
        socket.write("x".repeat(16 * 1024)).await?;
    }
}
