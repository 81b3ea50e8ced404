//! A hub's figures: every name of the table, and none besides.

#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use wharf_hub::Hub;

#[tokio::test(start_paused = true)]
async fn every_name_of_the_table_is_said_and_none_besides() {
    let hub = Hub::local();
    let room = hub.room("harbour").unwrap();
    let _ear = room.subscribe().await.unwrap();
    room.publish("ahoy").await.unwrap();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || hub.sample_metrics("wharf"));
    let said: BTreeMap<String, f64> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let value = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(gauge) => gauge.into_inner(),
                DebugValue::Histogram(_) => unreachable!("a hub has none"),
            };
            assert_eq!(key.key().labels().count(), 0, "rooms are without number");
            (key.key().name().to_owned(), value)
        })
        .collect();
    let table = include_str!("../../sdk/src/app/observer/metrics.md");
    let names = table.lines().filter_map(|line| {
        let name = line.strip_prefix("| `")?.split('`').next()?;
        (name.starts_with("wharf_hub_") || name.starts_with("wharf_bus_")).then_some(name)
    });
    assert_eq!(said.keys().collect::<Vec<_>>().len(), names.clone().count());
    for name in names {
        assert!(said.contains_key(name), "{name} in {said:#?}");
    }
    assert_eq!(
        (said["wharf_hub_rooms"], said["wharf_hub_published_total"]),
        (1.0, 1.0)
    );
}
