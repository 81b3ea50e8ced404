//! Wharf's hub over Redis or Valkey, alone or as a cluster.
//!
//! ```no_run
//! use wharf_hub::Hub;
//! use wharf_redis::Redis;
//!
//! # async fn main_() -> wharf_sdk::Result<()> {
//! let hub = Hub::over(Redis::connect("redis://127.0.0.1/").await?);
//! # let _ = hub;
//! # Ok(())
//! # }
//! ```
//!
//! Messages go over Pub/Sub, which is sharded where the server is a cluster (version 7); histories
//! are streams, and a script stores, numbers and publishes a message in one step; presence is a
//! hash a room, and leases. Version 6.2 and above, over RESP3. Every key and channel begins with the
//! app's [prefix](Builder::prefix).
//!
//! What is promised: Pub/Sub is at most once, and what was missed is told as a gap; with history,
//! what is stored is heard by every node, once and in one order. A server that fails over to a
//! replica may lose what it had just stored.

mod connection;
mod error;
mod history;
mod link;
mod names;
mod options;
mod packet;
mod presence;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, future::ready};
use redis::{Cmd, Value};
use wharf_hub::{
    History, NodeId, Position, RoomName, SessionId,
    bus::{
        Beat, Bus, BusCapabilities, BusFuture, BusListener, BusStats, Members, Replay, Topic,
        check_prefix,
    },
};
use wharf_sdk::Result;

pub use self::options::Builder;
use self::{link::Link, names::Names};

/// A hub's bus over Redis or Valkey.
pub struct Redis {
    names: Arc<Names>,
    link: Arc<Link>,
    builder: Builder,
}

impl Redis {
    /// Connects to the server at this URL: `redis://`, `rediss://` for TLS, with user and password
    /// if need be. Where it is one of a cluster, the others are found.
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

    /// Sends commands, and makes something of the answers.
    fn call<T: Send + 'static>(
        &self,
        commands: Vec<Cmd>,
        read: impl FnOnce(Vec<Value>) -> Option<T> + Send + 'static,
    ) -> BusFuture<T> {
        let answering = self.link.send(commands);
        async move { read(answering.await?).ok_or_else(error::unexpected) }.boxed()
    }
}

impl Builder {
    /// Connects, and sees what the server is.
    ///
    /// # Errors
    ///
    /// As [`Redis::connect`]; `WHARF_BUS_PREFIX`, and `WHARF_BUS_TLS` for a file of certificates that
    /// cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has not connected.
    pub async fn connect(self) -> Result<Redis> {
        check_prefix(&self.prefix)?;
        let server = connection::look(&self).await?;
        Ok(Redis {
            names: Arc::new(Names::new(self.prefix.clone(), server.is_cluster)),
            link: Link::new(),
            builder: self,
        })
    }
}

impl Bus for Redis {
    fn capabilities(&self) -> BusCapabilities {
        BusCapabilities {
            name: "redis",
            is_shared: true,
            history: true,
            presence: true,
            max_frame_bytes: 64 * 1024 * 1024,
        }
    }

    fn attach(&self, node: NodeId, listener: Arc<dyn BusListener>) {
        self.names.set_node(node);
        Link::start(&self.link, &self.names, &self.builder, listener);
    }

    fn subscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        self.link.subscribe(topics)
    }

    fn unsubscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        self.link.unsubscribe(topics)
    }

    fn publish(&self, topic: &Topic, frame: Bytes) -> BusFuture<()> {
        let mut publish = redis::cmd(self.names.publish_command());
        publish.arg(self.names.channel(topic)).arg(&frame[..]);
        self.call(vec![publish], |_| Some(()))
    }

    fn append(&self, room: &RoomName, history: History, frame: Bytes) -> BusFuture<Position> {
        let append = history::append(&self.names, room, history, &frame);
        self.call(vec![append], |values| history::read_position(&values))
    }

    fn replay(
        &self,
        room: &RoomName,
        history: History,
        since: Option<Position>,
    ) -> BusFuture<Replay> {
        let replay = history::replay(&self.names, room, history, since);
        self.call(vec![replay], move |values| {
            history::read_replay(values, since)
        })
    }

    fn enter(
        &self,
        room: &RoomName,
        session: SessionId,
        record: Bytes,
        notice: Bytes,
    ) -> BusFuture<()> {
        let enter = presence::enter(&self.names, room, session, &record, &notice);
        self.call(vec![enter], |_| Some(()))
    }

    fn leave(
        &self,
        room: &RoomName,
        session: SessionId,
        is_last: bool,
        notice: Bytes,
    ) -> BusFuture<()> {
        let leave = presence::leave(&self.names, room, session, is_last, &notice);
        self.call(vec![leave], |_| Some(()))
    }

    fn members(&self, room: &RoomName) -> BusFuture<Members> {
        let commands = presence::members(&self.names, room);
        self.call(commands, presence::read_members)
    }

    fn beat(&self, lease: Duration) -> BusFuture<Beat> {
        let Some(node) = self.names.node() else {
            return ready(Err(error::away())).boxed();
        };
        let beat = presence::beat(&self.names, node, lease);
        let (link, names) = (Arc::clone(&self.link), Arc::clone(&self.names));
        self.call(vec![beat], move |values| {
            let (beat, expired) = presence::read_beat(&values)?;
            for node in expired {
                // What a whole app left behind, when it died, goes too.
                drop(link.send(presence::bury(&names, node, false)));
            }
            Some(beat)
        })
    }

    fn bury(&self, node: NodeId) -> BusFuture<()> {
        let is_own = self.names.node() == Some(node);
        let commands = presence::bury(&self.names, node, is_own);
        self.call(commands, |_| Some(()))
    }

    fn stats(&self) -> BusStats {
        self.link.stats()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("prefix", &self.names.prefix())
            .field("stats", &self.link.stats())
            .finish_non_exhaustive()
    }
}
