//! What OpenTelemetry is handed: spans that say who and where, and no credentials.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use wharf::testing::TestHost;

/// An attribute of a span, as text.
fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let found = span
        .attributes
        .iter()
        .find(|pair| pair.key.as_str() == key)?;
    Some(found.value.to_string())
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn upgrade_and_session_say_who_and_where_and_no_credential() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let _guard = tracing::subscriber::set_default(wharf_telemetry::subscriber(&provider));
    let prometheus = PrometheusBuilder::new().build_recorder().handle();
    let host = TestHost::new(wharf_telemetry::app(prometheus).unwrap());
    let mut client = host
        .connect("/rooms/yard?token=hidden")
        .bearer("letmein")
        .header("x-request-id", "r-1")
        .await;
    client.send_text("private words").await;
    client.expect_text("private words").await;
    client.vanish();
    while host.app().handle().connections() > 0 {
        tokio::task::yield_now().await;
    }
    provider.force_flush().unwrap();

    let spans = exporter.get_finished_spans().unwrap();
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (upgrade, session) = (named("upgrade"), named("session"));
    let connection = attribute(upgrade, "connection").unwrap();
    assert_eq!(attribute(session, "connection"), Some(connection));
    for span in [upgrade, session] {
        assert_eq!(attribute(span, "request_id").as_deref(), Some("r-1"));
        assert_eq!(attribute(span, "route").as_deref(), Some("/rooms/{room}"));
    }
    assert_eq!(attribute(session, "principal").as_deref(), Some("alice"));
    let links = &session.links.links;
    assert!(
        links
            .iter()
            .any(|link| link.span_context == upgrade.span_context),
        "{links:?}"
    );
    // The handler's own line is in the session's span.
    let lines = &session.events.events;
    assert!(
        lines
            .iter()
            .any(|line| line.name == "somebody said something"),
        "{lines:?}"
    );
    let all = format!("{spans:?}");
    for secret in ["letmein", "hidden", "private words"] {
        assert!(!all.contains(secret), "{secret} is in {all}");
    }
}
