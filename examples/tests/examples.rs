//! Every example, started as a program and talked to by a real client, on the driver that the
//! feature picks.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{process::Stdio, time::Duration};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::Request},
};

const DEADLINE: Duration = Duration::from_secs(20);

/// A running example; killed when dropped.
struct Example {
    address: String,
    _child: Child,
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Example {
    async fn start(program: &str) -> Self {
        let mut child = Command::new(program)
            .env("ADDR", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(DEADLINE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        // The example may go on printing.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            address,
            _child: child,
        }
    }

    fn request(&self, path: &str) -> Request<()> {
        format!("ws://{}{path}", self.address)
            .into_client_request()
            .unwrap()
    }

    async fn connect(&self, path: &str) -> Client {
        self.connect_with(self.request(path)).await
    }

    async fn connect_with(&self, request: Request<()>) -> Client {
        let (socket, _) = timeout(DEADLINE, connect_async(request))
            .await
            .unwrap()
            .unwrap();
        Client(socket)
    }

    async fn http(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(DEADLINE, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        answer
    }
}

impl Client {
    async fn send(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    async fn message(&mut self) -> Message {
        timeout(DEADLINE, self.0.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }

    async fn text(&mut self) -> String {
        self.message().await.into_text().unwrap().to_string()
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }
}

#[tokio::test]
async fn echo() {
    let example = Example::start(env!("CARGO_BIN_EXE_echo")).await;
    let mut client = example.connect("/echo").await;
    client.send("hello").await;
    assert_eq!(client.text().await, "hello");
}

#[tokio::test]
async fn chat_reaches_the_room_and_nobody_else() {
    let example = Example::start(env!("CARGO_BIN_EXE_chat")).await;
    assert!(
        example
            .http("/")
            .await
            .contains("<title>Wharf chat</title>")
    );
    let mut alice = example.connect("/rooms/blue").await;
    let mut bob = example.connect("/rooms/blue").await;
    let mut carol = example.connect("/rooms/red").await;
    // Their own words come back: all three are in their rooms.
    for client in [&mut alice, &mut carol] {
        client.send("first").await;
        assert_eq!(client.text().await, "first");
    }
    bob.send("hi from bob").await;
    assert_eq!(alice.text().await, "hi from bob");
    carol.send("alone").await;
    assert_eq!(carol.text().await, "alone");
}

#[tokio::test]
async fn the_live_page_is_served_with_its_list_and_pushed_to_all() {
    let example = Example::start(env!("CARGO_BIN_EXE_live")).await;
    let mut alice = example.connect("/").await;
    let mut bob = example.connect("/").await;
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.json().await["data"], "<ul id=\"list\"></ul>");
    }
    alice
        .send(json!({ "event": "add", "data": { "text": "<b>milk" } }).to_string())
        .await;
    let line = "<li class=\"open\" data-line=\"0\">&lt;b&gt;milk</li>";
    for client in [&mut alice, &mut bob] {
        let news = client.json().await;
        assert_eq!(news["data"], format!("<ul id=\"list\">{line}</ul>"));
    }
    assert!(example.http("/").await.contains(line));
}

#[tokio::test]
async fn the_auction_takes_bids_of_those_who_may() {
    let example = Example::start(env!("CARGO_BIN_EXE_auction")).await;
    let bidder = |cookie: &'static str| {
        let mut request = example.request("/auctions/vase");
        let cookie = cookie.parse().unwrap();
        request.headers_mut().insert("cookie", cookie);
        request
    };
    let mut alice = example
        .connect_with(bidder("theme=dark; session=alice"))
        .await;
    let mut bob = example.connect_with(bidder("session=bob")).await;
    let ask = |event: &str, data: Value| json!({ "event": event, "data": data, "id": 1 });
    // Its answer says that he is in the room.
    bob.send(ask("watchers", Value::Null).to_string()).await;
    assert_eq!(bob.json().await["reply"], 1);
    alice
        .send(ask("bid", json!({ "amount": 10 })).to_string())
        .await;
    assert_eq!(alice.json().await["data"]["highest"], 10);
    assert_eq!(bob.json().await, json!({ "event": "outbid", "data": 10 }));
    bob.send(ask("sell", Value::Null).to_string()).await;
    assert_eq!(bob.json().await["error"]["code"], "WHARF_EVENT_DENIED");
    let stranger = connect_async(example.request("/auctions/vase")).await;
    assert!(stranger.unwrap_err().to_string().contains("401"));
}

#[tokio::test]
async fn game_can_be_won_and_mistakes_are_told() {
    let example = Example::start(env!("CARGO_BIN_EXE_game")).await;
    let mut client = example.connect("/game").await;
    client.send(r#"{"guess":"many"}"#).await;
    assert_eq!(client.json().await["error"]["code"], "WHARF_INVALID_JSON");
    let (mut low, mut high) = (1, 100);
    loop {
        let guess = (low + high) / 2;
        client.send(json!({ "guess": guess }).to_string()).await;
        match client.json().await["verdict"].as_str().unwrap() {
            "higher" => low = guess + 1,
            "lower" => high = guess - 1,
            verdict => break assert_eq!(verdict, "right"),
        }
    }
}

#[tokio::test]
async fn msgpack_reads_and_writes_binary() {
    let example = Example::start(env!("CARGO_BIN_EXE_msgpack")).await;
    let mut client = example.connect("/readings").await;
    for (celsius, readings, mean) in [(20.0, 1, 20.0), (22.0, 2, 21.0)] {
        let reading = json!({ "sensor": "hall", "celsius": celsius });
        let bytes = rmp_serde::to_vec_named(&reading).unwrap();
        client.0.send(Message::binary(bytes)).await.unwrap();
        let summary: Value = rmp_serde::from_slice(&client.message().await.into_data()).unwrap();
        assert_eq!(
            summary,
            json!({ "sensor": "hall", "readings": readings, "mean": mean })
        );
    }
    client.send("no binary").await;
    assert!(matches!(
        client.message().await,
        Message::Close(Some(frame)) if u16::from(frame.code) == 1003
    ));
}

#[tokio::test]
async fn auth_takes_the_header_and_the_subprotocol() {
    let example = Example::start(env!("CARGO_BIN_EXE_auth")).await;
    let with = |name: &'static str, value: &'static str| {
        let mut request = example.request("/private");
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let mut client = example
        .connect_with(with("authorization", "Bearer letmein"))
        .await;
    assert_eq!(client.text().await, "hello alice");
    let offers = with("sec-websocket-protocol", "chat, bearer.letmein");
    let (mut socket, response) = connect_async(offers).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    assert_eq!(
        socket.next().await.unwrap().unwrap().into_text().unwrap(),
        "hello alice"
    );
    for (request, status) in [
        (example.request("/private"), "401"),
        (with("authorization", "Bearer wrong"), "401"),
        (with("authorization", "Bearer letmein-noscope"), "403"),
    ] {
        let error = connect_async(request).await.unwrap_err();
        assert!(error.to_string().contains(status), "{error}");
    }
}

#[tokio::test]
async fn protocols_prefers_the_servers_first_and_explains_itself() {
    let example = Example::start(env!("CARGO_BIN_EXE_protocols")).await;
    let mut request = example.request("/chat");
    request.headers_mut().insert(
        "sec-websocket-protocol",
        "chat.v1, chat.v2".parse().unwrap(),
    );
    assert_eq!(example.connect_with(request).await.text().await, "chat.v2");
    assert!(
        example
            .http("/chat")
            .await
            .ends_with("connect to /chat with a WebSocket client")
    );
}

#[tokio::test]
async fn events_count_for_each_connection() {
    let example = Example::start(env!("CARGO_BIN_EXE_events")).await;
    for _ in 0..2 {
        let mut client = example.connect("/count").await;
        assert_eq!(client.text().await, "count me in");
        for count in ["1", "2"] {
            client.send("").await;
            assert_eq!(client.text().await, count);
        }
    }
}

#[tokio::test]
async fn broadcast_ticks() {
    let example = Example::start(env!("CARGO_BIN_EXE_broadcast")).await;
    let mut client = example.connect("/ticks").await;
    assert!(client.text().await.starts_with("tick "));
    assert!(client.text().await.starts_with("tick "));
}

#[tokio::test]
async fn inspector_shows_the_chat_to_those_with_the_token() {
    let example = Example::start(env!("CARGO_BIN_EXE_inspector")).await;
    let mut carol = example.connect("/rooms/harbour?name=carol").await;
    carol.send("ahoy").await;
    assert_eq!(carol.text().await, "ahoy");
    assert!(example.http("/inspect").await.starts_with("HTTP/1.1 401"));
    let mut request = example.request("/inspect");
    let token = "Bearer letmein".parse().unwrap();
    request.headers_mut().insert("authorization", token);
    let mut watcher = example.connect_with(request).await;
    assert_eq!(watcher.json().await["who"], "olivia");
    watcher.send(r#"{"view":{"filter":"carol"}}"#).await;
    loop {
        let look = watcher.json().await;
        if look["sessions"]["found"] == 1 {
            assert_eq!(look["rooms"]["rows"][0]["name"], "harbour");
            break assert_eq!(look["sessions"]["rows"][0]["messages_in"], 1);
        }
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn mounted_on_axum() {
    mounted(env!("CARGO_BIN_EXE_mount-axum")).await;
}

#[cfg(feature = "actix")]
#[tokio::test]
async fn mounted_on_actix() {
    mounted(env!("CARGO_BIN_EXE_mount-actix")).await;
}

#[cfg(feature = "hyper")]
#[tokio::test]
async fn mounted_on_hyper() {
    mounted(env!("CARGO_BIN_EXE_mount-hyper")).await;
}

#[cfg(feature = "hyper")]
#[tokio::test]
async fn mounted_beside_warp() {
    mounted(env!("CARGO_BIN_EXE_mount-warp")).await;
}

async fn mounted(program: &str) {
    let example = Example::start(program).await;
    assert!(example.http("/health").await.ends_with("ok"));
    let mut client = example.connect("/ws/echo").await;
    client.send("hello").await;
    assert_eq!(client.text().await, "hello");
}
