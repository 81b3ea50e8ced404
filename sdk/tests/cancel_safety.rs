//! What the "Cancel safety" sections promise, method by method: a future that is dropped halfway
//! loses nothing, and does nothing by halves.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{future::pending, time::Duration};

use futures::{SinkExt, StreamExt};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use wharf_sdk::{
    App, Configure, Extension, Message, Result, Route, Socket, State, Typed, WebSocket,
    WebSocketExt,
    middleware::from_fn,
    testing::{TestHost, TestSocket},
};

const TICK: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

async fn connect(route: Route) -> TestSocket {
    let app = App::builder().route(route).build().unwrap();
    TestHost::new(app).connect("/").await
}

/// Makes a future again and again, drops it after a tick, until one is ready.
macro_rules! impatiently {
    ($future:expr) => {
        loop {
            if let Ok(ready) = timeout(TICK, $future).await {
                break ready;
            }
        }
    };
}

/// A handler that reads impatiently and echoes.
macro_rules! reader {
    ($name:literal, $socket:ident: $Socket:ty, $read:expr, $echo:expr) => {
        (
            $name,
            Route::new("/", async |mut $socket: $Socket| {
                while let Some(message) = impatiently!($read)? {
                    $echo(&mut $socket, message).await?;
                }
                Result::<()>::Ok(())
            }),
        )
    };
}

#[tokio::test(start_paused = true)]
async fn a_dropped_read_loses_no_message() {
    async fn echo(socket: &mut Socket, message: impl Into<Message>) -> Result<()> {
        socket.write(message).await
    }
    let text = [
        reader!("Socket::read", socket: Socket, socket.read(), echo),
        reader!("WebSocket::read", socket: Socket, WebSocket::read(&mut socket), echo),
        reader!("WebSocketExt::read_text", socket: Socket, socket.read_text(), echo),
        reader!("WebSocketExt::read_json", socket: Socket, socket.read_json::<u32>(),
            async |socket: &mut Socket, number| echo(socket, format!("{number}")).await),
        reader!("Typed::read", socket: Typed<u32, u32>, socket.read(),
            async |socket: &mut Typed<u32, u32>, number| socket.write(&number).await),
        reader!("Stream::next", socket: Socket, async { socket.next().await.transpose() }, echo),
        (
            "the reader of Socket::split",
            Route::new("/", async |socket: Socket| {
                let (mut reader, sender) = socket.split();
                while let Some(message) = impatiently!(reader.next()) {
                    sender.send(message?).await?;
                }
                Result::<()>::Ok(())
            }),
        ),
    ];
    let binary = reader!("WebSocketExt::read_bytes", socket: Socket, socket.read_bytes(), echo);

    for (name, route) in text {
        println!("{name}");
        let mut client = connect(route).await;
        exchange(&mut client, 0x81, Message::text).await;
    }
    println!("{}", binary.0);
    let mut client = connect(binary.1).await;
    exchange(&mut client, 0x82, |text| Message::binary(text.into_bytes())).await;
}

/// Sends frames in two pieces, with time for several dropped reads between them, and expects all.
async fn exchange(client: &mut TestSocket, first: u8, message: impl Fn(String) -> Message) {
    for number in 0..20 {
        let payload = number.to_string();
        // The mask is all zeros.
        let head = [first, 0x80 | payload.len() as u8, 0, 0];
        client.send_raw(&head).await;
        sleep(3 * TICK).await;
        client.send_raw(&[0, 0]).await;
        client.send_raw(payload.as_bytes()).await;
        assert_eq!(client.next_message().await, Some(message(payload)));
    }
}

/// A handler that writes numbers until one has to wait, drops that one, and says how many it was.
macro_rules! writer {
    ($name:literal, $socket:ident: $Socket:ty, $text:ident => $write:expr) => {
        (
            $name,
            Route::new("/", async |#[allow(unused_mut)] mut $socket: $Socket| {
                let mut number = 0;
                loop {
                    let $text = format!("{number}:{}", "x".repeat(16 * 1024));
                    match timeout(SECOND, $write).await {
                        Ok(written) => written?,
                        Err(_) => break,
                    }
                    number += 1;
                }
                let $text = format!("end:{number}");
                $write.await?;
                pending::<Result<()>>().await
            }),
        )
    };
}

#[tokio::test(start_paused = true)]
async fn a_dropped_write_sends_nothing() {
    let writers = [
        writer!("Socket::write", socket: Socket, text => socket.write(text)),
        writer!("WebSocket::write_message", socket: Socket,
            text => socket.write_message(text.into())),
        writer!("WebSocketExt::write", socket: Box<dyn WebSocket>, text => socket.write(text)),
        writer!("WebSocketExt::write_text", socket: Socket, text => socket.write_text(text)),
        writer!("WebSocketExt::write_bytes", socket: Socket, text => socket.write_bytes(text)),
        writer!("WebSocketExt::write_json", socket: Socket, text => socket.write_json(&text)),
        writer!("Typed::write", socket: Typed<(), String>, text => socket.write(&text)),
        writer!("TypedSender::send", socket: Typed<(), String>,
            text => async { socket.sender().send(&text).await }),
        writer!("Sender::send", socket: Socket, text => async { socket.sender().send(text).await }),
    ];
    for (name, route) in writers {
        println!("{name}");
        let mut client = connect(route.queue_messages(4)).await;
        client.stop_reading();
        sleep(2 * SECOND).await;
        client.resume().await;
        let mut count = 0;
        loop {
            let message = client.next_message().await.unwrap();
            let text = match &message {
                Message::Text(text) => text.trim_matches('"'),
                Message::Binary(bytes) => std::str::from_utf8(bytes).unwrap(),
                other => panic!("{other:?}"),
            };
            match text.split_once(':').unwrap() {
                ("end", written) => {
                    assert!(
                        count > 0 && written == count.to_string(),
                        "{written} of {count}"
                    );
                    break;
                }
                (number, _) => assert_eq!(number, count.to_string()),
            }
            count += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_sink_took_leaves_in_order_even_if_the_next_write_is_no_sinks() {
    let route = Route::new("/", async |mut socket: Socket| {
        let mut fed = 0;
        while timeout(
            SECOND,
            socket.feed(format!("{fed}:{}", "x".repeat(16 * 1024)).into()),
        )
        .await
        .is_ok()
        {
            fed += 1;
        }
        socket.write(format!("end:{fed}")).await?;
        pending::<Result<()>>().await
    });
    let mut client = connect(route.queue_messages(4)).await;
    client.stop_reading();
    sleep(2 * SECOND).await;
    client.resume().await;
    for count in 0.. {
        let message = client.next_message().await.unwrap();
        let text = message.as_text().unwrap();
        if text.starts_with("end:") {
            assert_eq!(text, format!("end:{count}"));
            break;
        }
        assert!(
            text.starts_with(&format!("{count}:")),
            "{count}: {text:.10}"
        );
    }
}

/// A handler that begins to close, drops that, and does nothing more.
macro_rules! closer {
    ($name:literal, $socket:ident: $Socket:ty, $close:expr) => {
        (
            $name,
            Route::new("/", async |mut $socket: $Socket| {
                timeout(TICK, $close)
                    .await
                    .expect_err("the peer has not answered");
                pending::<Result<()>>().await
            }),
        )
    };
}

#[tokio::test(start_paused = true)]
async fn a_dropped_close_goes_on() {
    let closers = [
        closer!("Socket::close", socket: Socket, socket.close(1000, "")),
        closer!("WebSocketExt::close", socket: Box<dyn WebSocket>, socket.close(1000, "")),
        closer!("Typed::close", socket: Typed<(), ()>, socket.close(1000, "")),
        closer!("SinkExt::close", socket: Socket, SinkExt::close(&mut socket)),
    ];
    for (name, route) in closers {
        println!("{name}");
        let mut client = connect(route).await;
        client.stop_reading();
        sleep(SECOND).await;
        client.resume().await;
        client.expect_close(1000).await;
    }
}

/// A handler that waits impatiently for something and says when it came.
macro_rules! waiter {
    ($name:literal, $socket:ident => $wait:expr) => {
        (
            $name,
            Route::new(
                "/",
                async |State(done): State<mpsc::Sender<()>>,
                       #[allow(unused_mut)] mut $socket: Socket| {
                    // More than the connection takes while nobody reads.
                    $socket.write(vec![0; 512 * 1024]).await?;
                    impatiently!($wait);
                    let _ = done.send(()).await;
                    pending::<Result<()>>().await
                },
            ),
        )
    };
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_can_be_waited_again() {
    let waiters = [
        waiter!("Socket::flush", socket => socket.flush()),
        waiter!("Socket::closing", socket => socket.closing()),
        waiter!("Socket::closed", socket => socket.closed()),
        waiter!("Sender::flush", socket => async { socket.sender().flush().await }),
        waiter!("Sender::closing", socket => async { socket.sender().closing().await }),
        waiter!("Sender::closed", socket => async { socket.sender().closed().await }),
        waiter!("SinkExt::flush", socket => async { SinkExt::flush(&mut socket).await.unwrap() }),
    ];
    for (name, route) in waiters {
        println!("{name}");
        let (done, mut is_done) = mpsc::channel::<()>(1);
        let app = App::builder().state(done).route(route).build().unwrap();
        let mut client = TestHost::new(app).connect("/").await;
        client.stop_reading();
        assert!(timeout(SECOND, is_done.recv()).await.is_err(), "too early");
        client.resume().await;
        client.expect_binary(&[0; 512 * 1024]).await;
        client.close(1000, "").await;
        timeout(SECOND, is_done.recv())
            .await
            .expect("it came")
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_shutdown_keeps_refusing_and_can_be_waited_again() {
    let route = Route::new("/", async |mut socket: Socket| {
        while socket.read().await?.is_some() {}
        Result::<()>::Ok(())
    });
    let app = App::builder().route(route).build().unwrap();
    let host = TestHost::new(app.clone());
    let mut client = host.connect("/").await;
    client.stall();
    let handle = app.handle();
    timeout(TICK, handle.shutdown(SECOND))
        .await
        .expect_err("the client does not answer");
    host.connect("/").expect_rejected(503).await;
    client.resume().await;
    let report = impatiently!(handle.shutdown(SECOND));
    // It counts from the first one on, and the client answered none.
    assert_eq!((report.sessions, report.aborted), (1, 1));
    impatiently!(handle.wait_for_shutdown());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_upgrade_gives_back_what_it_holds() {
    let slow = from_fn(async |mut context, next| {
        context.insert(());
        sleep(SECOND).await;
        Ok(next.run(context).await)
    });
    let handler =
        async |Extension(()): Extension<()>, mut socket: Socket| socket.read().await.map(drop);
    let app = App::builder()
        .middleware(slow)
        .max_app_connections(1)
        .route(Route::new("/", handler));
    let app = app.build().unwrap();
    let host = TestHost::new(app.clone());
    for _ in 0..3 {
        timeout(TICK, host.connect("/").into_future())
            .await
            .expect_err("slow");
        assert_eq!(app.handle().connections(), 0);
    }
    host.connect("/").await.vanish();
}

#[tokio::test(start_paused = true)]
async fn a_test_clients_dropped_methods_lose_nothing() {
    async fn echo(mut socket: Socket) -> Result<()> {
        while let Some(message) = socket.read().await? {
            sleep(5 * TICK).await;
            socket.write(message).await?;
        }
        Ok(())
    }
    let mut client = connect(Route::new("/", echo)).await;
    for number in 0..20 {
        client.send_text(&number.to_string()).await;
    }
    for number in 0..20 {
        let message = match number % 4 {
            0 => impatiently!(client.next_frame()),
            1 => impatiently!(client.next_message()),
            2 => impatiently!(client.read()),
            _ => {
                timeout(3 * TICK, client.expect_silence(SECOND))
                    .await
                    .expect_err("dropped");
                Some(Message::text(client.expect_json::<u32>().await.to_string()))
            }
        };
        assert_eq!(message, Some(Message::text(number.to_string())));
    }

    // The server reads one message each five ticks: far more is sent than the pipe takes.
    let long = "x".repeat(100 * 1024);
    let sent = 10;
    for _ in 0..sent {
        let _ = timeout(Duration::ZERO, client.send_text(&long)).await;
    }
    for _ in 0..sent {
        client.expect_text(&long).await;
    }
    timeout(Duration::ZERO, client.close(4000, ""))
        .await
        .expect_err("not yet");
    client.close(4000, "").await;
    client.expect_end().await;
}
