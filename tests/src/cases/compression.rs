//! permessage-deflate, where the driver has it; where it has not, nothing is agreed on.

use std::time::Duration;

use futures::future::join_all;
use wharf_sdk::{
    App, Compression, Configure, Group, Message, Observer, Result, Route, SessionInfo, Socket,
    State, observer::Closed,
};

use crate::{
    Client, Host, Notes, Request, Site,
    client::{Frame, opcode},
    fixture::echo,
};

const OFFER: &str = "permessage-deflate; client_max_window_bits";
pub(super) const DEFLATED: u8 = 4;

pub(super) fn offering(path: &str, lines: &[&str]) -> Request {
    lines.iter().fold(Request::upgrade(path), |request, line| {
        request.with("Sec-WebSocket-Extensions", *line)
    })
}

/// A request that offers compression as browsers do.
pub(super) fn offer(path: &str) -> Request {
    offering(path, &[OFFER])
}

/// Connects and agrees on compression; nothing where the driver has none, and says so.
pub(super) async fn open(host: &dyn Host, site: &Site, path: &str) -> Option<Client> {
    let client = site.open_with(offer(path)).await;
    let agreed = client.headers.contains_key("sec-websocket-extensions");
    assert_eq!(agreed, host.capabilities().compression);
    agreed.then_some(client)
}

/// Rows that are alike, as compressors like them.
pub(super) fn rows(bytes: usize) -> String {
    let mut text = String::new();
    for id in 0u64.. {
        if text.len() >= bytes {
            break;
        }
        let seed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        text.push_str(&format!("{{\"id\":{id},\"value\":{seed}}},"));
    }
    text.truncate(bytes);
    text
}

/// Bytes that do not compress.
pub(super) fn noise(bytes: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| rng.u8(..)).take(bytes).collect()
}

/// Compressed and plain messages, fragments and empty ones, all come through; what is worth it
/// leaves compressed, in order.
pub async fn both_ways(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let forgets = Compression::new().threshold_bytes(64);
        let remembers = forgets.takeover(true);
        app.route(Route::new("/forgets", echo).compression(forgets))
            .route(Route::new("/remembers", echo).compression(remembers))
    })
    .await;
    for path in ["/forgets", "/remembers"] {
        let Some(mut client) = open(host, &site, path).await else {
            return;
        };
        let large = rows(300_000);
        for text in ["", "short", &rows(100), &rows(5_000), &large, &rows(5_000)] {
            client.send_deflated(opcode::TEXT, text.as_bytes()).await;
            client.expect_text(text).await;
            assert_eq!(client.was_deflated(), text.len() >= 64, "{}", text.len());
            client.expect_echo(text).await;
        }
        // Another level of the format: what does not get smaller goes as it is.
        for bytes in [noise(1_000), noise(100_000)] {
            client.send_deflated(opcode::BINARY, &bytes).await;
            client.expect_binary(&bytes).await;
            assert!(!client.was_deflated(), "noise was compressed");
        }
        let deflated = client.deflate(large.as_bytes());
        let (head, tail) = deflated.split_at(deflated.len() / 2);
        let frames = [
            Frame::new(opcode::TEXT, head.to_vec())
                .reserved(DEFLATED)
                .unfinished(),
            Frame::ping("between"),
            Frame::continuation("").unfinished(),
            Frame::continuation(tail.to_vec()),
            Frame::text("behind"),
        ];
        client.send_together(frames).await;
        client.expect_pong(b"between").await;
        client.expect_text(&large).await;
        client.expect_text("behind").await;
        client.close().await;
    }
}

/// With context takeover, what was said before makes the same smaller; without, it does not.
pub async fn takeover(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for (path, shrinks) in [("/deflate", false), ("/deflate-takeover", true)] {
        let Some(mut client) = open(host, &site, path).await else {
            return;
        };
        let text = rows(1_000);
        let mut sizes = Vec::new();
        for _ in 0..3 {
            client.send_deflated(opcode::TEXT, text.as_bytes()).await;
            client.expect_text(&text).await;
            sizes.push(client.deflated_bytes().expect("compressed"));
        }
        assert_eq!(sizes[1] * 4 < sizes[0], shrinks, "{sizes:?}");
        assert_eq!(sizes[2] * 4 < sizes[0], shrinks, "{sizes:?}");
        client.close().await;
    }
}

/// What other implementations send: a last block, nothing at all, stored blocks.
pub async fn unusual_streams(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let Some(mut client) = open(host, &site, "/deflate").await else {
        return;
    };
    // RFC 7692 §7.2.3.
    let streams: [(&[u8], &str); 6] = [
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"),
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], "Hello"),
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"),
        (
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            "Hello",
        ),
        (&[0x00], ""),
        (&[], ""),
    ];
    for (stream, text) in streams {
        let frame = Frame::new(opcode::TEXT, stream.to_vec()).reserved(DEFLATED);
        client.send(frame).await;
        client.expect_text(text).await;
    }
    client.close().await;
}

/// The limit is on what a message inflates to, while it does, whatever the ratio: one byte too
/// many is 1009. Over fragments, and over a context that is kept, too.
pub async fn bombs(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let kept = Compression::new().takeover(true);
        app.route(
            Route::new("/small", echo)
                .compression(kept)
                .max_message_bytes(1024),
        )
        .route(
            Route::new("/large", echo)
                .compression(kept)
                .max_message_bytes(100_000),
        )
    })
    .await;
    let Some(mut client) = open(host, &site, "/small").await else {
        return;
    };
    let exact = "x".repeat(1024);
    client.send_deflated(opcode::TEXT, exact.as_bytes()).await;
    client.expect_text(&exact).await;
    client.send_deflated(opcode::TEXT, &[b'x'; 1025]).await;
    client.expect_close(1009).await;

    let zeros = vec![0; 64 << 20];
    let Some(mut maker) = open(host, &site, "/large").await else {
        return;
    };
    // Takes so long that nobody who is to be sent it waits for it: they would be pinged.
    let bomb = maker.deflate(&zeros);
    drop(maker);
    assert!(bomb.len() < 100_000);
    for path in ["/small", "/large"] {
        let Some(mut client) = open(host, &site, path).await else {
            return;
        };
        // Its announcement alone may be too much for a small limit.
        client
            .send(Frame::new(opcode::BINARY, bomb.clone()).reserved(DEFLATED))
            .await;
        client.expect_close(1009).await;
    }

    // Many messages that each stay within, over one context: each is counted by itself.
    let Some(mut client) = open(host, &site, "/large").await else {
        return;
    };
    for _ in 0..5 {
        client
            .send_deflated(opcode::BINARY, &zeros[..100_000])
            .await;
        client.expect_binary(&zeros[..100_000]).await;
    }
    let bomb = client.deflate(&zeros[..1 << 20]);
    let mut frames: Vec<_> = bomb
        .chunks(40)
        .map(|piece| Frame::continuation(piece.to_vec()).unfinished())
        .collect();
    frames[0].opcode = opcode::BINARY;
    frames[0].rsv = DEFLATED;
    client.send_together(frames).await;
    client.expect_close(1009).await;
    let failed = site.events.of("failed");
    assert!(
        failed
            .iter()
            .all(|event| event.error.as_deref() == Some("WHARF_MESSAGE_TOO_LARGE"))
    );
}

/// Blocks that inflate to nothing, and fragments without an end: 1009.
pub async fn endless(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let Some(mut client) = open(host, &site, "/deflate-limit").await else {
        return;
    };
    let nothing = [0, 0, 0, 0xFF, 0xFF].repeat(1_000);
    let mut frame = Frame::binary(nothing.clone())
        .reserved(DEFLATED)
        .unfinished();
    for _ in 0..20 {
        client.send(frame).await;
        frame = Frame::continuation(nothing.clone()).unfinished();
    }
    client.expect_close(1009).await;

    let Some(mut client) = open(host, &site, "/deflate-limit").await else {
        return;
    };
    let start = Frame::binary("").reserved(DEFLATED).unfinished();
    let more = std::iter::repeat_n(Frame::continuation("").unfinished(), 5_000);
    client
        .send_together(std::iter::once(start).chain(more))
        .await;
    client.expect_close(1009).await;
    let failed = site.events.of("failed");
    failed[1].expect_error("WHARF_TOO_MANY_FRAGMENTS", "session");
}

/// Text is checked as it is inflated: a bad byte is 1007 before the message is complete.
pub async fn utf8(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let Some(mut client) = open(host, &site, "/deflate").await else {
        return;
    };
    let bad = client.deflate(b"good, good, good, \xff and more");
    let frame = Frame::new(opcode::TEXT, bad)
        .reserved(DEFLATED)
        .unfinished();
    client.send(frame).await;
    client.expect_close(1007).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_INVALID_UTF8", "session");
}

/// Bytes that do not inflate, and a message that ends inside a block: 1007. The neighbours live.
pub async fn damage(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let Some(mut neighbour) = open(host, &site, "/deflate").await else {
        return;
    };
    let mut streams = vec![vec![0xFF; 20], vec![0x07], noise(200)];
    let whole = neighbour.deflate(rows(3_000).as_bytes());
    streams.push(whole[..whole.len() / 2].to_vec());
    // What does not go back as far as this goes back too far.
    streams.push(vec![0x4a, 0x04, 0xe2]);
    let count = streams.len();
    join_all(streams.into_iter().map(|stream| async {
        let mut client = open(host, &site, "/deflate").await.expect("as before");
        client
            .send(Frame::new(opcode::BINARY, stream).reserved(DEFLATED))
            .await;
        client.expect_close(1007).await;
    }))
    .await;
    let failed = site.events.of("failed");
    assert_eq!(failed.len(), count);
    for event in failed {
        event.expect_error("WHARF_INVALID_DEFLATE", "session");
    }
    neighbour.expect_echo(&rows(500)).await;
    neighbour.close().await;
}

/// Messages of all sizes leave in the order in which they were written, and pongs between them.
pub async fn order(host: &dyn Host) {
    let writes = async |mut socket: Socket| -> Result<()> {
        for bytes in [10, 400_000, 2_000, 30, 150_000, 70_000, 1_000] {
            socket.write(rows(bytes)).await?;
        }
        Ok(())
    };
    let site = Site::of(host, |app| {
        app.route(Route::new("/writes", writes).compression(Compression::new()))
    })
    .await;
    let Some(mut client) = open(host, &site, "/writes").await else {
        return;
    };
    for bytes in [10, 400_000, 2_000, 30, 150_000, 70_000, 1_000] {
        client.expect_text(&rows(bytes)).await;
    }
    client.expect_close(1000).await;
}

/// Counts tell payloads and what went over the connection.
pub async fn counts(host: &dyn Host) {
    struct Counted(Notes);
    impl Observer for Counted {
        fn closed(&self, _: &SessionInfo, closed: &Closed<'_>) {
            let counts = closed.counts;
            assert_eq!((counts.bytes_in, counts.bytes_out), (20_000, 20_000));
            self.0.add(format!(
                "{} {}",
                counts.wire_bytes_in, counts.wire_bytes_out
            ));
        }
    }
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        app.observer(Counted(notes))
            .route(Route::new("/deflate", echo).compression(Compression::new()))
    })
    .await;
    let mut client = site.open_with(offering("/deflate", &[OFFER])).await;
    if host.capabilities().compression {
        let text = rows(20_000);
        client.send_deflated(opcode::TEXT, text.as_bytes()).await;
        client.expect_text(&text).await;
    } else {
        client.expect_echo(&rows(20_000)).await;
    }
    client.close().await;
    let line = noted.next().await;
    let wire: Vec<u64> = line
        .split(' ')
        .map(|n| n.parse().expect("a number"))
        .collect();
    for bytes in wire {
        assert_eq!(bytes < 10_000, host.capabilities().compression, "{line}");
        assert!(bytes > 100, "{line}");
    }
}

/// `native` is handed inflated frames, and what it sends is not touched.
pub async fn native(host: &dyn Host) {
    if !host.capabilities().native {
        // `native::reaches_the_frameworks_socket` has the refusal.
        return;
    }
    let ping = host.native_ping();
    let asks = move |mut socket: Socket| async move {
        socket.native().await?;
        if let Some(ping) = ping {
            ping(&mut socket).await?;
        }
        echo(socket).await
    };
    let site = Site::of(host, |app| {
        app.route(Route::new("/native", asks).compression(Compression::new().threshold_bytes(64)))
    })
    .await;
    let Some(mut client) = open(host, &site, "/native").await else {
        return;
    };
    assert_eq!(client.expect_ping().await, b"native");
    let text = rows(500);
    client.send_deflated(opcode::TEXT, text.as_bytes()).await;
    client.expect_text(&text).await;
    assert!(client.was_deflated());
    client.close().await;
}

/// A compressed message that is read through the framework's own types is what was said, whole or
/// in fragments, with what was said before or without; and the portable socket reads on behind it
/// in the same context.
pub async fn native_reads(host: &dyn Host) {
    let echo = host.native_echo();
    assert_eq!(
        echo.is_some(),
        host.capabilities().native,
        "native_echo is owed"
    );
    // `native::reaches_the_frameworks_socket` has the refusal.
    let Some(native_echo) = echo else { return };
    let asks = move |mut socket: Socket| async move {
        // Said to the portable socket: what comes behind may refer to it.
        let first = socket.read().await?;
        socket.write(first.expect("a message")).await?;
        native_echo(&mut socket).await
    };
    let site = Site::of(host, |app| {
        let forgets = Compression::new().threshold_bytes(64);
        app.route(Route::new("/forgets", asks).compression(forgets))
            .route(Route::new("/remembers", asks).compression(forgets.takeover(true)))
    })
    .await;
    for path in ["/forgets", "/remembers"] {
        for is_whole in [true, false] {
            let Some(mut client) = open(host, &site, path).await else {
                return;
            };
            let text = rows(3_000);
            client.send_deflated(opcode::TEXT, text.as_bytes()).await;
            client.expect_text(&text).await;
            client.expect_text("ready").await;
            let deflated = client.deflate(text.as_bytes());
            let (head, tail) = deflated.split_at(match is_whole {
                true => deflated.len(),
                false => deflated.len() / 2,
            });
            let first = Frame::new(opcode::TEXT, head.to_vec()).reserved(DEFLATED);
            match is_whole {
                true => client.send(first).await,
                false => {
                    let rest = Frame::continuation(tail.to_vec());
                    client.send_together([first.unfinished(), rest]).await;
                }
            }
            client.expect_text(&text).await;
            client.expect_close(1000).await;
        }
    }
}

/// An app, a group or a route says so; `None` takes it back; the snapshot tells.
pub async fn policy(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let off = Group::new("/off")
            .compression(None)
            .route(Route::new("/inherits", echo))
            .route(Route::new("/again", echo).compression(Compression::new()));
        app.compression(Compression::new())
            .route(Route::new("/on", echo))
            .group(off)
    })
    .await;
    for route in site.app.routes() {
        let answer = site
            .request(offering(&route.pattern, &[OFFER]))
            .await
            .expect(101);
        let agreed = answer.header("sec-websocket-extensions").is_some();
        assert_eq!(agreed, route.compression && host.capabilities().compression);
        assert_eq!(route.compression, route.pattern != "/off/inherits");
    }
}

/// Settings that make no sense are refused when the app is built.
pub async fn contradictions(_: &dyn Host) {
    let on = Compression::new;
    for (wrong, named) in [
        (on().level(0), "level"),
        (on().level(10), "level"),
        (on().memory_level(0), "memory_level"),
        (on().window_bits(8), "outbound_window_bits"),
        (on().inbound_window_bits(16), "inbound_window_bits"),
        (on().threshold_bytes(2 << 20), "threshold_bytes"),
    ] {
        let route = Route::new("/wrong", echo).compression(wrong);
        let error = App::builder()
            .route(route)
            .build()
            .expect_err("it makes no sense");
        assert_eq!(error.code(), "WHARF_CONFIG");
        assert!(error.message().contains(named), "{error}");
    }
}

/// The write deadline counts what the peer takes of the connection: one that takes nothing is
/// dropped, however small what it does not take has become.
pub async fn write_deadline(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let pushes = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        let message = Message::binary(noise(30_000).repeat(3));
        loop {
            if let Err(error) = socket.write(message.clone()).await {
                notes.add(error.code());
                return Err(error);
            }
        }
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(
            Route::new("/pushes", pushes)
                .compression(Compression::new())
                .queue_bytes(100_000)
                .max_outbound_message_bytes(100_000)
                .write_deadline(Duration::from_millis(500)),
        )
    })
    .await;
    let Some(client) = open(host, &site, "/pushes").await else {
        return;
    };
    noted.expect("WHARF_CLOSED").await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_WRITE_DEADLINE", "session");
    drop(client);
}
