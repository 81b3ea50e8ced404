//! Handlers that are written on the trait, which is what they are to be written on.

use std::time::Duration;

use wharf_sdk::{
    Configure, Context, Json, Message, Result, Route, SlowClient, Socket, State, Typed, WebSocket,
    WebSocketExt,
};

use crate::{Host, Notes, Site, client::Frame};

/// The fixture's `/trait`: what it is on, echo, a ping and a close through `Box<dyn WebSocket>`.
pub async fn says_what_it_is_on(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let native = match host.capabilities().native {
        true => "yes",
        false => "no",
    };
    let mut client = site.open("/trait").await;
    let hello = format!("subprotocol:none native:{native}");
    client.expect_text(&hello).await;
    client.expect_echo("through the trait").await;
    client.send_text("ping").await;
    assert_eq!(client.expect_ping().await, b"trait");
    client.send(Frame::pong("trait")).await;
    client.send_text("bye").await;
    assert_eq!(client.expect_close(4100).await, "trait");
    let closed = site.events.only("closed").await;
    closed.expect_outcome(4100, true, "handler");
}

/// Every method of the trait and of what extends it, called through a trait object, does what the
/// socket's own does.
pub async fn every_method(host: &dyn Host) {
    async fn serve(notes: Notes, socket: &mut dyn WebSocket) -> Result<()> {
        let sender = socket.sender();
        assert_eq!(socket.id(), sender.id());
        assert_eq!(socket.info().pattern(), "/dyn");
        assert_eq!(socket.limits().queue_messages, 4);
        assert_eq!(socket.subprotocol(), None);
        assert!(!socket.is_closing());
        socket.ping("p")?;
        assert!(socket.ping(vec![0; 126]).is_err(), "a ping of 126 bytes");
        socket.write("text").await?;
        socket.write_text("write_text").await?;
        socket.write_bytes(&b"write_bytes"[..]).await?;
        socket.write_json(&[1, 2]).await?;
        socket.flush().await;
        let refused = socket.write(Message::Ping("x".into())).await;
        assert_eq!(
            refused.expect_err("a control frame").code(),
            "WHARF_CONTROL_WRITE"
        );
        assert_eq!(socket.read_text().await?.as_deref(), Some("text"));
        assert_eq!(socket.read_bytes().await?.as_deref(), Some(&b"bytes"[..]));
        assert_eq!(socket.read_json::<[u8; 2]>().await?, Some([3, 4]));
        for number in 0..6 {
            socket.write(number.to_string()).await?;
        }
        let gap = socket.take_gap().expect("a queue of four dropped two");
        assert_eq!(gap.messages, 2);
        socket.flush().await;
        let has_native = socket.native().await.is_ok();
        notes.add(format!("native {has_native}"));
        assert!(socket.native_as::<()>().await.is_err(), "no driver's type");
        let closing = socket.closing();
        // Made here, since a task that begins when the session is over is dropped unpolled.
        let ends_with_the_session = Noted(notes.clone());
        socket.spawn(async move {
            let _held = ends_with_the_session;
            std::future::pending().await
        });
        let refused = socket.close(1006, "").await;
        assert_eq!(refused.expect_err("1006").code(), "WHARF_CLOSE_CODE");
        socket.close(4000, "through the trait").await?;
        closing.await;
        socket.closed().await;
        assert!(socket.is_closing());
        assert!(socket.read().await?.is_none());
        notes.add("all of them");
        Ok(())
    }
    struct Noted(Notes);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.add("the spawned task ended");
        }
    }
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        let handler = async |State(notes): State<Notes>, mut socket: Box<dyn WebSocket>| {
            serve(notes, &mut *socket).await
        };
        let route = Route::new("/dyn", handler)
            .queue_messages(4)
            .slow_client(SlowClient::DropOldest);
        app.state(notes).route(route)
    })
    .await;
    let mut client = site.open("/dyn").await;
    assert_eq!(client.expect_ping().await, b"p");
    client.expect_text("text").await;
    client.expect_text("write_text").await;
    client.expect_binary(b"write_bytes").await;
    client.expect_text("[1,2]").await;
    client.send_text("text").await;
    client.send(Frame::binary("bytes")).await;
    client.send_text("[3,4]").await;
    for number in 2..6 {
        client.expect_text(&number.to_string()).await;
    }
    assert_eq!(client.expect_close(4000).await, "through the trait");
    noted
        .expect(&format!("native {}", host.capabilities().native))
        .await;
    let mut told = [noted.next().await, noted.next().await];
    told.sort();
    assert_eq!(told, ["all of them", "the spawned task ended"]);
}

/// A handler takes it boxed or borrowed, behind other arguments or alone, and passes it on as
/// `impl WebSocket`.
pub async fn however_it_is_taken(host: &dyn Host) {
    async fn boxed(socket: Box<dyn WebSocket>) -> Result<()> {
        echo(socket).await
    }
    async fn borrowed(socket: &mut dyn WebSocket) -> Result<()> {
        echo(socket).await
    }
    async fn borrowed_behind(_: Context, socket: &mut dyn WebSocket) -> Result<()> {
        echo(socket).await
    }
    async fn echo(mut socket: impl WebSocket) -> Result<()> {
        while let Some(message) = socket.read().await? {
            socket.write(message).await?;
        }
        Ok(())
    }
    let site = Site::of(host, |app| {
        app.route(Route::new("/boxed", boxed))
            .route(Route::new("/borrowed", borrowed))
            .route(Route::new("/borrowed-behind", borrowed_behind))
            .route(Route::new("/generic", async |socket: Socket| {
                echo(socket).await
            }))
    })
    .await;
    for path in ["/boxed", "/borrowed", "/borrowed-behind", "/generic"] {
        let mut client = site.open(path).await;
        client.expect_echo(path).await;
        client.close().await;
    }
}

/// `Typed` stands over a trait object as over a socket, and says what the socket says.
pub async fn typed(host: &dyn Host) {
    async fn double(socket: Box<dyn WebSocket>) -> Result<()> {
        let mut numbers: Typed<u32, u32, Json, _> = Typed::over(socket);
        assert_eq!(numbers.info().pattern(), "/double");
        assert_eq!(numbers.id(), numbers.sender().sender().id());
        assert!(numbers.take_gap().is_none());
        let closing = numbers.closing();
        while let Some(number) = numbers.read().await? {
            numbers.write(&(number * 2)).await?;
            numbers.flush().await;
            if number == 0 {
                numbers.close(4000, "nothing").await?;
            }
        }
        closing.await;
        Ok(())
    }
    let site = Site::of(host, |app| app.route(Route::new("/double", double))).await;
    let mut client = site.open("/double").await;
    client.send_text("21").await;
    client.expect_text("42").await;
    client.send_text("0").await;
    client.expect_text("0").await;
    client.expect_close(4000).await;
}

/// Comforts tell a message of a kind that the protocol does not name as any other that they did not
/// ask for: it is not passed over in silence.
pub async fn unknown_is_told(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    async fn reads(State(notes): State<Notes>, mut socket: Box<dyn WebSocket>) -> Result<()> {
        let error = socket.read_text().await.expect_err("an unknown kind");
        notes.add(error.code());
        let error = socket.read_json::<u8>().await.expect_err("an unknown kind");
        notes.add(error.code());
        let mut typed: Typed<u8, u8, Json, _> = Typed::over(socket);
        let error = typed.read().await.expect_err("an unknown kind");
        notes.add(error.code());
        Ok(())
    }
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/reads", reads))
    })
    .await;
    if !host.capabilities().unknown_frames {
        return;
    }
    let mut client = site.open("/reads").await;
    client
        .send_together([11, 3, 12].map(|opcode| Frame::new(opcode, "what")))
        .await;
    for _ in 0..3 {
        noted.expect("WHARF_WRONG_KIND").await;
    }
    tokio::time::timeout(Duration::from_secs(5), client.expect_close(1000))
        .await
        .expect("a close");
}
