//! Saying something to a room.

use std::future::IntoFuture;

use futures::future::BoxFuture;
use tokio::time::timeout;
use wharf_sdk::{Message, Result};

use crate::{
    ground::add,
    handles::{room::Room, seat::Seat},
    state::What,
    upkeep::keeper,
    words::{Delivery, Position, SessionId, error},
};

/// A message that is about to be published: await it.
///
/// In a room without history, those on this node are handed it at once, and the bus carries it to
/// the others. In a room with history the bus gives it its position first, and all nodes, this one
/// included, hand it on when it is its turn.
///
/// # Errors
///
/// `WHARF_CONTROL_WRITE` for other kinds than text and binary; `WHARF_HUB_TOO_LARGE` for more than
/// the bus carries; `WHARF_HUB_LOCAL_ONLY` while the bus is away, in a room without history: those
/// on this node were handed it; `WHARF_HUB_NOT_PUBLISHED` where it could not be stored.
///
/// A handler that passes them on with `?` ends its session with them: over a bus, see whether the
/// session should not go on.
///
/// # Cancel safety
///
/// Begun at the first poll, it goes on if the future is dropped.
#[must_use = "await it"]
#[derive(Debug)]
pub struct Publish {
    room: Room,
    message: Message,
    except: Option<SessionId>,
}

/// What became of a message.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// How many sockets on this node it was handed to.
    pub local: usize,
    /// Its position, in a room with history.
    pub position: Option<Position>,
}

impl Room {
    /// Publishes a message to everybody in the room, on all nodes: await it.
    pub fn publish(&self, message: impl Into<Message>) -> Publish {
        Publish {
            room: self.clone(),
            message: message.into(),
            except: None,
        }
    }
}

impl Publish {
    /// Leaves out this seat's session.
    pub fn except(self, seat: &Seat) -> Self {
        self.except_session(seat.session())
    }

    /// Leaves out this session, on whichever node it is.
    pub fn except_session(mut self, session: SessionId) -> Self {
        self.except = Some(session);
        self
    }

    async fn run(mut self) -> Result<Published> {
        let hub = &self.room.hub;
        hub.node.check_message(&self.message)?;
        keeper::start(hub);
        add(&hub.node.figures.published, 1);
        let stay = hub.enter_cell(&self.room.name, self.room.options);
        let history = stay.cell.lock().options.history;
        if let Some(history) = history {
            let what = What::Publish {
                previous: 0,
                except: self.except,
                message: self.message,
            };
            let appending = hub
                .node
                .bus
                .append(&self.room.name, history, hub.node.encode(what));
            let position = hub
                .node
                .call(appending)
                .await
                .map_err(error::not_published)?;
            let local = match stay.cell.handed_on(position.offset) {
                // The bus has it, so it will come; what takes longer is not waited for.
                Some(telling) => match timeout(hub.node.settings.bus_deadline, telling).await {
                    Ok(Ok(handed)) => handed,
                    _ => 0,
                },
                None => 0,
            };
            return Ok(Published {
                local,
                position: Some(position),
            });
        }
        // What was read is a slice of a larger buffer, and waits in many queues now.
        self.message.compact();
        let delivery = Delivery {
            message: self.message,
            position: None,
            except: self.except,
        };
        let (local, sending) = stay.cell.publish(&hub.node, delivery);
        if let Some(sending) = sending {
            let sent = hub.node.call(sending).await;
            sent.map_err(|cause| error::local_only(local, cause))?;
        }
        Ok(Published {
            local,
            position: None,
        })
    }
}

impl IntoFuture for Publish {
    type Output = Result<Published>;
    type IntoFuture = BoxFuture<'static, Result<Published>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
