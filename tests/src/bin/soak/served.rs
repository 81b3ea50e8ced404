//! What the child serves.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;
use wharf_sdk::{
    App, AppHandle, Configure, Error, Observer, Result, Route, SessionInfo, Socket,
    http::StatusCode, observer::Closed, response,
};

/// Counts what must come out even.
#[derive(Clone, Default)]
struct Ledger {
    upgraded: Arc<AtomicU64>,
    closed: Arc<AtomicU64>,
}

impl Ledger {
    fn counts(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.upgraded), of(&self.closed))
    }
}

impl Observer for Ledger {
    fn upgraded(&self, _: &SessionInfo) {
        self.upgraded.fetch_add(1, Ordering::Relaxed);
    }

    fn closed(&self, _: &SessionInfo, _: &Closed<'_>) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Serves until it is told to end; prints the counts last.
pub(crate) async fn run(driver: &str) {
    // Panics are part of the chaos; their messages are not part of the report.
    std::panic::set_hook(Box::new(|_| {}));
    let ledger = Ledger::default();
    let app = app(&ledger);
    let report = wharf_conformance::serve_named(driver, app).await;
    let (upgraded, closed) = ledger.counts();
    println!(
        "shut down: {} sessions, {} closed, {} aborted; since the start {upgraded} began, {closed} \
         ended",
        report.sessions, report.closed, report.aborted
    );
}

fn app(ledger: &Ledger) -> App {
    let handle: Arc<OnceLock<AppHandle>> = Arc::default();
    let report = {
        let (ledger, handle) = (ledger.clone(), Arc::clone(&handle));
        move |_| {
            let live = handle.get().map_or(0, AppHandle::connections);
            let (upgraded, closed) = ledger.counts();
            let heap = super::ALLOCATOR.stats();
            let held = heap.bytes_allocated - heap.bytes_deallocated;
            // The request that asks is a connection of the app itself.
            let text = format!("{} {upgraded} {closed} {held}", live - 1);
            async { response::text(StatusCode::OK, text) }
        }
    };
    let app = App::builder()
        .observer(ledger.clone())
        .write_deadline(Duration::from_secs(2))
        .close_timeout(Duration::from_secs(2))
        .route(Route::new("/echo", echo))
        .route(Route::new("/limit", echo).max_message_bytes(1024))
        .route(Route::new("/panic", panicking))
        .route(Route::new("/fail", failing))
        .route(Route::new("/push", pushing).queue_bytes(64 * 1024))
        .route(Route::new("/deaf", deaf))
        .route(Route::new("/report", echo).fallback(report))
        .build()
        .unwrap();
    handle.set(app.handle()).unwrap();
    app
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

async fn panicking(mut socket: Socket) -> Result<()> {
    let _ = socket.read().await;
    panic!("part of the chaos");
}

async fn failing(mut socket: Socket) -> Result<()> {
    socket.read().await?;
    Err(Error::handler("part of the chaos"))
}

async fn pushing(mut socket: Socket) -> Result<()> {
    loop {
        socket.write(vec![0; 16 * 1024]).await?;
    }
}

async fn deaf(socket: Socket) {
    tokio::select! {
        () = sleep(Duration::from_secs(2)) => {}
        () = socket.closing() => {}
    }
}
