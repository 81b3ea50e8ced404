//! What only some drivers can do; the others say so politely.

use wharf_sdk::{Error, Message, Result, Route, Socket, State};

use crate::{
    Host, Notes, Site,
    client::{Frame, opcode},
};

/// `native` reaches the framework's own socket, through which a handler can send; where there is
/// none, it says so in a typed error, and the portable socket goes on.
pub async fn reaches_the_frameworks_socket(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/native").await;
    if !host.capabilities().native {
        client.expect_text("WHARF_NO_NATIVE").await;
        client.expect_echo("usable").await;
        return client.close().await;
    }
    assert_eq!(client.expect_ping().await, b"native");
    let name = client.expect_any_text().await;
    assert!(name.contains("::"), "{name:?} is the name of a type");
    client.send(Frame::pong("native")).await;
    client.expect_echo("usable").await;
    client.close().await;
}

/// What comes is read through the framework's own types, and what is written through them leaves.
pub async fn reads_through_it(host: &dyn Host) {
    let echo = host.native_echo();
    assert_eq!(
        echo.is_some(),
        host.capabilities().native,
        "native_echo is owed"
    );
    let Some(echo) = echo else { return };
    let site = Site::of(host, |app| {
        app.route(Route::new(
            "/native",
            move |mut socket: Socket| async move { echo(&mut socket).await },
        ))
    })
    .await;
    let mut client = site.open("/native").await;
    // What comes before it waits is the portable socket's.
    client.expect_text("ready").await;
    client.expect_echo("through the framework").await;
    client.expect_close(1000).await;
}

/// Asking for another type than the framework's is a typed error, and the socket goes on.
pub async fn of_another_type(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let asks = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        let refused: Option<Error> = socket.native_as::<String>().await.err();
        notes.add(refused.map_or_else(String::new, |error| error.code().to_owned()));
        crate::fixture::echo_on(&mut socket).await
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/native", asks))
    })
    .await;
    let mut client = site.open("/native").await;
    noted.expect("WHARF_NO_NATIVE").await;
    client.expect_echo("usable").await;
    client.close().await;
}

/// A frame without a name in the protocol is read as an unknown message where the driver lets such
/// frames through, in its place among the others, between the fragments of a message too; where it
/// does not, it is a violation. It is never dropped in silence.
pub async fn unknown_is_delivered(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let reads = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        while let Some(message) = socket.read().await? {
            match message {
                Message::Unknown(frame) => notes.add(format!("unknown {:?}", frame.payload)),
                message => notes.add(message.kind()),
            }
        }
        notes.add("end");
        Ok(())
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/read", reads))
    })
    .await;
    let mut client = site.open("/read").await;
    client
        .send_together([Frame::text("x"), Frame::new(11, "what"), Frame::text("y")])
        .await;
    noted.expect("text").await;
    if host.capabilities().unknown_frames {
        noted.expect("unknown b\"what\"").await;
        noted.expect("text").await;
        for opcode in (3..=7).chain(11..=15) {
            let unnamed = Frame::new(opcode, format!("is {opcode}"));
            let frames = [
                Frame::text("a").unfinished(),
                unnamed,
                Frame::continuation("b"),
            ];
            client.send_together(frames).await;
            noted.expect(&format!("unknown b\"is {opcode}\"")).await;
            noted.expect("text").await;
        }
        client.close().await;
        let closed = site.events.only("closed").await;
        assert_eq!(closed.messages_in, Some(23), "unknown messages count");
    } else {
        let frame = client.recv().await.expect("a close");
        assert_eq!(
            (frame.opcode, frame.close_code_and_reason().0),
            (opcode::CLOSE, 1002)
        );
    }
    noted.expect("end").await;
}
