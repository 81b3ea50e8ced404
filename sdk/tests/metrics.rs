//! The metrics observer: gauges fall on every path.

#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use wharf_sdk::{App, Result, Route, Socket, observer::Metrics, testing::TestHost};

async fn fail(mut socket: Socket) -> Result<()> {
    socket.read().await?;
    panic!("as it should");
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

/// The sum of a metric over its labels.
fn sum(snapshotter: &Snapshotter, name: &str) -> f64 {
    let values = snapshotter.snapshot().into_vec();
    let matching = values
        .into_iter()
        .filter(|(key, ..)| key.key().name() == name);
    matching
        .map(|(.., value)| match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(gauge) => gauge.into_inner(),
            DebugValue::Histogram(_) => 0.0,
        })
        .sum()
}

#[test]
fn gauges_fall_on_every_path() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let app = App::builder()
                .observer(Metrics::default())
                .route(Route::new("/echo", echo))
                .route(Route::new("/fail", fail));
            let host = TestHost::new(app.build().unwrap());
            let mut vanishing = host.connect("/echo").await;
            let mut failing = host.connect("/fail").await;
            host.connect("/nowhere").expect_rejected(404).await;
            failing.send_text("now").await;
            failing.expect_close(1011).await;
            vanishing.vanish();
            while host.app().handle().connections() > 0 {
                tokio::task::yield_now().await;
            }
            // One that is still there when the runtime ends.
            host.connect("/echo").await;
        });
        drop(runtime);
    });
    // Counters are taken by a snapshot: each is looked at once.
    assert_eq!(sum(&snapshotter, "wharf_sessions"), 0.0);
}
