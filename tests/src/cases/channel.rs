//! Events with replies, on the route `/channel`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use wharf_sdk::{
    App, Channel, Configure, Observer, Route, SessionInfo,
    channel::{ChannelPeer, Data, EventErrors, Held},
};

use crate::{
    Client, Host, Notes, Request, Site,
    client::{Frame, PATIENCE},
    fixture::ask_within,
};

/// What a function returns is the reply, whatever the id looks like.
pub async fn replies(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/channel").await;
    for id in [json!(7), json!("seven"), json!("with \"quotes\"")] {
        let data = json!({ "any": [1, null] });
        send(
            &mut client,
            &json!({ "event": "echo", "data": data, "id": id }),
        )
        .await;
        expect(&mut client, json!({ "reply": id, "data": data })).await;
    }
    send(
        &mut client,
        &json!({ "event": "add", "data": { "a": 1, "b": 2 }, "id": 1 }),
    )
    .await;
    expect(&mut client, json!({ "reply": 1, "data": 3 })).await;
    // Without an id there is no reply.
    send(&mut client, &json!({ "event": "echo", "data": 1 })).await;
    send(&mut client, &json!({ "event": "echo", "data": 2, "id": 2 })).await;
    expect(&mut client, json!({ "reply": 2, "data": 2 })).await;
    client.close().await;
}

/// Whatever goes wrong, each id gets exactly one reply, and the session goes on.
pub async fn errors_are_replies(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/channel").await;
    for (event, data, code) in [
        ("nobody", json!(null), "WHARF_UNKNOWN_EVENT"),
        ("add", json!({ "a": "one" }), "WHARF_INVALID_JSON"),
        ("add", json!({ "a": 1001, "b": 1 }), "WHARF_INVALID_VALUE"),
        ("admin", json!(null), "WHARF_EVENT_DENIED"),
        ("slow", json!(null), "WHARF_EVENT_TIMEOUT"),
        ("fail", json!(null), "WHARF_HANDLER"),
        ("panic", json!(null), "WHARF_PANIC"),
    ] {
        send(
            &mut client,
            &json!({ "event": event, "data": data, "id": event }),
        )
        .await;
        let text = client.expect_any_text().await;
        let reply: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(reply["reply"], event, "{text}");
        assert_eq!(reply["error"]["code"], code, "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    alive(&mut client).await;
}

/// Issues name the field, and not its value.
pub async fn issues_name_the_field(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/channel").await;
    send(
        &mut client,
        &json!({ "event": "add", "data": { "a": 1001, "b": -2002 }, "id": 1 }),
    )
    .await;
    let text = client.expect_any_text().await;
    let reply: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(reply["error"]["issues"][0]["path"], "a");
    assert_eq!(reply["error"]["issues"][1]["path"], "b");
    assert!(!text.contains("2002"), "{text}");
    alive(&mut client).await;
}

/// What is no envelope is answered as a reply to nobody, or to its id where that can be read.
pub async fn wrong_shapes(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/channel").await;
    let long = "x".repeat(65);
    for (text, reply, code) in [
        ("nonsense".to_owned(), json!(null), "WHARF_ENVELOPE"),
        ("[]".to_owned(), json!(null), "WHARF_ENVELOPE"),
        ("{}".to_owned(), json!(null), "WHARF_ENVELOPE"),
        (
            r#"{"data":1,"id":3}"#.to_owned(),
            json!(3),
            "WHARF_ENVELOPE",
        ),
        (
            r#"{"event":"echo","event":"echo"}"#.to_owned(),
            json!(null),
            "WHARF_ENVELOPE",
        ),
        (
            r#"{"event":"a b","id":4}"#.to_owned(),
            json!(4),
            "WHARF_EVENT_NAME",
        ),
        (
            format!(r#"{{"event":"{long}","id":5}}"#),
            json!(5),
            "WHARF_EVENT_NAME",
        ),
        (
            r#"{"event":"echo","id":{}}"#.to_owned(),
            json!(null),
            "WHARF_EVENT_ID",
        ),
        (
            format!(r#"{{"event":"echo","id":"{long}"}}"#),
            json!(null),
            "WHARF_EVENT_ID",
        ),
        (
            r#"{"reply":99,"data":1}"#.to_owned(),
            json!(null),
            "WHARF_UNASKED_REPLY",
        ),
    ] {
        client.send_text(&text).await;
        let came: Value = client.expect_json().await;
        assert_eq!(
            (&came["reply"], &came["error"]["code"]),
            (&reply, &json!(code)),
            "{text}"
        );
    }
    client.send(Frame::binary("bytes")).await;
    let came: Value = client.expect_json().await;
    assert_eq!(came["error"]["code"], "WHARF_WRONG_KIND");
    alive(&mut client).await;
}

/// A scope that the principal has lets its events in.
pub async fn scopes(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for (token, allowed) in [("letmein", true), ("letmein-noscope", false)] {
        let request = Request::upgrade("/channel").with("Authorization", format!("Bearer {token}"));
        let mut client = site.open_with(request).await;
        send(&mut client, &json!({ "event": "admin", "id": 1 })).await;
        let came: Value = client.expect_json().await;
        assert_eq!(came["data"] == "ok", allowed, "{came}");
        assert_eq!(
            came["error"]["code"] == "WHARF_EVENT_DENIED",
            !allowed,
            "{came}"
        );
        client.close().await;
    }
}

/// The rate is the principal's, over all its connections.
pub async fn rates(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let request = || Request::upgrade("/channel").with("Authorization", "Bearer letmein");
    let mut one = site.open_with(request()).await;
    let mut two = site.open_with(request()).await;
    let mut stranger = site.open("/channel").await;
    let mut taken = 0;
    let refused = loop {
        let client = if taken % 2 == 0 { &mut one } else { &mut two };
        send(client, &json!({ "event": "limited", "id": 1 })).await;
        let came: Value = client.expect_json().await;
        if !came["error"].is_null() {
            break came;
        }
        taken += 1;
        // On a slow machine tokens come back meanwhile.
        assert!(taken < 100, "{taken} taken");
    };
    assert_eq!(refused["error"]["code"], "WHARF_RATE_LIMITED");
    assert!(taken >= 3, "{taken} taken");
    send(&mut stranger, &json!({ "event": "limited", "id": 1 })).await;
    expect(&mut stranger, json!({ "reply": 1, "data": null })).await;
}

/// The server asks and gets the peer's answer, its error's code, or a timeout.
pub async fn the_server_asks(host: &dyn Host) {
    let asks = async |peer: ChannelPeer| ask_within(peer, PATIENCE).await;
    let channel = Channel::new().on("ask", asks);
    let site = Site::of(host, |app: wharf_sdk::AppBuilder| {
        app.route(Route::new("/asks", channel))
    })
    .await;
    let mut client = site.open("/asks").await;
    for (answer, got) in [
        (json!({ "data": "bob" }), json!("bob")),
        (
            json!({ "error": { "code": "NO" } }),
            json!("WHARF_PEER_ERROR"),
        ),
    ] {
        send(&mut client, &json!({ "event": "ask", "id": "q" })).await;
        let request: Value = client.expect_json().await;
        assert_eq!(request["event"], "name");
        let mut reply = answer;
        reply["reply"] = request["id"].clone();
        send(&mut client, &reply).await;
        expect(&mut client, json!({ "reply": "q", "data": got })).await;
    }
    client.close().await;

    let site = Site::fixture(host).await;
    let mut client = site.open("/channel").await;
    send(&mut client, &json!({ "event": "ask", "id": "q" })).await;
    let request: Value = client.expect_json().await;
    expect(
        &mut client,
        json!({ "reply": "q", "data": "WHARF_REQUEST_TIMEOUT" }),
    )
    .await;
    // Too late is not wrong.
    send(
        &mut client,
        &json!({ "reply": request["id"], "data": "bob" }),
    )
    .await;
    alive(&mut client).await;
}

/// Events of the server come in the order in which they were emitted, before the reply behind them.
pub async fn server_events(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/channel").await;
    send(
        &mut client,
        &json!({ "event": "tick", "data": { "n": 200 }, "id": 1 }),
    )
    .await;
    for n in 0..200 {
        expect(&mut client, json!({ "event": "tick", "data": n })).await;
    }
    expect(&mut client, json!({ "reply": 1, "data": 200 })).await;
    client.close().await;
}

/// A thousand at once: one reply each, in order.
pub async fn a_thousand_at_once(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/channel").await;
    for id in 0..1000 {
        send(
            &mut client,
            &json!({ "event": "echo", "data": id, "id": id }),
        )
        .await;
    }
    for id in 0..1000 {
        expect(&mut client, json!({ "reply": id, "data": id })).await;
    }
    client.close().await;
}

/// A thousand requests at once to a function that takes its time, and replies that nobody asked for:
/// no more run than may, whoever sends more is held back, and each gets its answer.
pub async fn floods(host: &dyn Host) {
    const REQUESTS: usize = 1000;
    const UNASKED: usize = 300;
    let site = Site::of(host, |app: wharf_sdk::AppBuilder| {
        let begun = Arc::new(AtomicUsize::new(0));
        let slow = move || {
            let begun = Arc::clone(&begun);
            async move {
                begun.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok::<_, wharf_sdk::Error>(begun.load(Ordering::Relaxed))
            }
        };
        let channel = Channel::new().on("slow", slow).side_by_side(8);
        app.route(Route::new("/slow", channel))
    })
    .await;
    let mut client = site.open("/slow").await;
    for id in 0..REQUESTS {
        client
            .send_text(&format!(r#"{{"event":"slow","id":{id}}}"#))
            .await;
        if id < UNASKED {
            client.send_text(r#"{"reply":1,"data":"hunter2"}"#).await;
        }
    }
    let (mut replies, mut unasked) = (0, 0);
    while replies < REQUESTS || unasked < UNASKED {
        let text = client.expect_any_text().await;
        assert!(!text.contains("hunter2"), "{text}");
        let came: Value = serde_json::from_str(&text).expect("JSON");
        match came["reply"].is_null() {
            true => {
                assert_eq!(came["error"]["code"], "WHARF_UNASKED_REPLY");
                unasked += 1;
            }
            false => {
                let begun = came["data"].as_u64().expect("a count");
                // The others wait, here or in TCP.
                assert!(
                    begun <= replies as u64 + 8,
                    "{begun} of {replies} have begun"
                );
                replies += 1;
            }
        }
    }
    client.close().await;
}

/// Secrets in envelopes of every wrong shape show up neither in a reply nor in what observers are
/// told, causes included.
pub async fn wrong_shapes_leak_nothing(host: &dyn Host) {
    struct Told(Notes);
    impl Observer for Told {
        fn failed(&self, _: &SessionInfo, error: &wharf_sdk::Error) {
            self.0
                .add(format!("{error:?} {error} {}", error.cause_chain()));
        }
    }
    #[derive(serde::Deserialize)]
    #[serde(tag = "type", rename_all = "lowercase")]
    enum Order {
        Buy { amount: u32 },
    }
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app: wharf_sdk::AppBuilder| {
        let buy =
            async |Data(Order::Buy { amount }): Data<Order>| Ok::<_, wharf_sdk::Error>(amount);
        app.observer(Told(notes))
            .route(Route::new("/orders", Channel::new().on("buy", buy)))
    })
    .await;
    let mut client = site.open("/orders").await;
    for text in [
        "hunter2",
        r#"{"hunter2""#,
        r#""hunter2""#,
        r#"["hunter2"]"#,
        r#"{"hunter2":"hunter2"}"#,
        r#"{"event":"hunter2"}"#,
        r#"{"event":"hunter2 with a space"}"#,
        r#"{"event":"buy","id":["hunter2"]}"#,
        r#"{"event":"buy","reply":1,"data":"hunter2"}"#,
        r#"{"event":"buy","data":"hunter2"}"#,
        r#"{"event":"buy","data":{"type":"hunter2"}}"#,
        r#"{"event":"buy","data":{"type":"buy","amount":"hunter2"}}"#,
        r#"{"event":"buy","data":{"type":"buy","hunter2":1}}"#,
        r#"{"reply":"hunter2"}"#,
        r#"{"reply":1,"data":"hunter2","error":"hunter2"}"#,
    ] {
        client.send_text(text).await;
        let reply = client.expect_any_text().await;
        assert!(
            !reply.contains("hunter2"),
            "{text} is answered with {reply}"
        );
        assert!(reply.contains("WHARF_"), "{text} is answered with {reply}");
        let told = noted.next().await;
        assert!(
            !told.contains("hunter2"),
            "of {text}, observers hear {told}"
        );
    }
    client
        .send_text(r#"{"event":"buy","data":{"type":"buy","amount":"x"},"id":1}"#)
        .await;
    let reply: Value = client.expect_json().await;
    let what = reply["error"]["message"].as_str().expect("a message");
    assert!(what.contains("at amount"), "{what}");
    client.close().await;
}

/// The other policies: silence, and a close.
pub async fn policies(host: &dyn Host) {
    let site = Site::of(host, |app: wharf_sdk::AppBuilder| {
        let channel = || {
            Channel::new().on("fail", async || {
                Err::<(), _>(wharf_sdk::Error::handler("no"))
            })
        };
        app.route(Route::new(
            "/ignore",
            channel()
                .unknown(EventErrors::Ignore)
                .invalid(EventErrors::Ignore)
                .failed(EventErrors::Ignore),
        ))
        .route(Route::new(
            "/close",
            channel()
                .unknown(EventErrors::Close)
                .invalid(EventErrors::Close)
                .failed(EventErrors::Close),
        ))
    })
    .await;
    let mut client = site.open("/ignore").await;
    for text in [r#"{"event":"nobody"}"#, "nonsense", r#"{"event":"fail"}"#] {
        client.send_text(text).await;
    }
    // Whoever waits for a reply gets one.
    client.send_text(r#"{"event":"fail","id":1}"#).await;
    let came: Value = client.expect_json().await;
    assert_eq!(
        (&came["reply"], &came["error"]["code"]),
        (&json!(1), &json!("WHARF_HANDLER"))
    );
    for (text, code) in [
        (r#"{"event":"nobody"}"#, 1008),
        ("nonsense", 1007),
        (r#"{"event":"fail"}"#, 1011),
    ] {
        let mut client = site.open("/close").await;
        client.send_text(text).await;
        client.expect_close(code).await;
    }
}

/// What `on_open` returns is held until the session ends, and functions take it.
pub async fn held_values(host: &dyn Host) {
    let site = Site::of(host, |app: wharf_sdk::AppBuilder| {
        let channel = Channel::new()
            .on_open(async |peer: ChannelPeer| {
                peer.emit("welcome", &1).await?;
                Ok::<_, wharf_sdk::Error>(41_u32)
            })
            .on("held", async |held: Held<u32>, Data(n): Data<u32>| {
                Ok::<_, wharf_sdk::Error>(*held + n)
            });
        app.route(Route::new("/held", channel))
    })
    .await;
    let mut client = site.open("/held").await;
    expect(&mut client, json!({ "event": "welcome", "data": 1 })).await;
    send(&mut client, &json!({ "event": "held", "data": 1, "id": 1 })).await;
    expect(&mut client, json!({ "reply": 1, "data": 42 })).await;
    client.close().await;
}

/// A wrong channel does not build, and the refusal says what to change.
pub async fn wrong_channels(_host: &dyn Host) {
    let nothing = async || Ok::<_, wharf_sdk::Error>(());
    for channel in [
        Channel::new().on("with space", nothing),
        Channel::new().on("twice", nothing).on("twice", nothing),
        Channel::new().envelope(wharf_sdk::channel::Envelope {
            data: "event",
            ..Default::default()
        }),
    ] {
        let built = App::builder()
            .max_message_bytes(1024)
            .route(Route::new("/c", channel))
            .build();
        assert_eq!(built.expect_err("refused").code(), "WHARF_CONFIG");
    }
}

async fn send(client: &mut Client, value: &Value) {
    client.send_text(&value.to_string()).await;
}

async fn expect(client: &mut Client, expected: Value) {
    let came: Value = client.expect_json().await;
    assert_eq!(came, expected);
}

async fn alive(client: &mut Client) {
    send(
        client,
        &json!({ "event": "echo", "data": "alive", "id": "last" }),
    )
    .await;
    expect(client, json!({ "reply": "last", "data": "alive" })).await;
    tokio::time::sleep(Duration::ZERO).await;
    client.close().await;
}
