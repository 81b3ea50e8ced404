//! All rooms of an app.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use wharf_sdk::{CloseFrame, Message, Result, Sender};

use crate::{
    bus::BusCapabilities,
    ground::{RoomOptions, Stats},
    handles::room::Room,
    keep::Shared,
    state::What,
    words::{NodeId, RoomName, SessionId, Topic, error},
};

/// All rooms of an app: in this process alone, or over a bus together with other nodes. A cheap
/// clone, made to be the app's state.
///
/// ```
/// use wharf_hub::Hub;
/// use wharf_sdk::{App, Path, Result, Route, Socket, State, WebSocketExt, testing::TestHost};
///
/// async fn chat(
///     Path(name): Path<String>,
///     State(hub): State<Hub>,
///     mut socket: Socket,
/// ) -> Result<()> {
///     let room = hub.room(name)?;
///     let seat = room.join(&socket).await?; // messages of the room now reach the socket
///     while let Some(line) = socket.read_text().await? {
///         room.publish(line).except(&seat).await?;
///     }
///     Ok(()) // the seat is given up, whatever ended it
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<()> {
/// let app = App::builder()
///     .state(Hub::local())
///     .route(Route::new("/rooms/{name}", chat))
///     .build()?;
/// let host = TestHost::new(app);
/// let mut alice = host.connect("/rooms/harbour").await;
/// let mut bob = host.connect("/rooms/harbour").await;
/// alice.send_text("ahoy").await;
/// bob.expect_text("ahoy").await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Hub {
    pub(crate) shared: Arc<Shared>,
}

impl Hub {
    /// A room, with what the hub's rules say about it. It needs no making: it is there while
    /// somebody is in it.
    ///
    /// # Errors
    ///
    /// `WHARF_ROOM_NAME`: see [`RoomName::new`].
    pub fn room(&self, name: impl AsRef<str>) -> Result<Room> {
        let name = RoomName::new(name)?;
        let options = self.shared.node.rule(&name);
        Ok(Room::new(Arc::clone(&self.shared), name, options))
    }

    /// A room with these options besides what the rules say. They count on this node, until the
    /// room is empty; where several nodes are involved, prefer
    /// [rules](crate::HubBuilder::rooms_beginning_with).
    ///
    /// # Errors
    ///
    /// `WHARF_ROOM_NAME`; `WHARF_HUB_CAPABILITY` where the bus cannot do it.
    pub fn room_with(&self, name: impl AsRef<str>, options: RoomOptions) -> Result<Room> {
        options.check(self.shared.node.capabilities)?;
        let name = RoomName::new(name)?;
        let options = options.or(self.shared.node.rule(&name));
        Ok(Room::new(Arc::clone(&self.shared), name, options))
    }

    /// Makes a session known to [`disconnect`](Self::disconnect) and
    /// [`broadcast`](Self::broadcast) before it joins a room. Returns its id on all nodes.
    ///
    /// # Errors
    ///
    /// `WHARF_CLOSED`: the session has ended.
    pub fn register(&self, member: &impl AsRef<Sender>) -> Result<SessionId> {
        let attendance = self.shared.attend(member.as_ref())?;
        Ok(attendance.session)
    }

    /// Closes, with this frame, the sessions of the principal with this id: on this node at once,
    /// on the others as the bus carries it. It finds sessions that are
    /// [registered](Self::register) or have joined a room. Returns how many there were here.
    ///
    /// # Errors
    ///
    /// `WHARF_HUB_LOCAL_ONLY`: the other nodes were not reached.
    ///
    /// # Cancel safety
    ///
    /// Begun at the first poll, it goes on if the future is dropped.
    pub async fn disconnect(&self, principal: &str, frame: CloseFrame) -> Result<usize> {
        let closed = self.shared.disconnect_here(principal, &frame);
        let what = What::Disconnect {
            principal: principal.to_owned(),
            code: frame.code().as_u16(),
            reason: frame.reason().clone(),
        };
        self.tell_nodes(what, closed).await?;
        Ok(closed)
    }

    /// Sends a message to every session on every node that is [registered](Self::register) or has
    /// joined a room. Returns to how many here.
    ///
    /// # Errors
    ///
    /// `WHARF_CONTROL_WRITE` for other kinds than text and binary, `WHARF_HUB_TOO_LARGE`;
    /// `WHARF_HUB_LOCAL_ONLY`: the other nodes were not reached.
    ///
    /// # Cancel safety
    ///
    /// Begun at the first poll, it goes on if the future is dropped.
    pub async fn broadcast(&self, message: impl Into<Message>) -> Result<usize> {
        let message = message.into();
        self.shared.node.check_message(&message)?;
        let handed = self.shared.broadcast_here(&message);
        self.tell_nodes(What::Broadcast(message), handed).await?;
        Ok(handed)
    }

    async fn tell_nodes(&self, what: What, done_here: usize) -> Result<()> {
        if !self.shared.node.is_shared() {
            return Ok(());
        }
        let frame = self.shared.node.encode(what);
        let sending = self.shared.node.bus.publish(&Topic::App, frame);
        let sent = self.shared.node.call(sending).await;
        sent.map_err(|cause| error::local_only(done_here, cause))
    }

    /// Takes this node off the bus: its members leave at once, everywhere. Call it when the server
    /// has ended its sessions, or is about to.
    ///
    /// # Cancel safety
    ///
    /// Begun at the first poll, it goes on if the future is dropped.
    pub async fn shutdown(&self) {
        if self.shared.node.is_shut.swap(true, Ordering::AcqRel) || !self.shared.node.is_shared() {
            return;
        }
        let bus = &self.shared.node.bus;
        let burying = self
            .shared
            .node
            .has_presence()
            .then(|| bus.bury(self.node()));
        let telling = bus.publish(&Topic::App, self.shared.node.encode(What::Gone));
        // Where the bus is away, the lease ends by itself.
        if let Some(burying) = burying {
            let _ = self.shared.node.call(burying).await;
        }
        let _ = self.shared.node.call(telling).await;
    }

    /// This node's id.
    pub fn node(&self) -> NodeId {
        self.shared.node.id
    }

    /// What the bus can do.
    pub fn capabilities(&self) -> BusCapabilities {
        self.shared.node.capabilities
    }

    /// This node's figures.
    pub fn stats(&self) -> Stats {
        let bus = self.shared.node.bus.stats();
        self.shared.node.figures.snapshot(self.shared.node.id, bus)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}
