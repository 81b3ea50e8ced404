//! An event with its reply: through a channel, and by hand as short as it goes.

use serde::{Deserialize, Serialize};
use wharf_sdk::{App, Channel, Configure, Message, Result, Route, Socket, channel::Data};

use super::connection::Connection;

/// An event with an id, as a client sends it, and the reply to it.
const EVENT: &str = concat!(
    r#"{"event":"bid","data":{"lot":1017,"amount":4250,"#,
    r#""comment":"before the hammer falls"},"id":7}"#
);
const REPLY: &str = r#"{"reply":7,"data":{"lot":1017,"amount":4250,"leads":true}}"#;

/// How events are served.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// By a function of a `Channel`.
    Channel,
    /// By a handler that reads and writes JSON.
    ByHand,
}

/// Opens a connection that is sent events, so many at once.
pub(crate) fn open(way: Way, in_flight: usize) -> Connection {
    let route = match way {
        Way::Channel => Route::new("/events", Channel::new().on("bid", accept)),
        Way::ByHand => Route::new("/events", by_hand),
    };
    let app = App::builder().route(route.no_heartbeat()).build();
    let app = app.expect("nothing contradicts");
    Connection::to(&app, "/events", in_flight, EVENT.as_bytes(), REPLY.len())
}

#[derive(Deserialize)]
struct Bid {
    lot: u64,
    amount: u64,
    comment: String,
}

#[derive(Serialize)]
struct Accepted {
    lot: u64,
    amount: u64,
    leads: bool,
}

async fn accept(Data(bid): Data<Bid>) -> Result<Accepted> {
    Ok(Accepted {
        lot: bid.lot,
        amount: bid.amount,
        leads: !bid.comment.is_empty(),
    })
}

#[derive(Deserialize)]
struct Incoming<'a> {
    event: &'a str,
    data: Bid,
    id: u64,
}

#[derive(Serialize)]
struct Reply {
    reply: u64,
    data: Accepted,
}

async fn by_hand(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        let Message::Text(text) = message else {
            continue;
        };
        let Ok(incoming) = serde_json::from_str::<Incoming<'_>>(&text) else {
            return socket.close(1007, "not an event").await;
        };
        if incoming.event != "bid" {
            return socket.close(1008, "no such event").await;
        }
        let reply = Reply {
            reply: incoming.id,
            data: accept(Data(incoming.data)).await?,
        };
        socket.write(Message::json(&reply)?).await?;
    }
    Ok(())
}
