//! Event style: `on_close` is told exactly once, on every path.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::sleep;
use wharf_sdk::{
    App, Configure, Error, Events, Route,
    http::StatusCode,
    testing::{TestHost, TestSocket, Violation},
};

const SECOND: Duration = Duration::from_secs(1);

/// What `on_close` was told: the codes.
type Told = Arc<Mutex<Vec<u16>>>;

/// Does what a message says, and notes every close.
fn obedient(told: &Told) -> Events {
    let told = Arc::clone(told);
    Events::new()
        .on_message(|peer, message| async move {
            match message.as_text() {
                Some("fail") => Err(Error::close(4001, "told to")),
                Some("panic") => panic!("told to"),
                Some("close") => peer.start_close(4002, "told to"),
                Some("hang") => pending().await,
                _ => peer.send(message).await,
            }
        })
        .on_close(move |_, outcome| {
            told.lock().unwrap().push(outcome.code.as_u16());
            async {}
        })
}

type Script = for<'a> fn(&'a mut TestSocket, &'a App) -> BoxFuture<'a, ()>;

/// How a session can end, and the code that `on_close` is told. After an error, it is told before
/// the close is sent: 1006 then.
const ENDS: [(&str, Script, u16); 12] = [
    (
        "the peer closes",
        |client, _| Box::pin(async { client.close(4000, "bye").await }),
        4000,
    ),
    (
        "the peer vanishes",
        |client, _| Box::pin(async { client.vanish() }),
        1006,
    ),
    (
        "the peer hangs",
        |client, _| {
            Box::pin(async {
                client.stall();
                sleep(60 * SECOND).await
            })
        },
        1006,
    ),
    (
        "the peer violates",
        |client, _| Box::pin(client.violate(Violation::Unmasked)),
        1002,
    ),
    (
        "a message is too big",
        |client, _| Box::pin(async { client.send_binary(&[0; 2000]).await }),
        1009,
    ),
    (
        "a callback closes",
        |client, _| {
            Box::pin(async {
                client.send_text("close").await;
                client.expect_close(4002).await;
            })
        },
        4002,
    ),
    (
        "a callback fails",
        |client, _| {
            Box::pin(async {
                client.send_text("fail").await;
                client.expect_close(4001).await;
            })
        },
        1006,
    ),
    (
        "a callback panics",
        |client, _| {
            Box::pin(async {
                client.send_text("panic").await;
                client.expect_close(1011).await;
            })
        },
        1011,
    ),
    (
        "the session is idle",
        |client, _| {
            Box::pin(async {
                client.expect_silence(299 * SECOND).await;
                client.expect_close(1001).await;
            })
        },
        1001,
    ),
    (
        "the server shuts down",
        |client, app| {
            Box::pin(async {
                let handle = app.handle();
                let (_, ()) = tokio::join!(handle.shutdown(10 * SECOND), async {
                    client.expect_close(1001).await;
                });
            })
        },
        1001,
    ),
    (
        "the server shuts down around a callback that hangs",
        |client, app| {
            Box::pin(async {
                client.send_text("hang").await;
                sleep(SECOND).await;
                app.handle().shutdown(10 * SECOND).await;
            })
        },
        1001,
    ),
    (
        "the peer vanishes under a callback that hangs",
        |client, _| {
            Box::pin(async {
                client.send_text("hang").await;
                sleep(SECOND).await;
                client.vanish();
                sleep(60 * SECOND).await;
            })
        },
        1006,
    ),
];

#[tokio::test(start_paused = true)]
async fn every_end_is_told_once() {
    for (end, script, code) in ENDS {
        println!("{end}");
        let told = Told::default();
        let app = App::builder()
            .max_message_bytes(1000)
            .idle_timeout(300 * SECOND)
            .route(Route::new("/", obedient(&told)));
        let app = app.build().unwrap();
        let mut client = TestHost::new(app.clone()).connect("/").await;
        client.send_text("hello").await;
        client.expect_text("hello").await;
        script(&mut client, &app).await;
        drop(client);
        sleep(60 * SECOND).await;
        assert_eq!(*told.lock().unwrap(), [code], "{end}");
        assert_eq!(app.handle().connections(), 0, "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_two_callbacks_harms_nobody_else() {
    let events = Events::new()
        .on_message(|_, _| async {
            if true {
                panic!("in on_message");
            }
        })
        .on_close(|_, _| {
            if true {
                panic!("and in on_close, before its future");
            }
            async {}
        });
    let app = App::builder()
        .route(Route::new("/", events))
        .build()
        .unwrap();
    let host = TestHost::new(app);
    for _ in 0..2 {
        let mut client = host.connect("/").await;
        client.send_text("").await;
        client.expect_close(1011).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_panics_before_its_future_is_a_panic_of_its_session_only() {
    let events = Events::new().on_open(|_, ()| {
        if true {
            panic!("in on_open");
        }
        async {}
    });
    let app = App::builder()
        .route(Route::new("/", events))
        .build()
        .unwrap();
    TestHost::new(app)
        .connect("/")
        .await
        .expect_close(1011)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_made_refuses_the_upgrade_and_tells_nobody() {
    let told = Told::default();
    let notes = Arc::clone(&told);
    let events = Events::with_state(async |context| {
        let name = context.header("x-name").map(str::to_owned);
        name.ok_or_else(|| Error::reject(StatusCode::BAD_REQUEST, "send an X-Name header"))
    })
    .on_open(|peer, ()| async move { peer.send(peer.state().clone()).await })
    .on_close(move |_, outcome| {
        notes.lock().unwrap().push(outcome.code.as_u16());
        async {}
    });
    let app = App::builder()
        .route(Route::new("/", events))
        .build()
        .unwrap();
    let host = TestHost::new(app);
    host.connect("/").expect_rejected(400).await;
    assert!(told.lock().unwrap().is_empty());
    let mut client = host.connect("/").header("x-name", "Ada").await;
    client.expect_text("Ada").await;
}
