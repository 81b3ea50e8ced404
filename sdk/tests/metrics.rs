//! The metrics observer: every name and label of its table, while sessions live and when they end.

#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use wharf_sdk::{
    App, Configure, Result, Route, SlowClient, Socket, observer::Metrics, testing::TestHost,
};

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

/// Writes more than its queue holds before anything can be sent.
async fn flood(mut socket: Socket) -> Result<()> {
    for _ in 0..3 {
        socket.write("0123456789").await?;
    }
    socket.read().await?;
    Ok(())
}

/// The names of the table that are the observer's, each with its further labels.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let rows = include_str!("../src/app/observer/metrics.md").lines();
    let rows = rows.filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        let name = cells[0].trim().trim_end_matches('`').to_owned();
        let labels = cells.get(2)?.split(['`', ',', ' ']);
        let labels = labels.filter(|label| !label.is_empty());
        let is_ours = !name.starts_with("wharf_hub_") && !name.starts_with("wharf_bus_");
        is_ours.then(|| (name, labels.map(str::to_owned).collect()))
    })
    .collect()
}

/// All that has been counted so far. The recorder forgets what was looked at.
struct Counted {
    snapshotter: Snapshotter,
    sums: BTreeMap<String, f64>,
}

impl Counted {
    fn look(&mut self) {
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let key = key.key();
            let labels: Vec<_> = key
                .labels()
                .filter(|label| label.key() != "driver")
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let name = format!("{} {}", key.name(), labels.join(" "));
            let sum = self.sums.entry(name).or_default();
            match value {
                DebugValue::Counter(count) => *sum += count as f64,
                DebugValue::Gauge(gauge) => *sum += gauge.into_inner(),
                DebugValue::Histogram(values) => *sum += values.len() as f64,
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, name: &str, value: f64) {
        self.look();
        assert_eq!(
            self.sums.get(name),
            Some(&value),
            "{name} in {:#?}",
            self.sums
        );
    }
}

/// Runs with a recorder of its own, on paused time.
fn counted(test: impl AsyncFnOnce(&TestHost, &Metrics, &mut Counted)) -> Counted {
    let recorder = DebuggingRecorder::new();
    let mut counted = Counted {
        snapshotter: recorder.snapshotter(),
        sums: BTreeMap::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        let metrics = Metrics::default();
        let app = App::builder()
            .observer(metrics.clone())
            .middleware(metrics.handler_time())
            .route(Route::new("/echo", echo))
            .route(Route::new("/fail", fail))
            .route(
                Route::new("/flood", flood)
                    .queue_bytes(20)
                    .max_outbound_message_bytes(20)
                    .slow_client(SlowClient::DropNewest),
            );
        let host = TestHost::new(app.build().unwrap());
        runtime.block_on(test(&host, &metrics, &mut counted));
        drop(host);
        drop(runtime);
    });
    counted.look();
    counted
}

async fn until_all_are_gone(host: &TestHost) {
    while host.app().handle().connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn what_a_session_moves_is_counted_while_it_lives_and_once() {
    counted(async |host, metrics, counted| {
        let mut client = host.connect("/echo").await;
        counted.expect("wharf_upgrades_total route=/echo", 1.0);
        counted.expect("wharf_sessions route=/echo", 1.0);
        client.send_text("hello").await;
        client.expect_text("hello").await;
        metrics.sample(&host.app().handle());
        counted.expect("wharf_messages_in_total route=/echo", 1.0);
        counted.expect("wharf_messages_out_total route=/echo", 1.0);
        counted.expect("wharf_bytes_in_total route=/echo", 5.0);
        counted.expect("wharf_bytes_out_total route=/echo", 5.0);
        counted.expect("wharf_queue_bytes route=/echo", 0.0);
        counted.expect("wharf_queue_bytes_max route=/echo", 0.0);

        client.send_text("again").await;
        client.expect_text("again").await;
        client.vanish();
        until_all_are_gone(host).await;
        metrics.sample(&host.app().handle());
        counted.expect("wharf_messages_in_total route=/echo", 2.0);
        counted.expect("wharf_bytes_out_total route=/echo", 10.0);
        // Head and payload of two texts, and the peer's masks.
        counted.expect("wharf_wire_bytes_in_total route=/echo", 22.0);
        counted.expect("wharf_wire_bytes_out_total route=/echo", 14.0);
        counted.expect("wharf_sessions route=/echo", 0.0);
        counted.expect("wharf_session_seconds route=/echo", 1.0);
        counted.expect(
            "wharf_closes_total route=/echo code=1006 initiator=peer",
            1.0,
        );
    });
}

#[test]
fn what_waits_and_what_is_dropped_is_seen_before_the_end() {
    counted(async |host, metrics, counted| {
        let mut client = host.connect("/flood").await;
        client.stop_reading();
        tokio::time::sleep(Duration::from_millis(1)).await;
        metrics.sample(&host.app().handle());
        counted.expect("wharf_messages_dropped_total route=/flood", 1.0);
    });
}

#[test]
fn round_trips_are_recorded_once_each() {
    counted(async |host, metrics, counted| {
        let mut client = host.connect("/echo").await;
        client.expect_silence(Duration::from_secs(26)).await;
        metrics.sample(&host.app().handle());
        metrics.sample(&host.app().handle());
        counted.expect("wharf_round_trip_seconds route=/echo", 1.0);
    });
}

#[test]
fn refusals_and_failures_are_counted_by_their_codes() {
    counted(async |host, _, counted| {
        host.connect("/nowhere").expect_rejected(404).await;
        counted.expect(
            "wharf_rejections_total route= status=404 error=WHARF_NOT_FOUND",
            1.0,
        );
        let mut failing = host.connect("/fail").await;
        failing.send_text("now").await;
        failing.expect_close(1011).await;
        until_all_are_gone(host).await;
        counted.expect("wharf_failures_total route=/fail error=WHARF_PANIC", 1.0);
        counted.expect(
            "wharf_closes_total route=/fail code=1011 initiator=handler",
            1.0,
        );
    });
}

#[test]
fn gauges_fall_on_every_path() {
    let counted = counted(async |host, _, _| {
        let mut failing = host.connect("/fail").await;
        failing.send_text("now").await;
        failing.expect_close(1011).await;
        host.connect("/echo").await.vanish();
        until_all_are_gone(host).await;
        // One that is still there when the runtime ends.
        host.connect("/echo").await;
    });
    for route in ["/echo", "/fail"] {
        assert_eq!(counted.sums[&format!("wharf_sessions route={route}")], 0.0);
    }
}

#[test]
fn the_table_names_what_is_counted_with_its_labels_and_nothing_else() {
    let counted = counted(async |host, metrics, counted| {
        let mut slow = host.connect("/flood").await;
        slow.stop_reading();
        host.connect("/nowhere").expect_rejected(404).await;
        let mut failing = host.connect("/fail").await;
        failing.send_text("now").await;
        failing.expect_close(1011).await;
        let mut client = host.connect("/echo").await;
        client.send_text("hello").await;
        client.expect_text("hello").await;
        client.expect_silence(Duration::from_secs(26)).await;
        metrics.sample(&host.app().handle());
        counted.look();
    });
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in counted.sums.keys() {
        let (name, labels) = name.split_once(' ').unwrap();
        let labels = labels.split(' ').filter_map(|label| label.split_once('='));
        let further = labels
            .map(|(key, _)| key.to_owned())
            .filter(|key| key != "route");
        seen.entry(name.to_owned()).or_default().extend(further);
    }
    assert_eq!(seen, table());
}

#[test]
fn the_dashboard_asks_for_nothing_that_is_not_counted() {
    let table = include_str!("../src/app/observer/metrics.md");
    let dashboard = include_str!("../../docs/grafana.json");
    let words = dashboard.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let asked: BTreeSet<_> = words.filter(|word| word.starts_with("wharf_")).collect();
    assert!(asked.len() > 10, "{asked:?}");
    for name in asked {
        assert!(table.contains(&format!("`{name}`")), "there is no {name}");
    }
}
