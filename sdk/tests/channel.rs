//! What a channel promises beside what the cases of the conformance kit ask every host for.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::sleep;
use wharf_sdk::{
    App, Channel, Principal, Result, Route,
    channel::{ChannelPeer, Data, Envelope, Event, EventRate, Held},
    testing::{TestHost, TestSocket},
};

const SECOND: Duration = Duration::from_secs(1);

async fn open(channel: Channel) -> TestSocket {
    let app = App::builder().route(Route::new("/", channel)).build();
    TestHost::new(app.unwrap()).connect("/").await
}

async fn echo(Data(data): Data<Value>) -> Result<Value> {
    Ok(data)
}

#[tokio::test]
async fn all_fields_of_the_envelope_can_be_named() {
    let envelope = Envelope {
        event: "type",
        data: "pay\"load",
        id: "no",
        reply: "to no",
        error: "problem",
    };
    let hello = async |peer: ChannelPeer| peer.emit("hello", &1).await;
    let channel = Channel::new()
        .on("echo", echo)
        .on("hello", hello)
        .envelope(envelope);
    let mut client = open(channel).await;
    for (sent, answer) in [
        (
            json!({ "type": "echo", "pay\"load": [1], "no": "a" }),
            json!({ "to no": "a", "pay\"load": [1] }),
        ),
        (
            json!({ "type": "hello" }),
            json!({ "type": "hello", "pay\"load": 1 }),
        ),
    ] {
        client.send_json(&sent).await;
        assert_eq!(client.expect_json::<Value>().await, answer);
    }
    client
        .send_json(&json!({ "type": "nobody", "no": 2 }))
        .await;
    let refused: Value = client.expect_json().await;
    assert_eq!(refused["to no"], 2);
    assert_eq!(refused["problem"]["code"], "WHARF_UNKNOWN_EVENT");
}

#[tokio::test(start_paused = true)]
async fn side_by_side_replies_come_as_they_are_ready() {
    let work = async |Data(seconds): Data<u32>| -> Result<u32> {
        sleep(seconds * SECOND).await;
        Ok(seconds)
    };
    for (side_by_side, order) in [(1, [3, 1, 2, 0]), (3, [1, 0, 2, 3]), (4, [0, 1, 2, 3])] {
        let channel = Channel::new().on("work", work).side_by_side(side_by_side);
        let mut client = open(channel).await;
        for seconds in [3, 1, 2, 0] {
            let event = json!({ "event": "work", "data": seconds, "id": seconds });
            client.send_json(&event).await;
        }
        let mut came = Vec::new();
        for _ in order {
            came.push(
                client.expect_json::<Value>().await["reply"]
                    .as_u64()
                    .unwrap(),
            );
        }
        assert_eq!(came, order, "{side_by_side} side by side");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_of_the_server_are_bounded_and_end_with_the_session() {
    type Codes = Arc<Mutex<Vec<String>>>;
    let codes = Codes::default();
    let told = Arc::clone(&codes);
    let open_requests = move |peer: ChannelPeer| {
        let told = Arc::clone(&told);
        async move {
            for _ in 0..65 {
                let (peer, told) = (peer.clone(), Arc::clone(&told));
                tokio::spawn(async move {
                    let asked = peer.request::<Value>("name", &(), 60 * SECOND).await;
                    let code = asked.unwrap_err().code().to_owned();
                    told.lock().unwrap().push(code);
                });
            }
            Ok::<_, wharf_sdk::Error>(())
        }
    };
    let mut client = open(Channel::new().on_open(open_requests)).await;
    sleep(SECOND).await;
    assert_eq!(*codes.lock().unwrap(), ["WHARF_TOO_MANY_REQUESTS"]);
    client.vanish();
    sleep(SECOND).await;
    let codes = codes.lock().unwrap();
    assert_eq!(codes.len(), 65);
    assert!(
        codes[1..].iter().all(|code| code == "WHARF_CLOSED"),
        "{codes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn predicates_and_rates_by_any_key_say_who_may() {
    let seat = async |who: Principal| -> Result<Principal> { Ok(who) };
    let name = async |who: Held<Principal>| -> Result<String> { Ok(who.id.to_string()) };
    let team = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
    let channel = Channel::new().on_open(seat).event(
        Event::new("name", name)
            .allow_if(|call| {
                call.context()
                    .principal()
                    .is_some_and(|who| &*who.id != "eve")
            })
            .rate(EventRate::per_second(2).by(move |call| {
                call.context()
                    .principal()
                    .map(|who| team(&who.id))
                    .unwrap_or_default()
            })),
    );
    let app = App::builder().route(Route::new("/", channel)).build();
    let host = TestHost::new(app.unwrap());
    let mut codes = Vec::new();
    for name in ["red-ada", "eve", "red-bob", "red-cid", "blue-dan"] {
        let mut client = host.connect("/").principal(Principal::new(name)).await;
        codes.push(match client.call("name", json!(null)).await {
            Ok(name) => name,
            Err(error) => error["code"].clone(),
        });
    }
    assert_eq!(
        codes,
        [
            "red-ada",
            "WHARF_EVENT_DENIED",
            "red-bob",
            "WHARF_RATE_LIMITED",
            "blue-dan"
        ]
    );
}
