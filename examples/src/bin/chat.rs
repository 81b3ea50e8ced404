//! Chat rooms with a web page: open <http://127.0.0.1:3000/> in two tabs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use wharf::{ByteString, ConnectionId, prelude::*, response};

/// Who is in which room.
#[derive(Clone, Default)]
struct Rooms(Arc<Mutex<HashMap<String, HashMap<ConnectionId, Sender>>>>);

impl Rooms {
    /// Puts a sender into a room until the seat is dropped.
    fn enter(&self, room: &str, sender: Sender) -> Seat {
        let id = sender.id();
        self.change(|rooms| rooms.entry(room.to_owned()).or_default().insert(id, sender));
        Seat {
            rooms: self.clone(),
            room: room.to_owned(),
            id,
        }
    }

    fn broadcast(&self, room: &str, text: &ByteString) {
        self.change(|rooms| {
            for sender in rooms.get(room).into_iter().flat_map(HashMap::values) {
                // Never waits: who reads too slowly misses a line, and nobody waits for them.
                let _ = sender.try_send(text.clone());
            }
        });
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut HashMap<String, HashMap<ConnectionId, Sender>>) -> T,
    ) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Seat {
    rooms: Rooms,
    room: String,
    id: ConnectionId,
}

/// However the session ends, its seat is given up.
impl Drop for Seat {
    fn drop(&mut self) {
        self.rooms.change(|rooms| {
            if let Some(members) = rooms.get_mut(&self.room) {
                members.remove(&self.id);
                if members.is_empty() {
                    rooms.remove(&self.room);
                }
            }
        });
    }
}

async fn chat(
    Path(room): Path<String>,
    State(rooms): State<Rooms>,
    mut socket: Socket,
) -> Result<()> {
    let _seat = rooms.enter(&room, socket.sender());
    while let Some(text) = socket.read_text().await? {
        rooms.broadcast(&room, &text);
    }
    Ok(())
}

/// Tells a visitor who is not a socket yet what to do; the page itself is at `/`.
async fn no_socket(mut socket: Socket) -> Result<()> {
    socket.close(4000, "connect to /rooms/{room}").await
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = App::builder()
        .state(Rooms::default())
        .max_message_bytes(4 * 1024)
        .route(
            Route::new("/", no_socket)
                .fallback(async |_| response::html(include_str!("../rooms/page.html"))),
        )
        .route(Route::new("/rooms/{room}", chat))
        .build()?;
    wharf_examples::serve(app).await
}
