//! The spans that a connection's log lines stand in.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use wharf_sdk::{
    App, Principal, Result, Route, Socket,
    middleware::{RequestIdLayer, Trace, bearer},
    testing::TestHost,
};

/// Remembers spans, and in which of them each event was.
#[derive(Clone, Default)]
struct Book(Arc<Inner>);

type Values = BTreeMap<String, String>;

#[derive(Default)]
struct Inner {
    next: AtomicU64,
    spans: Mutex<BTreeMap<u64, (String, Values)>>,
    stack: Mutex<Vec<u64>>,
    follows: Mutex<Vec<(u64, u64)>>,
    lines: Mutex<Vec<(String, Vec<u64>)>>,
}

struct Fields<'a>(&'a mut Values);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Book {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut fields = BTreeMap::new();
        span.record(&mut Fields(&mut fields));
        let name = span.metadata().name().to_owned();
        self.0.spans.lock().unwrap().insert(id, (name, fields));
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.0
            .follows
            .lock()
            .unwrap()
            .push((span.into_u64(), follows.into_u64()));
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let stack = self.0.stack.lock().unwrap().clone();
        let message = fields.remove("message").unwrap_or_default();
        self.0.lines.lock().unwrap().push((message, stack));
    }

    fn enter(&self, span: &Id) {
        self.0.stack.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let mut stack = self.0.stack.lock().unwrap();
        let at = stack.iter().rposition(|id| *id == span.into_u64()).unwrap();
        stack.remove(at);
    }
}

async fn speak(mut socket: Socket) -> Result<()> {
    while socket.read().await?.is_some() {
        tracing::info!("heard something");
    }
    Ok(())
}

async fn verify(token: String) -> Result<Option<Principal>> {
    tracing::info!("looking at a credential");
    Ok((token == "letmein").then(|| Principal::new("alice")))
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_handlers_own_lines_carry_who_and_where_and_never_the_credential() {
    let book = Book::default();
    let _guard = tracing::subscriber::set_default(book.clone());
    let app = App::builder()
        .middleware(RequestIdLayer)
        .middleware(Trace)
        .middleware(bearer(verify))
        .route(Route::new("/talk/{room}", speak).require_auth());
    let host = TestHost::new(app.build().unwrap());
    let mut client = host
        .connect("/talk/lobby?token=secret")
        .bearer("letmein")
        .header("x-request-id", "r-1")
        .await;
    client.send_text("hi").await;
    client.send_frame(0x88, &1000u16.to_be_bytes()).await;
    client.expect_close(1000).await;
    while host.app().handle().connections() > 0 {
        tokio::task::yield_now().await;
    }

    let (spans, lines) = (book.0.spans.lock().unwrap(), book.0.lines.lock().unwrap());
    let inside = |message: &str| {
        let (_, stack) = lines.iter().find(|(line, _)| line == message).unwrap();
        let ids: Vec<_> = stack
            .iter()
            .filter(|id| spans[id].1.contains_key("connection"))
            .collect();
        *ids[0]
    };
    let (upgrade, session) = (inside("looking at a credential"), inside("heard something"));
    assert_eq!(
        (&*spans[&upgrade].0, &*spans[&session].0),
        ("upgrade", "session")
    );
    assert!(book.0.follows.lock().unwrap().contains(&(session, upgrade)));
    let fields = &spans[&session].1;
    assert_eq!(fields["principal"], "alice");
    assert_eq!(fields["request_id"], "r-1");
    assert_eq!(fields["route"], "/talk/{room}");
    assert_eq!(fields["connection"], spans[&upgrade].1["connection"]);
    for (_, fields) in spans.values() {
        let all = format!("{fields:?}");
        assert!(!all.contains("letmein") && !all.contains("secret"), "{all}");
    }
}
