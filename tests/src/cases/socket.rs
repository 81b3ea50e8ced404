//! Futures that are dropped half-way.

use std::time::Duration;

use tokio::{select, time::sleep};
use wharf_sdk::{Configure, Message, Result, Route, Socket};

use crate::{Host, Site, client::Frame};

/// `read` is cancel-safe: a `select!` that drops it again and again loses nothing.
pub async fn cancelled_reads_lose_nothing(host: &dyn Host) {
    const MESSAGES: usize = 300;
    let selects = async |mut socket: Socket| -> Result<()> {
        loop {
            select! {
                biased;
                () = tokio::task::yield_now() => {}
                message = socket.read() => match message? {
                    Some(message) => socket.write(message).await?,
                    None => return Ok(()),
                },
                () = sleep(Duration::from_micros(50)) => {}
            }
        }
    };
    let site = Site::of(host, |app| app.route(Route::new("/select", selects))).await;
    let mut client = site.open("/select").await;
    for number in 0..MESSAGES {
        let bytes = Frame::text(number.to_string()).to_bytes();
        let (head, tail) = bytes.split_at(number % bytes.len());
        client.send_raw(head).await;
        tokio::task::yield_now().await;
        client.send_raw(tail).await;
    }
    for number in 0..MESSAGES {
        client.expect_text(&number.to_string()).await;
    }
    client.close().await;
}

/// `write` is atomic: a message whose future is dropped while it waits for room is sent whole or
/// not at all, and one that was accepted is sent.
pub async fn cancelled_writes_are_atomic(host: &dyn Host) {
    const MESSAGE_BYTES: usize = 64 * 1024;
    let gives_up = async |mut socket: Socket| -> Result<()> {
        let mut accepted = Vec::new();
        for number in 0..1000u32 {
            let mut payload = vec![0; MESSAGE_BYTES];
            payload[..4].copy_from_slice(&number.to_be_bytes());
            select! {
                biased;
                result = socket.write(payload) => {
                    result?;
                    accepted.push(number);
                }
                () = sleep(Duration::from_millis(1)) => {}
            }
        }
        socket.flush().await;
        let accepted = accepted.iter().flat_map(|number| number.to_be_bytes());
        socket
            .write(Message::binary(accepted.collect::<Vec<_>>()))
            .await
    };
    let route = Route::new("/impatient", gives_up)
        .queue_bytes(4 * MESSAGE_BYTES)
        .max_outbound_message_bytes(4 * MESSAGE_BYTES)
        .write_deadline(Duration::from_secs(60));
    let site = Site::of(host, |app| app.route(route)).await;
    let mut client = site.open("/impatient").await;
    // Long enough for the kernel's buffers to fill and the writes to wait.
    sleep(Duration::from_millis(500)).await;
    let mut came = Vec::new();
    loop {
        let frame = client.recv().await.expect("a message");
        if frame.payload.len() != MESSAGE_BYTES {
            let accepted: Vec<u8> = came;
            assert!(
                frame.payload == accepted,
                "what came is not what was accepted"
            );
            break;
        }
        came.extend_from_slice(&frame.payload[..4]);
    }
    client.expect_close(1000).await;
}

/// Handlers and senders can be moved to any task: a socket is `Send` on every driver.
pub async fn moved_to_another_task(host: &dyn Host) {
    let moves = async |mut socket: Socket| -> Result<()> {
        let echo = tokio::spawn(async move { crate::fixture::echo_on(&mut socket).await });
        echo.await.unwrap_or(Ok(()))
    };
    let site = Site::of(host, |app| app.route(Route::new("/moved", moves))).await;
    let mut client = site.open("/moved").await;
    for number in 0..50 {
        client.expect_echo(&number.to_string()).await;
    }
    client.close().await;
}

/// `closing` and `closed` may be awaited beside `read` and lose nothing either.
pub async fn closing_beside_read(host: &dyn Host) {
    let selects = async |mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        loop {
            select! {
                () = sender.closing() => return Ok(()),
                message = socket.read() => match message? {
                    Some(message) => socket.write(message).await?,
                    None => return Ok(()),
                },
            }
        }
    };
    let site = Site::of(host, |app| app.route(Route::new("/select", selects))).await;
    let mut client = site.open("/select").await;
    client
        .send_together((0..100).map(|number| Frame::text(number.to_string())))
        .await;
    for number in 0..100 {
        client.expect_text(&number.to_string()).await;
    }
    client.close().await;
}
