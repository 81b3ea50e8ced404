//! Presence: a stream of records, one a member, and one of leases, which end by their age.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client,
    jetstream::{
        Context,
        stream::{Config, StorageType, Stream},
    },
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use wharf_hub::{
    NodeId, RoomName, SessionId,
    bus::{Beat, Members, Topic},
};
use wharf_sdk::Result;

use crate::{connection::Connection, error, history::read, names::Names};

pub(crate) struct Presence {
    client: Client,
    jetstream: Context,
    names: Arc<Names>,
    /// What dead nodes left behind has been looked for.
    has_swept: AtomicBool,
}

impl Presence {
    pub(crate) fn new(connection: &Connection, names: Arc<Names>) -> Self {
        Self {
            client: connection.client.clone(),
            jetstream: connection.jetstream.clone(),
            names,
            has_swept: AtomicBool::new(false),
        }
    }

    async fn records(&self) -> Result<Stream> {
        let config = Config {
            name: self.names.presence_stream(),
            subjects: vec![self.names.all_members()],
            max_messages_per_subject: 1,
            storage: StorageType::Memory,
            ..Config::default()
        };
        let made = self.jetstream.get_or_create_stream(config).await;
        made.map_err(error::failed)
    }

    async fn leases(&self, lease: Duration) -> Result<Stream> {
        let config = Config {
            name: self.names.lease_stream(),
            subjects: vec![self.names.leases()],
            max_messages_per_subject: 1,
            max_age: lease,
            duplicate_window: lease.min(Duration::from_secs(1)),
            storage: StorageType::Memory,
            ..Config::default()
        };
        let made = self.jetstream.get_or_create_stream(config).await;
        made.map_err(error::failed)
    }

    async fn live<I>(&self, leases: &Stream<I>) -> Result<Vec<NodeId>> {
        let listing = leases.info_with_subjects(self.names.leases()).await;
        let subjects: Vec<_> = listing
            .map_err(error::failed)?
            .try_collect()
            .await
            .map_err(error::failed)?;
        let nodes = subjects.iter().filter_map(|(subject, _)| {
            let (_, node) = subject.rsplit_once('.')?;
            node.parse().ok()
        });
        Ok(nodes.collect())
    }

    pub(crate) async fn enter(
        &self,
        room: &RoomName,
        session: SessionId,
        record: Bytes,
        notice: Bytes,
    ) -> Result<()> {
        let subject = self.names.member(room, session);
        let storing = self.jetstream.publish(subject, record).await;
        storing
            .map_err(error::failed)?
            .await
            .map_err(error::failed)?;
        self.tell(room, notice).await
    }

    pub(crate) async fn leave(
        &self,
        room: &RoomName,
        session: SessionId,
        notice: Bytes,
    ) -> Result<()> {
        self.purge(self.names.member(room, session)).await?;
        self.tell(room, notice).await
    }

    async fn tell(&self, room: &RoomName, notice: Bytes) -> Result<()> {
        let subject = self.names.subject(&Topic::Room(room.clone()));
        let telling = self.client.publish(subject, notice);
        telling.await.map_err(error::failed)
    }

    async fn purge(&self, subject: String) -> Result<()> {
        let stream = self
            .jetstream
            .get_stream_no_info(self.names.presence_stream())
            .await
            .map_err(error::failed)?;
        let purged = stream.purge().filter(subject).await;
        purged.map(drop).map_err(error::failed)
    }

    pub(crate) async fn members(&self, room: &RoomName) -> Result<Members> {
        let records = self.records().await?;
        let records = read(&records, self.names.members(room), 1).await?;
        // Whoever is among the records took its lease before.
        let leases = self
            .jetstream
            .get_stream_no_info(self.names.lease_stream())
            .await
            .map_err(error::failed)?;
        Ok(Members {
            records: records.into_iter().map(|(entry, _)| entry.frame).collect(),
            live: self.live(&leases).await?,
        })
    }

    pub(crate) async fn beat(&self, lease: Duration) -> Result<Beat> {
        let node = self.names.node().ok_or_else(error::away)?;
        let records = self.records().await?;
        let leases = self.leases(lease).await?;
        let before = self.live(&leases).await?;
        let renewing = self.jetstream.publish(self.names.lease(node), Bytes::new());
        renewing
            .await
            .map_err(error::failed)?
            .await
            .map_err(error::failed)?;
        let mut live = before.clone();
        if !live.contains(&node) {
            live.push(node);
        }
        if !self.has_swept.swap(true, Ordering::AcqRel) {
            self.sweep(&records, &live).await?;
        }
        Ok(Beat {
            live,
            had_lapsed: !before.contains(&node),
        })
    }

    /// Forgets the members of nodes that nobody knows any more: what a whole app left behind.
    async fn sweep(&self, records: &Stream, live: &[NodeId]) -> Result<()> {
        let listing = records.info_with_subjects(self.names.all_members()).await;
        let mut listing = listing.map_err(error::failed)?;
        let mut dead = HashSet::new();
        while let Some(listed) = listing.next().await {
            let (subject, _) = listed.map_err(error::failed)?;
            let node = self.names.node_of_member(&subject);
            dead.extend(node.filter(|node| !live.contains(node)));
        }
        for node in dead {
            self.purge(self.names.members_of(node)).await?;
        }
        Ok(())
    }

    pub(crate) async fn bury(&self, node: NodeId) -> Result<()> {
        self.records().await?;
        self.purge(self.names.members_of(node)).await?;
        if self.names.node() == Some(node) {
            let leases = self
                .jetstream
                .get_stream_no_info(self.names.lease_stream())
                .await
                .map_err(error::failed)?;
            let ending = leases.purge().filter(self.names.lease(node)).await;
            ending.map_err(error::failed)?;
        }
        Ok(())
    }
}
