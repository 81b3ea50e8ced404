//! Code around every message.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_sdk::{
    Channel, Configure, DecodeErrors, Error, ErrorKind, Group, Inbound, Message, MessageMiddleware,
    Result, Route, Socket, WebSocketExt, async_trait, channel::Data,
};

use crate::{Host, Notes, Site, client::Frame, fixture::echo};

/// Notes what it sees, and refuses what names it.
struct Watch {
    name: &'static str,
    notes: Notes,
}

#[async_trait]
impl MessageMiddleware for Watch {
    async fn before(&self, inbound: &Inbound<'_>) -> Result<()> {
        let what = inbound.event().or(inbound.text()).unwrap_or("binary");
        self.notes.add(format!("{} before {what}", self.name));
        match what == format!("not past {}", self.name) || what == format!("not-past-{}", self.name)
        {
            true => Err(Error::new(ErrorKind::Forbidden, "REFUSED", "not this one")),
            false => Ok(()),
        }
    }

    async fn after(&self, inbound: &Inbound<'_>, outcome: Result<(), &Error>) {
        let came = outcome.map_or_else(Error::code, |()| "ok");
        let what = inbound.event().or(inbound.text()).unwrap_or("binary");
        self.notes
            .add(format!("{} after {what}: {came}", self.name));
    }
}

/// An app's middleware is outside of a group's, that outside of a route's; `after` runs the other
/// way round, once the handler asks for the next message or ends.
pub async fn order(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let watch = |name| Watch {
        name,
        notes: notes.clone(),
    };
    let site = Site::of(host, |app| {
        app.message_middleware(watch("app")).group(
            Group::new("/g")
                .message_middleware(watch("group"))
                .route(Route::new("/echo", echo).message_middleware(watch("route"))),
        )
    })
    .await;
    let mut client = site.open("/g/echo").await;
    client.expect_echo("hello").await;
    client.send(Frame::binary("\u{1}")).await;
    client.expect_binary(b"\x01").await;
    client.close().await;
    for what in ["hello", "binary"] {
        for name in ["app", "group", "route"] {
            noted.expect(&format!("{name} before {what}")).await;
        }
        for name in ["route", "group", "app"] {
            noted.expect(&format!("{name} after {what}: ok")).await;
        }
    }
}

/// A message that is refused does not reach the handler: its read returns the error, the peer is
/// answered, or the session closed, as the route's policy for what does not decode says.
pub async fn refuses(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let watch = |name| Watch {
        name,
        notes: notes.clone(),
    };
    let patient = async |mut socket: Socket| -> Result<()> {
        loop {
            match socket.read().await {
                Ok(Some(message)) => socket.write(message).await?,
                Ok(None) => return Ok(()),
                Err(error) => socket.write(error.code().to_owned()).await?,
            }
        }
    };
    let site = Site::of(host, |app| {
        let both = |route: Route| {
            route
                .message_middleware(watch("one"))
                .message_middleware(watch("two"))
        };
        app.route(both(Route::new("/return", patient)))
            .route(both(Route::new("/end", echo)))
            .route(both(Route::new("/answer", echo)).decode_errors(DecodeErrors::Answer))
            .route(
                both(Route::new("/own", echo)).answer_with(|error, message| {
                    Message::text(format!("{}: {}", message.payload_bytes(), error.code()))
                }),
            )
            .route(both(Route::new("/close", patient)).decode_errors(DecodeErrors::Close))
    })
    .await;
    let mut client = site.open("/return").await;
    client.send_text("not past two").await;
    client.expect_text("REFUSED").await;
    for note in [
        "one before not past two",
        "two before not past two",
        "one after not past two: REFUSED",
    ] {
        noted.expect(note).await;
    }
    client.expect_echo("and on").await;
    client.close().await;

    let mut client = site.open("/answer").await;
    client.send_text("not past one").await;
    let answer: Value = client.expect_json().await;
    assert_eq!(answer["error"]["code"], "REFUSED");
    client.expect_echo("and on").await;
    client.close().await;

    let mut client = site.open("/own").await;
    client.send_text("not past one").await;
    client.expect_text("12: REFUSED").await;
    client.close().await;

    for path in ["/end", "/close"] {
        let mut client = site.open(path).await;
        client.send_text("not past one").await;
        client.expect_close(1008).await;
    }
}

/// What came of the last message is how the handler ended: an error, a panic.
pub async fn outcomes(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let watch = Watch {
        name: "it",
        notes: notes.clone(),
    };
    let fails = async |mut socket: Socket| -> Result<()> {
        while let Some(text) = socket.read_text().await? {
            match &*text {
                "fail" => return Err(Error::close(4001, "as asked")),
                "panic" => std::panic::panic_any("as asked"),
                _ => {}
            }
        }
        Ok(())
    };
    let route = Route::new("/fails", fails).message_middleware(watch);
    let site = Site::of(host, |app| app.route(route)).await;
    for (text, close, outcome) in [
        ("fail", 4001, "WHARF_HANDLER_CLOSE"),
        ("panic", 1011, "WHARF_PANIC"),
    ] {
        let mut client = site.open("/fails").await;
        client.send_text("fine").await;
        client.send_text(text).await;
        client.expect_close(close).await;
        noted.expect("it before fine").await;
        noted.expect("it after fine: ok").await;
        noted.expect(&format!("it before {text}")).await;
        noted.expect(&format!("it after {text}: {outcome}")).await;
    }
}

/// A channel's events pass the same middleware, outside of the channel's own, and each `after` hears
/// of errors, panics and timeouts.
pub async fn around_events(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let watch = |name| Watch {
        name,
        notes: notes.clone(),
    };
    let channel = Channel::new()
        .middleware(watch("channel"))
        .on("echo", async |Data(data): Data<Value>| Ok::<_, Error>(data))
        .on("panic", async || -> Result<()> {
            std::panic::panic_any("as asked")
        })
        .on("not-past-channel", async || Ok::<_, Error>(()))
        .event(
            wharf_sdk::channel::Event::new("slow", async || -> Result<()> {
                std::future::pending().await
            })
            .timeout(Duration::from_millis(50)),
        );
    let site = Site::of(host, |app| {
        app.message_middleware(watch("app"))
            .route(Route::new("/channel", channel))
    })
    .await;
    let mut client = site.open("/channel").await;
    for (event, outcome) in [
        ("echo", "ok"),
        ("panic", "WHARF_PANIC"),
        ("slow", "WHARF_EVENT_TIMEOUT"),
        ("not-past-channel", "REFUSED"),
    ] {
        let request = json!({ "event": event, "data": 1, "id": 1 });
        client.send_text(&request.to_string()).await;
        let reply: Value = client.expect_json().await;
        let came = reply["error"]["code"].as_str().unwrap_or("ok");
        assert_eq!(came, outcome);
        noted.expect(&format!("app before {event}")).await;
        noted.expect(&format!("channel before {event}")).await;
        if outcome != "REFUSED" {
            noted
                .expect(&format!("channel after {event}: {outcome}"))
                .await;
        }
        noted.expect(&format!("app after {event}: {outcome}")).await;
    }
    client.close().await;
}
