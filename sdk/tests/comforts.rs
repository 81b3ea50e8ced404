//! Typed sockets, events, streams and sinks, through the in-memory host.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use futures::{FutureExt, SinkExt, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wharf_sdk::{
    App, Configure, DecodeErrors, Error, Events, Message, Path, Query, Result, Route, Socket,
    Typed, WebSocket, WebSocketExt, testing::TestHost,
};

fn host(route: Route) -> TestHost {
    TestHost::new(App::builder().route(route).build().unwrap())
}

#[derive(Deserialize)]
struct Add {
    left: i64,
    right: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sum {
    sum: i64,
}

async fn add(mut socket: Typed<Add, Sum>) -> Result<()> {
    while let Some(Add { left, right }) = socket.read().await? {
        socket.write(&Sum { sum: left + right }).await?;
    }
    Ok(())
}

#[tokio::test]
async fn typed_sockets_read_and_write_values() {
    let mut client = host(Route::new("/", add)).connect("/").await;
    client.send_text(r#"{"left":1,"right":2}"#).await;
    assert_eq!(client.expect_json::<Sum>().await, Sum { sum: 3 });
}

#[tokio::test]
async fn typed_senders_refuse_to_wait_and_replace_by_key() {
    async fn sums(socket: Typed<Add, Sum>) -> Result<()> {
        let sender = socket.sender();
        assert_eq!(sender.sender().id(), socket.id());
        sender.try_send(&Sum { sum: 1 })?;
        for sum in 2..5 {
            sender.send_latest("sum", &Sum { sum })?;
        }
        let full = sender.try_send(&Sum { sum: 5 }).unwrap_err();
        assert_eq!(full.code(), "WHARF_BACKPRESSURE");
        Ok(())
    }
    let mut client = host(Route::new("/", sums).queue_messages(1))
        .connect("/")
        .await;
    assert_eq!(client.expect_json::<Sum>().await, Sum { sum: 1 });
    assert_eq!(client.expect_json::<Sum>().await, Sum { sum: 4 });
    client.expect_close(1000).await;
}

#[tokio::test]
async fn what_does_not_decode_closes_or_is_answered_as_the_route_says() {
    for policy in [DecodeErrors::Return, DecodeErrors::Close] {
        let mut client = host(Route::new("/", add).decode_errors(policy))
            .connect("/")
            .await;
        client.send_text(r#"{"left":1,"right":"x"}"#).await;
        let frame = client.expect_close(1007).await;
        assert!(frame.reason().contains("right"), "{}", frame.reason());

        let mut client = host(Route::new("/", add).decode_errors(policy))
            .connect("/")
            .await;
        client.send_binary(b"{}").await;
        client.expect_close(1003).await;
    }
    let answering = Route::new("/", add).decode_errors(DecodeErrors::Answer);
    let mut client = host(answering).connect("/").await;
    client.send_text("no json").await;
    let answer: serde_json::Value = client.expect_json().await;
    assert_eq!(answer["error"]["code"], "WHARF_INVALID_JSON");
    client.send_text(r#"{"left":2,"right":2}"#).await;
    assert_eq!(client.expect_json::<Sum>().await, Sum { sum: 4 });
}

#[tokio::test]
async fn the_answer_to_what_does_not_decode_is_the_routes() {
    let answer = |error: &wharf_sdk::Error, message: &Message| {
        let text = message.as_text().unwrap_or_default();
        Message::text(format!("{} {}", error.code(), text.len()))
    };
    let sums = async |mut socket: wharf_sdk::Typed<Vec<u32>, u32>| -> Result<()> {
        while let Some(numbers) = socket.read().await? {
            socket.write(&numbers.iter().sum()).await?;
        }
        Ok(())
    };
    let route = Route::new("/", sums).answer_with(answer);
    let mut client = host(route).connect("/").await;
    client.send_text("no json").await;
    client.expect_text("WHARF_INVALID_JSON 7").await;
    client.send_text("[1,2]").await;
    client.expect_text("3").await;
}

#[tokio::test]
async fn comforts_work_on_a_trait_object() {
    async fn shout(socket: &mut dyn WebSocket) -> Result<()> {
        while let Some(text) = socket.read_text().await? {
            socket.write_text(text.to_uppercase()).await?;
        }
        Ok(())
    }
    let route = Route::new("/", async |mut socket: Socket| shout(&mut socket).await);
    let mut client = host(route).connect("/").await;
    client.send_text("hey").await;
    client.expect_text("HEY").await;
}

#[derive(Deserialize)]
struct Paging {
    page: u32,
}

#[tokio::test]
async fn a_failed_extraction_is_a_4xx_before_the_upgrade() {
    let handler = async |Path(id): Path<u32>, Query(paging): Query<Paging>, mut socket: Socket| {
        socket.write(format!("{id}/{}", paging.page)).await
    };
    let host = host(Route::new("/items/{id}", handler));
    host.connect("/items/7?page=2")
        .await
        .expect_text("7/2")
        .await;
    let refused = host.connect("/items/x?page=2").expect_rejected(400).await;
    assert_eq!(refused.code().as_deref(), Some("WHARF_PATH_PARAMETER"));
    let refused = host.connect("/items/7?page=x").expect_rejected(400).await;
    assert_eq!(refused.code().as_deref(), Some("WHARF_QUERY"));
}

#[tokio::test]
async fn events_are_told_in_order_and_the_close_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = |told: &Arc<Mutex<Vec<String>>>, what: String| told.lock().unwrap().push(what);
    let [open, message, ping, close] = std::array::from_fn(|_| Arc::clone(&told));
    let events = Events::new()
        .on_open(move |_, ()| {
            note(&open, "open".into());
            async {}
        })
        .on_message(move |peer, came: Message| {
            note(&message, came.as_text().unwrap().to_owned());
            async move { peer.send("seen").await }
        })
        .on_ping(move |_, payload| {
            note(&ping, format!("ping {}", payload.len()));
            async {}
        })
        .on_close(move |_, outcome| {
            note(&close, format!("close {}", outcome.code));
            async {}
        });
    let mut client = host(Route::new("/", events)).connect("/").await;
    client.ping("12").await;
    client.send_text("hello").await;
    client.expect_text("seen").await;
    client.close(4000, "bye").await;
    client.expect_end().await;
    let told = told.lock().unwrap().clone();
    assert_eq!(told, ["open", "ping 2", "hello", "close 4000"]);
}

#[tokio::test]
async fn a_failing_callback_tells_on_error_and_on_close_once_each() {
    let closes = Arc::new(AtomicUsize::new(0));
    let errors = Arc::new(AtomicUsize::new(0));
    let (counted_closes, counted_errors) = (Arc::clone(&closes), Arc::clone(&errors));
    let events = Events::new()
        .on_message(|_, _| async { Err(wharf_sdk::Error::close(4001, "custom")) })
        .on_error(move |_, _| {
            counted_errors.fetch_add(1, Ordering::Relaxed);
            async {}
        })
        .on_close(move |_, _| {
            counted_closes.fetch_add(1, Ordering::Relaxed);
            async {}
        });
    let mut client = host(Route::new("/", events)).connect("/").await;
    client.send_text("").await;
    client.expect_close(4001).await;
    assert_eq!(
        (
            errors.load(Ordering::Relaxed),
            closes.load(Ordering::Relaxed)
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_socket_is_a_stream_and_a_sink() {
    async fn forward(mut socket: Socket) -> Result<()> {
        while let Some(message) = socket.next().await {
            socket.send(message?).await?;
        }
        Ok(())
    }
    let route = Route::new("/", forward).queue_bytes(8).queue_messages(2);
    let mut client = host(route).connect("/").await;
    for round in 0..100 {
        client.send_text(&format!("message {round}")).await;
        client.expect_text(&format!("message {round}")).await;
    }
}

#[tokio::test]
async fn combinators_of_futures_work() {
    async fn shout(socket: Socket) -> Result<()> {
        let (sink, stream) = StreamExt::split(socket);
        stream
            .try_filter_map(async |message| Ok(message.as_text().map(str::to_uppercase)))
            .map_ok(Message::from)
            .forward(sink)
            .await
    }
    let mut client = host(Route::new("/", shout)).connect("/").await;
    client.send_text("one").await;
    client.send_binary(b"not this").await;
    client.send_text("two").await;
    client.expect_text("ONE").await;
    client.expect_text("TWO").await;
    client.close(1000, "").await;
    client.expect_end().await;
}

#[tokio::test]
async fn a_split_socket_reads_and_writes_from_two_tasks() {
    async fn split(socket: Socket) -> Result<()> {
        let (mut reader, writer) = socket.split();
        let reading = tokio::spawn(async move {
            while let Some(Ok(message)) = reader.next().await {
                writer.send(message).await?;
            }
            Result::Ok(())
        });
        reading.await.unwrap()
    }
    let mut client = host(Route::new("/", split)).connect("/").await;
    client.send_text("over there").await;
    client.expect_text("over there").await;
    client.close(1000, "").await;
}

/// The handler has read the first of several in its turn when it hands the socket on.
#[tokio::test]
async fn a_socket_that_is_handed_on_takes_along_what_is_not_read() {
    async fn hand_on(mut socket: Socket) -> Result<()> {
        if let Some(first) = socket.read().await? {
            socket.write(first).await?;
        }
        let reading = tokio::spawn(async move {
            while let Some(message) = socket.read().await? {
                socket.write(message).await?;
            }
            Result::Ok(())
        });
        reading.await.unwrap()
    }
    let mut client = host(Route::new("/", hand_on)).connect("/").await;
    for round in 0..100 {
        client.send_text(&round.to_string()).await;
    }
    for round in 0..100 {
        client.expect_text(&round.to_string()).await;
    }
    client.close(1000, "").await;
    client.expect_end().await;
}

/// Another thread reads while the handler's turn lasts, which began with the first of several.
#[tokio::test]
async fn the_end_is_never_read_before_what_came_before_it() {
    async fn texts(mut socket: Socket) -> Result<String> {
        let first = socket.read().await?;
        let elsewhere = thread::scope(|scope| {
            let reading = scope.spawn(|| socket.read().now_or_never());
            reading.join().unwrap()
        });
        let mut read = vec![first];
        read.extend(elsewhere.transpose()?);
        while read.last().is_some_and(Option::is_some) {
            read.push(socket.read().await?);
        }
        let texts = read.iter().flatten().filter_map(Message::as_text);
        Ok(texts.collect())
    }
    let (tell, mut heard) = mpsc::unbounded_channel();
    let handler = move |socket: Socket| {
        let tell = tell.clone();
        async move {
            tell.send(texts(socket).await?).unwrap();
            Ok::<_, Error>(())
        }
    };
    let mut client = host(Route::new("/", handler)).connect("/").await;
    for text in ["1", "2", "3"] {
        client.send_text(text).await;
    }
    client.close(1000, "").await;
    assert_eq!(heard.recv().await.as_deref(), Some("123"));
}

#[tokio::test]
async fn select_loses_no_message() {
    async fn impatient(mut socket: Socket) -> Result<()> {
        loop {
            tokio::select! {
                biased;
                () = tokio::task::yield_now() => {}
                message = socket.read() => match message? {
                    Some(message) => socket.write(message).await?,
                    None => return Ok(()),
                },
            }
        }
    }
    let mut client = host(Route::new("/", impatient)).connect("/").await;
    for round in 0..100 {
        client.send_text(&round.to_string()).await;
    }
    for round in 0..100 {
        client.expect_text(&round.to_string()).await;
    }
}
