//! Typed messages in another codec: MessagePack in binary messages.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wharf::{
    App, Message, MessageKind, Result, Route,
    codec::{self, Codec},
    prelude::*,
};

/// MessagePack, with structs as maps, as JavaScript's libraries read and write them.
struct MessagePack;

impl<In: DeserializeOwned, Out: Serialize> Codec<In, Out> for MessagePack {
    fn decode(message: &Message) -> Result<In> {
        let Message::Binary(bytes) = message else {
            return Err(codec::wrong_kind(MessageKind::Binary, message.kind()));
        };
        rmp_serde::from_slice(bytes).map_err(|cause| {
            codec::invalid(
                "INVALID_MSGPACK",
                "the MessagePack has another shape than expected",
            )
            .with_source(cause)
        })
    }

    fn encode(value: &Out) -> Result<Message> {
        rmp_serde::to_vec_named(value)
            .map(Message::from)
            .map_err(codec::unencodable)
    }
}

#[derive(Deserialize)]
struct Reading {
    sensor: String,
    celsius: f64,
}

#[derive(Serialize)]
struct Summary {
    sensor: String,
    readings: u32,
    mean: f64,
}

async fn thermometer(mut socket: Typed<Reading, Summary, MessagePack>) -> Result<()> {
    let (mut readings, mut sum) = (0, 0.0);
    while let Some(Reading { sensor, celsius }) = socket.read().await? {
        readings += 1;
        sum += celsius;
        let mean = sum / f64::from(readings);
        socket
            .write(&Summary {
                sensor,
                readings,
                mean,
            })
            .await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = App::builder()
        .route(Route::new("/readings", thermometer))
        .build()?;
    wharf_examples::serve(app).await
}
