//! Writing from elsewhere.

use std::time::Duration;

use tokio::time::sleep;
use wharf_sdk::{
    Configure, Error, Message, Result, Route, SharedMessage, SlowClient, Socket, State,
};

use crate::{Host, Notes, Site, client::Frame};

/// A sender writes from another task while the handler reads.
pub async fn from_another_task(host: &dyn Host) {
    let ticks = async |mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        tokio::spawn(async move {
            for number in 0..10 {
                sleep(Duration::from_millis(5)).await;
                if sender.send(format!("tick {number}")).await.is_err() {
                    return;
                }
            }
        });
        while socket.read().await?.is_some() {}
        Ok(())
    };
    let site = Site::of(host, |app| app.route(Route::new("/ticks", ticks))).await;
    let mut client = site.open("/ticks").await;
    for number in 0..10 {
        client.expect_text(&format!("tick {number}")).await;
    }
    client.close().await;
}

/// Very many tasks that wait for room are served in the order in which they came.
pub async fn many_wait(host: &dyn Host) {
    const TASKS: usize = 2_000;
    let crowd = async |mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        sender.send("first").await?;
        for number in 0..TASKS {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(number.to_string()).await });
        }
        while socket.read().await?.is_some() {}
        Ok(())
    };
    let route = Route::new("/crowd", crowd).queue_messages(1);
    let site = Site::of(host, |app| app.route(route)).await;
    let mut client = site.open("/crowd").await;
    client.expect_text("first").await;
    let mut seen = vec![false; TASKS];
    for _ in 0..TASKS {
        let frame = client.recv().await.expect("a frame");
        let number: usize = frame.as_text().parse().expect("a number");
        assert!(!std::mem::replace(&mut seen[number], true), "sent twice");
    }
    client.close().await;
}

/// A message that many sockets are sent is the same for all, keeps its place among a session's
/// own, and waits for none of them.
pub async fn shared_with_others(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let shares = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        let small = SharedMessage::new("news");
        let large = SharedMessage::new(vec![7; 20_000]);
        while let Some(message) = socket.read().await? {
            socket.write(message).await?;
            for message in [&small, &large, &small] {
                notes.add(format!("{:?}", sender.try_send_shared(message)?));
            }
            let control = SharedMessage::new(Message::Ping("".into()));
            let refused = sender.try_send_shared(&control).expect_err("no data");
            notes.add(refused.code());
        }
        Ok(())
    };
    let route = Route::new("/shares", shares).queue_messages(3);
    let site = Site::of(host, |app| app.state(notes).route(route)).await;
    let mut client = site.open("/shares").await;
    for _ in 0..2 {
        client.send_text("own").await;
        client.expect_text("own").await;
        client.expect_text("news").await;
        client.expect_binary(&[7; 20_000]).await;
        for note in ["Queued", "Queued", "Dropped", "WHARF_CONTROL_WRITE"] {
            noted.expect(note).await;
        }
    }
    client.close().await;
}

/// `try_send` says at once that there is no room, in a typed error, under the waiting policy too.
pub async fn try_send(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let fills = async |State(notes): State<Notes>, socket: Socket| -> Result<()> {
        let sender = socket.sender();
        for _ in 0..3 {
            let result = sender.try_send("12345");
            notes.add(
                result
                    .err()
                    .map_or_else(|| "ok".to_owned(), |error| error.code().to_owned()),
            );
        }
        notes.add(sender.queued_bytes());
        Ok(())
    };
    let route = Route::new("/fill", fills)
        .queue_bytes(10)
        .max_outbound_message_bytes(10);
    let site = Site::of(host, |app| app.state(notes).route(route)).await;
    let mut client = site.open("/fill").await;
    for note in ["ok", "ok", "WHARF_BACKPRESSURE", "10"] {
        noted.expect(note).await;
    }
    client.expect_text("12345").await;
    client.expect_text("12345").await;
    client.expect_close(1000).await;
}

/// `send` waits for room, and goes on when there is some.
pub async fn send_waits(host: &dyn Host) {
    let sends = async |socket: Socket| -> Result<()> {
        let sender = socket.sender();
        for number in 0..50 {
            sender.send(format!("{number:010}")).await?;
        }
        Ok(())
    };
    let route = Route::new("/sends", sends)
        .queue_bytes(20)
        .max_outbound_message_bytes(20);
    let site = Site::of(host, |app| app.route(route)).await;
    let mut client = site.open("/sends").await;
    for number in 0..50 {
        client.expect_text(&format!("{number:010}")).await;
    }
    client.expect_close(1000).await;
}

/// Of several messages with one key only the latest that waits is sent; the others are counted.
pub async fn latest_of_a_key(host: &dyn Host) {
    let prices = async |mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        for price in 0..10 {
            sender.send_latest("a", format!("a costs {price}"))?;
            sender.send_latest("b", format!("b costs {price}"))?;
        }
        let dropped = socket.take_gap().map_or(0, |gap| gap.messages);
        socket.write(format!("dropped {dropped}")).await
    };
    let site = Site::of(host, |app| app.route(Route::new("/prices", prices))).await;
    let mut client = site.open("/prices").await;
    client.expect_text("a costs 9").await;
    client.expect_text("b costs 9").await;
    client.expect_text("dropped 18").await;
    client.expect_close(1000).await;
}

/// However full the queue is and whatever its policy, the latest value of a key has a place, up to
/// as many keys as there are places.
pub async fn latest_has_a_place(host: &dyn Host) {
    const KEYS: usize = 64;
    for policy in [
        SlowClient::Error,
        SlowClient::DropNewest,
        SlowClient::DropOldest,
    ] {
        let prices = async |socket: Socket| -> Result<()> {
            let sender = socket.sender();
            sender.try_send("full")?;
            for price in 0..3 {
                sender.send_latest("price", price.to_string())?;
            }
            for key in 1..KEYS {
                sender.send_latest(key.to_string(), "k")?;
            }
            let beyond = sender.send_latest("one more", "k");
            // Chatter finds no more room than before, and makes none where keys are.
            let _ = sender.try_send("chatter");
            let beyond = beyond.err().map_or("dropped", |_| "refused");
            socket.sender().flush().await;
            sender.send(beyond).await
        };
        let route = Route::new("/prices", prices)
            .slow_client(policy)
            .queue_messages(1);
        let site = Site::of(host, |app| app.route(route)).await;
        let mut client = site.open("/prices").await;
        if policy != SlowClient::DropOldest {
            client.expect_text("full").await;
        }
        client.expect_text("2").await;
        for _ in 1..KEYS {
            client.expect_text("k").await;
        }
        if policy == SlowClient::DropOldest {
            client.expect_text("chatter").await;
        }
        let beyond = match policy {
            SlowClient::Error => "refused",
            _ => "dropped",
        };
        client.expect_text(beyond).await;
        client.expect_close(1000).await;
    }
}

/// A handler that waits in `read` hears of a gap at once.
pub async fn gap_beside_a_read(host: &dyn Host) {
    let feed = async |mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        let gaps = sender.clone();
        loop {
            tokio::select! {
                Some(gap) = gaps.next_gap() => {
                    sender.flush().await;
                    sender.send(format!("missed {}", gap.messages)).await?;
                }
                message = socket.read() => {
                    if message?.is_none() {
                        break;
                    }
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        for _ in 0..5 {
                            sender.try_send("news")?;
                        }
                        Result::<()>::Ok(())
                    });
                }
            }
        }
        assert!(gaps.next_gap().await.is_none(), "the session has ended");
        Ok(())
    };
    let route = Route::new("/feed", feed)
        .slow_client(SlowClient::DropNewest)
        .queue_messages(2);
    let site = Site::of(host, |app| app.route(route)).await;
    let mut client = site.open("/feed").await;
    client.send_text("begin").await;
    let (mut news, mut missed) = (0, 0);
    // On several threads some of it may leave in between.
    while news + missed < 5 {
        match client.expect_any_text().await.strip_prefix("missed ") {
            Some(count) => missed += count.parse::<usize>().expect("a number"),
            None => news += 1,
        }
    }
    assert!(missed > 0 || news == 5);
    client.close().await;
}

/// What a policy drops is told as a gap, once.
pub async fn gaps(host: &dyn Host) {
    let drops = async |mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        for _ in 0..5 {
            sender.try_send("12345")?;
        }
        let gap = sender
            .take_gap()
            .ok_or_else(|| Error::close(4000, "no gap"))?;
        let again = sender.take_gap().is_some();
        socket.flush().await;
        socket
            .write(format!("{} {} {again}", gap.messages, gap.bytes))
            .await
    };
    let route = Route::new("/gap", drops)
        .slow_client(SlowClient::DropNewest)
        .queue_bytes(20)
        .max_outbound_message_bytes(20);
    let site = Site::of(host, |app| app.route(route)).await;
    let mut client = site.open("/gap").await;
    for _ in 0..4 {
        client.expect_text("12345").await;
    }
    client.expect_text("1 5 false").await;
    client.expect_close(1000).await;
}

/// A sender that outlives its session gets the typed error, and keeps nothing alive.
pub async fn outlives_the_session(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let leaves = async |State(notes): State<Notes>, socket: Socket| {
        let sender = socket.sender();
        tokio::spawn(async move {
            sender.closed().await;
            for result in [
                sender.send("late").await,
                sender.try_send("late"),
                sender.ping("late"),
            ] {
                let code = result.err().map(|error| error.code().to_owned());
                notes.add(code.unwrap_or_else(|| "ok".to_owned()));
            }
            sender.flush().await;
            notes.add("flushed");
        });
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/leaves", leaves))
    })
    .await;
    site.open("/leaves").await.expect_close(1000).await;
    for _ in 0..3 {
        noted.expect("WHARF_CLOSED").await;
    }
    noted.expect("flushed").await;
    site.expect_no_connections().await;
}

/// The sender half of a split socket writes while the other half is a stream of messages.
pub async fn split(host: &dyn Host) {
    use futures::StreamExt;
    let splits = async |socket: Socket| -> Result<()> {
        let (mut messages, sender) = socket.split();
        while let Some(message) = messages.next().await {
            sender.send(message?).await?;
        }
        Ok(())
    };
    let site = Site::of(host, |app| app.route(Route::new("/split", splits))).await;
    let mut client = site.open("/split").await;
    client.expect_echo("in halves").await;
    client.send(Frame::ping("x")).await;
    client.expect_pong(b"x").await;
    client.close().await;
}
