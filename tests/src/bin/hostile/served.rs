//! What the child serves.

use std::time::Duration;

use wharf_sdk::{
    App, Bytes, Configure, Result, Route, Socket,
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
    runtime.block_on(serve(driver, workers));
}

#[cfg_attr(
    not(feature = "actix"),
    allow(unused_variables, reason = "of its own workers")
)]
async fn serve(driver: &str, workers: usize) {
    let app = app();
    match driver {
        #[cfg(feature = "axum")]
        "axum" => {
            let server = wharf_axum::bind(app, "127.0.0.1:0").await.unwrap();
            println!("listening on {}", server.local_addr());
            server.run().await.unwrap()
        }
        #[cfg(feature = "actix")]
        "actix" => {
            let server = wharf_actix::bind(app, "127.0.0.1:0").await.unwrap();
            let server = server.workers(workers);
            println!("listening on {}", server.local_addr());
            server.run().await.unwrap()
        }
        #[cfg(feature = "hyper")]
        "hyper" => {
            let server = wharf_hyper::bind(app, "127.0.0.1:0").await.unwrap();
            println!("listening on {}", server.local_addr());
            server.run().await.unwrap()
        }
        other => panic!("no driver {other} is in this build: choose another, or its feature"),
    };
}

fn app() -> App {
    let large = Bytes::from(vec![b'x'; LARGE_BYTES]);
    App::builder()
        .write_deadline(Duration::from_secs(3))
        .close_timeout(Duration::from_secs(2))
        .queue_bytes(QUEUE_BYTES)
        .route(Route::new("/echo", echo))
        .route(Route::new("/push", push))
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
        socket.write(vec![7; 16 * 1024]).await?;
    }
}
