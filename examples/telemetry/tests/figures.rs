//! What Prometheus reads, and that the dashboard asks for nothing else.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::collections::{BTreeMap, BTreeSet};

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use wharf::{http::Method, testing::TestHost};

/// The families of an exposition, by name, with their kinds; panics where Prometheus would refuse.
fn families(text: &str) -> BTreeMap<String, String> {
    let mut families = BTreeMap::new();
    let mut samples = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(
                ["counter", "gauge", "summary", "histogram"].contains(&kind),
                "{line}"
            );
            let before = families.insert(name.to_owned(), kind.to_owned());
            assert_eq!(before, None, "{name} comes twice");
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(samples.insert(series.to_owned()), "{series} comes twice");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
        };
        assert!(is_name(name), "{line}");
        let labels = labels.strip_suffix('}').unwrap();
        for label in labels.split("\",").filter(|label| !label.is_empty()) {
            let (key, value) = label.split_once("=\"").unwrap();
            assert!(
                is_name(key) && !value.trim_end_matches('"').contains('"'),
                "{line}"
            );
        }
        let family = ["_sum", "_count", "_bucket"]
            .iter()
            .find_map(|suffix| {
                name.strip_suffix(suffix)
                    .filter(|name| families.contains_key(*name))
            })
            .unwrap_or(name);
        assert!(families.contains_key(family), "{line} has no # TYPE");
        if families[family] == "counter" {
            assert!(name.ends_with("_total"), "{line}");
        }
    }
    families
}

/// Every metric's name in the dashboard's queries.
fn asked(dashboard: &Value) -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    let mut rest = vec![dashboard];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(fields) => {
                let queries = ["expr", "query"]
                    .iter()
                    .filter_map(|name| fields.get(*name)?.as_str());
                for query in queries {
                    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    asked.extend(
                        words
                            .filter(|word| word.starts_with("wharf_"))
                            .map(str::to_owned),
                    );
                }
                rest.extend(fields.values());
            }
            _ => {}
        }
    }
    asked
}

#[test]
fn prometheus_reads_the_figures_and_the_dashboard_asks_for_no_others() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let prometheus = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let text = metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let host = TestHost::new(wharf_telemetry::app(prometheus).unwrap());
            let mut client = host.connect("/rooms/\"quoted\"").bearer("letmein").await;
            client.send_text("hello").await;
            client.expect_text("hello").await;
            // A ping and its pong.
            client
                .expect_silence(std::time::Duration::from_secs(26))
                .await;
            host.connect("/nowhere").expect_rejected(404).await;
            host.connect("/rooms/yard").await.vanish();
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let page = host.http(Method::GET, "/metrics").send().await;
            assert_eq!(
                page.headers()["content-type"],
                "text/plain; version=0.0.4; charset=utf-8"
            );
            String::from_utf8(page.body().to_vec()).unwrap()
        })
    });
    let families = families(&text);
    assert_eq!(families["wharf_messages_in_total"], "counter");
    assert_eq!(families["wharf_hub_members"], "gauge");
    assert!(families.contains_key("wharf_handler_seconds"), "{text}");

    // What only failures bring is in the table, which the crates' own tests compare with what is
    // counted.
    let table = include_str!("../../../sdk/src/app/observer/metrics.md");
    let dashboard: Value =
        serde_json::from_str(include_str!("../../../docs/grafana.json")).unwrap();
    let asked = asked(&dashboard);
    assert!(asked.len() > 10, "{asked:?}");
    for name in asked {
        assert!(
            table.contains(&format!("`{name}`")),
            "the dashboard asks for {name}, which there is not"
        );
        let is_rare = [
            "wharf_failures_total",
            "wharf_messages_dropped_total",
            "wharf_hub_dropped_total",
            "wharf_hub_gaps_total",
        ]
        .contains(&&*name);
        assert!(
            is_rare || families.contains_key(&name),
            "{name} was not counted:\n{text}"
        );
    }
}
