//! Wharf's hub over NATS, with JetStream for history and presence.
//!
//! ```no_run
//! use wharf_hub::Hub;
//! use wharf_nats::Nats;
//!
//! # async fn main_() -> wharf_sdk::Result<()> {
//! let hub = Hub::over(Nats::connect("nats://127.0.0.1").await?);
//! # let _ = hub;
//! # Ok(())
//! # }
//! ```
//!
//! Messages go over core subjects. Where JetStream is on, histories are streams that publish again
//! what they have stored, with its sequence, so that every node hears a room in the stream's order;
//! and presence is a stream of records and one of leases. Version 2.9 and above. Every subject and
//! stream begins with the app's [prefix](Builder::prefix).
//!
//! What is promised: core messages are at most once, and what was missed is told as a gap. The
//! server does not confirm them: one that hangs is noticed after the
//! [timeout](Builder::timeout), and until then they count as sent. With history, what is stored is
//! heard by every node, once and in one order. The offsets of a room grow, with holes between them:
//! rooms that keep equally much share a stream.

mod connection;
mod ears;
mod error;
mod history;
mod jobs;
mod lanes;
mod link;
mod names;
mod options;
mod presence;
mod worker;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use wharf_hub::{
    History, NodeId, Position, RoomName, SessionId,
    bus::{
        Beat, Bus, BusCapabilities, BusFuture, BusListener, BusStats, Members, Replay, Topic,
        check_prefix,
    },
};
use wharf_sdk::Result;

use self::{
    connection::Connection,
    history::Histories,
    link::Link,
    names::{BUCKETS, Names},
    presence::Presence,
};
pub use self::{names::subject, options::Builder};

/// What headers and subjects take of the largest payload, at most.
const HEADER_BYTES: usize = 2048;

/// A hub's bus over NATS.
pub struct Nats {
    names: Arc<Names>,
    connection: Connection,
    histories: Arc<Histories>,
    presence: Arc<Presence>,
    link: Arc<Link>,
}

impl Nats {
    /// Connects to the server at this URL: `nats://`, `tls://`, with user and password if need be.
    ///
    /// # Errors
    ///
    /// `WHARF_BUS_URL`, `WHARF_BUS_AUTH`, `WHARF_BUS_TLS`, `WHARF_BUS_TOO_OLD`, and `WHARF_BUS_AWAY` where nobody
    /// answers. None of them has the URL in it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has not connected.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder(url).connect().await
    }

    /// A bus with choices.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }
}

impl Builder {
    /// Connects, and sees what the server is.
    ///
    /// # Errors
    ///
    /// As [`Nats::connect`]; `WHARF_BUS_PREFIX`.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has not connected.
    pub async fn connect(self) -> Result<Nats> {
        check_prefix(&self.prefix)?;
        let connection = Connection::open(&self).await?;
        let names = Arc::new(Names::new(self.prefix.clone()));
        let histories = Histories::new(&connection, Arc::clone(&names), self.replicas);
        // As many of each bucket as of any other; the last of them is shared.
        let apart = self.max_subscriptions / usize::from(BUCKETS);
        let presence = Presence::new(&connection, Arc::clone(&names));
        Ok(Nats {
            link: Link::new(Arc::clone(&names), self.timeout, apart),
            names,
            connection,
            histories: Arc::new(histories),
            presence: Arc::new(presence),
        })
    }
}

impl Bus for Nats {
    fn capabilities(&self) -> BusCapabilities {
        let payload = self.connection.client.max_payload();
        BusCapabilities {
            name: "nats",
            is_shared: true,
            history: self.connection.has_jetstream,
            presence: self.connection.has_jetstream,
            max_frame_bytes: payload.saturating_sub(HEADER_BYTES),
        }
    }

    fn attach(&self, node: NodeId, listener: Arc<dyn BusListener>) {
        self.names.set_node(node);
        Link::start(&self.link, &self.connection, &self.histories, listener);
    }

    fn subscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        self.link.subscribe(topics)
    }

    fn unsubscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        self.link.unsubscribe(topics)
    }

    fn publish(&self, topic: &Topic, frame: Bytes) -> BusFuture<()> {
        self.link.publish(self.names.subject(topic), frame)
    }

    fn append(&self, room: &RoomName, history: History, frame: Bytes) -> BusFuture<Position> {
        self.link.append(room, history, frame)
    }

    fn replay(
        &self,
        room: &RoomName,
        history: History,
        since: Option<Position>,
    ) -> BusFuture<Replay> {
        let (histories, room) = (Arc::clone(&self.histories), room.clone());
        self.link
            .call(async move { histories.replay(&room, history, since).await })
    }

    fn enter(
        &self,
        room: &RoomName,
        session: SessionId,
        record: Bytes,
        notice: Bytes,
    ) -> BusFuture<()> {
        let presence = Arc::clone(&self.presence);
        let own = room.clone();
        self.link.in_lane(room, async move {
            presence.enter(&own, session, record, notice).await
        })
    }

    fn leave(&self, room: &RoomName, session: SessionId, _: bool, notice: Bytes) -> BusFuture<()> {
        let presence = Arc::clone(&self.presence);
        let own = room.clone();
        self.link.in_lane(
            room,
            async move { presence.leave(&own, session, notice).await },
        )
    }

    fn members(&self, room: &RoomName) -> BusFuture<Members> {
        let (presence, room) = (Arc::clone(&self.presence), room.clone());
        self.link.call(async move { presence.members(&room).await })
    }

    fn beat(&self, lease: Duration) -> BusFuture<Beat> {
        let presence = Arc::clone(&self.presence);
        self.link.call(async move { presence.beat(lease).await })
    }

    fn bury(&self, node: NodeId) -> BusFuture<()> {
        let presence = Arc::clone(&self.presence);
        self.link.call(async move { presence.bury(node).await })
    }

    fn stats(&self) -> BusStats {
        self.link.stats()
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats")
            .field("prefix", &self.names.prefix())
            .field("stats", &self.link.stats())
            .finish_non_exhaustive()
    }
}
