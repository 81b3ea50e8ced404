//! What the log says of a denied origin. A program of its own with one test: whether anybody listens to
//! a line is remembered for the whole process, as the thread had it that came by first.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::Field,
    span::{Attributes, Id, Record},
};
use wharf_sdk::{App, Configure, OriginPolicy, Route, Socket, testing::TestHost};

/// Writes down what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = event.metadata().level().to_string();
        event.record(&mut |field: &Field, value: &dyn Debug| {
            write!(line, " {field}={value:?}").unwrap();
        });
        self.0.lock().unwrap().push(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(flavor = "current_thread")]
async fn a_denial_is_logged_with_what_came_and_what_was_expected() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let policy = OriginPolicy::same_origin().and(["https://app.example"]);
    let route = Route::new("/", async |_: Socket| {}).origins(policy.unwrap());
    let host = TestHost::new(App::builder().route(route).build().unwrap());
    let request = host.connect("/").origin("https://evil.example");
    request.expect_rejected(403).await;

    let lines = lines.0.lock().unwrap();
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("a page's origin was denied"))
        .collect();
    assert_eq!(told.len(), 1, "{lines:?}");
    for part in [
        "DEBUG",
        "https://evil.example",
        "http://test.example",
        "https://app.example",
    ] {
        assert!(told[0].contains(part), "{part} is not in {told:?}");
    }
}
