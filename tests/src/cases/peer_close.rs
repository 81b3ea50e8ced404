//! The peer closes, or is gone.

use std::time::Duration;

use futures::future::join_all;
use wharf_sdk::{Configure, Error, Message, Result, Route, Socket, State};

use crate::{
    Host, Notes, Site,
    client::{Frame, opcode},
};

/// Every code that may be sent is answered with itself, and is the outcome.
pub async fn answered_with_its_code(host: &dyn Host) {
    let codes = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ];
    let site = &Site::fixture(host).await;
    join_all(codes.map(|code| async move {
        let mut client = site.open("/echo").await;
        client.expect_echo("hello").await;
        client.close_with(code, "the peer says bye").await;
    }))
    .await;
    let mut closed = site.events.wait_for("closed", codes.len()).await;
    closed.sort_by_key(|event| event.code);
    for (event, code) in closed.iter().zip(codes) {
        event.expect_outcome(code, true, "peer");
        assert_eq!(event.reason.as_deref(), Some("the peer says bye"));
    }
    assert!(site.events.of("failed").is_empty(), "a close is no failure");
}

/// A close without a code is answered without one; the outcome is 1005.
pub async fn without_a_code(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/echo").await;
    client.send(Frame::new(opcode::CLOSE, "")).await;
    let answer = client.recv().await.expect("the answer");
    assert_eq!(
        (answer.opcode, answer.payload.len()),
        (opcode::CLOSE, 0),
        "got {answer:?}"
    );
    client.expect_end().await;
    site.events
        .only("closed")
        .await
        .expect_outcome(1005, true, "peer");
}

/// What the handler writes to messages that came with the close leaves before the answer.
pub async fn queued_data_is_flushed(host: &dyn Host) {
    let answers = async |mut socket: Socket| -> Result<()> {
        while socket.read().await?.is_some() {
            for number in 0..100 {
                socket.write(number.to_string()).await?;
            }
        }
        Ok(())
    };
    let site = Site::of(host, |app| app.route(Route::new("/hundred", answers))).await;
    let mut client = site.open("/hundred").await;
    client
        .send_together([Frame::text("go"), Frame::close(1000, "")])
        .await;
    for number in 0..100 {
        client.expect_text(&number.to_string()).await;
    }
    client.expect_close_frame(1000).await;
    client.expect_end().await;
}

/// Data behind the peer's close is not delivered.
pub async fn data_behind_a_close(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/echo").await;
    client
        .send_together([Frame::close(1000, ""), Frame::text("late")])
        .await;
    client.expect_close_frame(1000).await;
    client.expect_end().await;
    assert_eq!(site.events.only("closed").await.messages_in, Some(0));
}

/// After the end, `read` says `None` and every write the same typed error, again and again.
pub async fn after_the_end(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/end", note_the_end))
    })
    .await;
    let mut client = site.open("/end").await;
    client.close_with(4321, "bye").await;
    noted.expect("read: none").await;
    noted.expect("read: none").await;
    noted.expect("write: WHARF_CLOSED closed").await;
    noted.expect("write: WHARF_CLOSED closed").await;
    noted.expect("ping: WHARF_CLOSED closed").await;
    noted.expect("sender: WHARF_CLOSED closed").await;
    noted.expect("close: ok").await;
    noted.expect("outcome: 4321 bye clean peer").await;
}

/// A connection that ends without a close frame reads as the end, and is noticed without a
/// heartbeat; the outcome is 1006, not clean.
pub async fn vanished(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        let route = Route::new("/end", note_the_end).no_heartbeat();
        app.state(notes).route(route)
    })
    .await;
    let mut client = site.open("/end").await;
    client.send(Frame::ping("")).await;
    client.expect_pong(b"").await;
    client.vanish();
    noted.expect("read: none").await;
    noted.expect("read: none").await;
    noted.expect("write: WHARF_CLOSED closed").await;
    site.events
        .only("closed")
        .await
        .expect_outcome(1006, false, "peer");
    assert!(
        site.events.of("failed").is_empty(),
        "peers vanish; it is no failure"
    );
}

/// The same in the middle of a frame, in the middle of a message, and when only the outbound half
/// of the connection ends.
pub async fn vanished_half_way(host: &dyn Host) {
    let site = &Site::fixture(host).await;
    let cuts = [
        Frame::text("cut off").to_bytes().slice(..1),
        Frame::text("cut off").to_bytes().slice(..9),
        Frame::text("to be continued").unfinished().to_bytes(),
    ];
    join_all(cuts.iter().map(|cut| async move {
        let mut client = site.open("/echo").await;
        client.send_raw(cut).await;
        client.vanish();
    }))
    .await;
    let mut client = site.open("/echo").await;
    client.half_close().await;
    client.expect_end().await;
    for event in site.events.wait_for("closed", 4).await {
        event.expect_outcome(1006, false, "peer");
    }
    site.expect_no_connections().await;
}

/// A handler that awaits the end instead of reading notices that the peer left.
pub async fn noticed_while_busy(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let busy = async |State(notes): State<Notes>, socket: Socket| {
        socket.closing().await;
        notes.add("closing");
        socket.closed().await;
        notes.add("closed");
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/busy", busy))
    })
    .await;
    let mut client = site.open("/busy").await;
    client.close().await;
    noted.expect("closing").await;
    noted.expect("closed").await;
    let mut client = site.open("/busy").await;
    client.vanish();
    noted.expect("closing").await;
    noted.expect("closed").await;
}

/// The server ends the connection itself once the closes are exchanged; the client need not.
pub async fn server_ends_the_connection(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    client.send(Frame::close(1000, "")).await;
    client.expect_close_frame(1000).await;
    let end = client.recv_within(Duration::from_secs(4)).await;
    assert_eq!(
        end,
        Some(None),
        "expected the end of the connection before the close timeout"
    );
}

async fn note_the_end(State(notes): State<Notes>, mut socket: Socket) -> Result<()> {
    while socket.read().await?.is_some() {}
    notes.add("read: none");
    if socket.read().await?.is_none() {
        notes.add("read: none");
    }
    // The peer's close may still be being answered; from here on it has been.
    socket.closed().await;
    let note = |what: &str, result: Result<()>| {
        let result = result.map_err(|error: Error| format!("{} {}", error.code(), error.kind()));
        notes.add(format!(
            "{what}: {}",
            result.err().unwrap_or_else(|| "ok".to_owned())
        ));
    };
    note("write", socket.write("late").await);
    note("write", socket.write(Message::binary("late")).await);
    note("ping", socket.ping("late"));
    note("sender", socket.sender().send("late").await);
    note("close", socket.close(1000, "").await);
    if let Some(outcome) = socket.outcome() {
        let clean = if outcome.clean { "clean" } else { "not clean" };
        let (code, reason, initiator) = (outcome.code, &outcome.reason, outcome.initiator);
        notes.add(format!("outcome: {code} {reason} {clean} {initiator}"));
    }
    Ok(())
}
