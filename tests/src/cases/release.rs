//! Every session ends once and gives everything back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::time::sleep;
use wharf_sdk::{
    Context, Next, Response, Result, Route,
    http::StatusCode,
    middleware::{bearer, from_fn},
    response,
};

use crate::{
    Client, Host, Request, Site,
    client::{Frame, PATIENCE},
    fixture,
};

/// After a storm of every kind of end, every session has ended once, with its own outcome, and
/// no connection, no place in a cap and no guard is left.
pub async fn after_a_storm(host: &dyn Host) {
    const ROUNDS: usize = 4;
    let site = &Site::fixture(host).await;
    let kinds: Vec<(&str, u16, bool)> = vec![
        ("/echo", 1000, true),
        ("/echo", 1006, false),
        ("/echo", 1002, true),
        ("/limit", 1009, true),
        ("/return", 1000, true),
        ("/fail", 1011, true),
        ("/fail/4444", 4444, true),
        ("/panic", 1011, true),
        ("/close/4001", 4001, true),
        ("/idle", 1001, true),
        ("/heartbeat", 1006, false),
    ];
    let storm = kinds
        .iter()
        .flat_map(|kind| std::iter::repeat_n(kind, ROUNDS));
    join_all(storm.map(|(path, code, _)| async move {
        end(&mut site.open(path).await, path, *code).await;
    }))
    .await;
    let total = kinds.len() * ROUNDS;
    let closed = site.events.wait_for("closed", total).await;
    site.expect_no_connections().await;
    // Time for a second `closed` of a session to show, if there were one.
    sleep(Duration::from_millis(200)).await;
    assert_eq!(
        site.events.of("closed").len(),
        total,
        "a session ended twice"
    );
    assert_eq!(site.events.of("upgraded").len(), total);
    for (path, code, clean) in kinds {
        let matching = closed.iter().filter(|event| {
            let pattern = event.route.as_deref().unwrap_or_default();
            let prefix = pattern.split("/{").next().unwrap_or_default();
            path.starts_with(prefix) && event.code == Some(code)
        });
        let unlike = matching.clone().find(|event| {
            // A violation ends without the peer's answer being waited for.
            event.clean != Some(clean) && !matches!(code, 1002 | 1009)
        });
        assert!(
            matching.count() >= ROUNDS,
            "{path} ends with {code} in {closed:#?}"
        );
        assert_eq!(unlike, None, "{path}");
    }
    for route in site.app.routes() {
        assert_eq!(route.connections, 0, "{}", route.pattern);
    }
    site.open("/echo")
        .await
        .expect_echo("the server goes on")
        .await;
}

/// A place in a cap is given back on every path: sessions, refusals, panics, fallbacks.
pub async fn places_in_caps(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.max_app_connections(1)
            .route(Route::new("/echo", fixture::echo))
            .route(
                Route::new("/panic", fixture::echo)
                    .middleware(from_fn(async |_, _| panic!("a middleware panics"))),
            )
            .route(
                Route::new("/plain", fixture::echo)
                    .fallback(async |_| response::text(StatusCode::OK, "plain")),
            )
    })
    .await;
    for _ in 0..3 {
        site.open("/echo").await.close().await;
        site.expect_no_connections().await;
        site.open("/echo").await.vanish();
        site.expect_no_connections().await;
        site.request(Request::upgrade("/panic")).await.expect(500);
        site.request(Request::plain("GET", "/plain"))
            .await
            .expect(200);
        site.request(Request::plain("GET", "/echo"))
            .await
            .expect(host.refusal_of_get().0);
        site.expect_no_connections().await;
    }
}

/// A client that gives up while middleware decides leaves nothing behind.
pub async fn given_up_handshakes(host: &dyn Host) {
    let ponders = from_fn(async |context, next| {
        sleep(Duration::from_secs(2)).await;
        Ok(next.run(context).await)
    });
    let route = Route::new("/ponders", fixture::echo).middleware(ponders);
    let site = Site::of(host, |app| app.route(route)).await;
    let given_up = tokio::time::timeout(
        Duration::from_millis(100),
        join_all((0..5).map(|_| site.request(Request::upgrade("/ponders")))),
    );
    assert!(given_up.await.is_err(), "the middleware did not ponder");
    sleep(Duration::from_millis(100)).await;
    site.expect_no_connections().await;
    // Whoever got as far as a session has ended it.
    let upgraded = site.events.of("upgraded").len();
    site.events.wait_for("closed", upgraded).await;
    site.open("/ponders")
        .await
        .expect_echo("the server goes on")
        .await;
}

/// A value in a context that panics in its drop takes neither the answer nor the session along.
pub async fn extensions_that_panic(host: &dyn Host) {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("an extension panics in its drop");
        }
    }
    let inserts = from_fn(async |mut context, next: Next| {
        context.insert(Arc::new(Panics));
        Ok(next.run(context).await)
    });
    let refuses = from_fn(async |mut context, _| {
        context.insert(Arc::new(Panics));
        Ok(response::text(StatusCode::GONE, "gone"))
    });
    let site = Site::of(host, |app| {
        app.route(Route::new("/echo", fixture::echo).middleware(inserts))
            .route(Route::new("/refused", fixture::echo).middleware(refuses))
    })
    .await;
    site.open("/echo").await.expect_echo("unharmed").await;
    let told = site.events.only("failed").await;
    told.expect_error("WHARF_PANIC", "upgrade");
    let refused = site.request(Request::upgrade("/refused")).await;
    refused.expect_problem(500, "WHARF_PANIC");
    site.expect_no_connections().await;
}

/// A guard that middleware holds is dropped when its session ends, or when there is none.
pub async fn guards(host: &dyn Host) {
    #[derive(Clone, Default)]
    struct Gauge(Arc<AtomicUsize>);
    struct Guard(Gauge);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    async fn hold(mut context: Context, next: Next) -> Result<Response> {
        let gauge = context.state::<Gauge>().cloned().unwrap_or_default();
        gauge.0.fetch_add(1, Ordering::SeqCst);
        context.hold(Guard(gauge));
        Ok(next.run(context).await)
    }
    let gauge = Gauge::default();
    let site = Site::of(host, |app| {
        app.state(gauge.clone())
            .middleware(hold)
            .route(Route::new("/echo", fixture::echo))
            .middleware(bearer(async |_| Ok(None)))
            .route(Route::new("/closed", fixture::echo).require_auth())
    })
    .await;
    let held = || gauge.0.load(Ordering::SeqCst);
    let expect_held = async |count: usize| {
        let waiting = tokio::time::timeout(PATIENCE, async {
            while held() != count {
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(
            waiting.await.is_ok(),
            "{} guards are held, expected {count}",
            held()
        );
    };
    let mut polite = site.open("/echo").await;
    let mut rude = site.open("/echo").await;
    expect_held(2).await;
    site.request(Request::upgrade("/closed")).await.expect(401);
    expect_held(2).await;
    polite.close().await;
    expect_held(1).await;
    rude.vanish();
    expect_held(0).await;
}

/// Ends a session of the fixture in the way that gives this code.
async fn end(client: &mut Client, path: &str, code: u16) {
    match (path, code) {
        ("/echo", 1000) => client.close().await,
        ("/echo", 1006) => client.vanish(),
        ("/echo", 1002) => {
            client.send(Frame::text("bare").unmasked()).await;
            client.expect_close(1002).await;
        }
        ("/limit", _) => {
            client.send_text(&"x".repeat(2000)).await;
            client.expect_close(1009).await;
        }
        ("/heartbeat", _) => {
            client.expect_ping().await;
            client.expect_end().await;
        }
        (path, code) => {
            if path.starts_with("/fail") || path == "/panic" {
                client.send_text("go").await;
            }
            client.expect_close(code).await;
        }
    }
}
