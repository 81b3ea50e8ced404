//! Rooms of the hub, alone or over a bus.

use serde::Serialize;
use wharf_hub::Hub;
use wharf_sdk::{Message, Result, Socket, State};

/// The room of `/hub`.
const ROOM: &str = "bench";

/// Everything that is said is published to everybody in one room.
pub(super) async fn one_room(State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
    let room = hub.room(ROOM)?;
    let _seat = room.join(&socket).await?;
    while let Ok(Some(message)) = socket.read().await {
        if let Message::Text(_) = message {
            // Who is here has heard it, whatever became of it on the bus.
            let _ = room.publish(message).await;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Figures {
    rooms: usize,
    connected: bool,
    subscriptions: usize,
    gaps: u64,
}

/// Does what it is told: `join <n>` takes a seat in as many rooms that nobody else is in, `flood
/// <n>` publishes as many messages of 64 bytes to the room of `/hub`, `figures` tells the hub's.
pub(super) async fn many_rooms(State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
    let id = socket.id();
    let mut seats = Vec::new();
    while let Some(message) = socket.read().await? {
        let Message::Text(text) = message else {
            continue;
        };
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let n: usize = rest.parse().unwrap_or(0);
        let answer = match word {
            "join" => {
                for number in 0..n {
                    let room = hub.room(format!("{id:?}-{number}"))?;
                    seats.push(room.join(&socket).await?);
                }
                Message::from("joined")
            }
            "flood" => {
                let room = hub.room(ROOM)?;
                for _ in 0..n {
                    let _ = room.publish("m".repeat(64)).await;
                }
                Message::from("flooded")
            }
            _ => {
                let stats = hub.stats();
                Message::json(&Figures {
                    rooms: stats.rooms,
                    connected: stats.bus.connected,
                    subscriptions: stats.bus.subscriptions,
                    gaps: stats.gaps,
                })?
            }
        };
        socket.write(answer).await?;
    }
    Ok(())
}
