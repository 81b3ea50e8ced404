//! Histories: one stream for all rooms that keep equally much, a subject a room.
//!
//! A position's epoch is when the stream was made, and its offset the stream's sequence. What is
//! stored is published again, with its sequence and that of the message before it in the room.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_nats::{
    HeaderMap, Message,
    header::{NATS_EXPECTED_STREAM, NATS_LAST_SEQUENCE, NATS_SEQUENCE},
    jetstream::{
        Context,
        consumer::{AckPolicy, DeliverPolicy, pull},
        stream::{Config, Republish, StorageType, Stream},
    },
};
use bytes::Bytes;
use futures::StreamExt;
use wharf_hub::{
    History, Position, RoomName,
    bus::{Entry, Place, Replay},
};
use wharf_sdk::Result;

use crate::{connection::Connection, error, names::Names};

/// The header that says of which stream a sequence is.
const EPOCH: &str = "Wharf-Epoch";

/// How many messages are fetched at once.
const FETCH: usize = 512;

pub(crate) struct Histories {
    jetstream: Context,
    names: Arc<Names>,
    replicas: usize,
    /// The streams that have been seen or made since the last connection, and their epochs.
    epochs: Mutex<HashMap<String, u64>>,
}

impl Histories {
    pub(crate) fn new(connection: &Connection, names: Arc<Names>, replicas: usize) -> Self {
        Self {
            jetstream: connection.jetstream.clone(),
            names,
            replicas,
            epochs: Mutex::default(),
        }
    }

    /// After a connection was lost, the streams may be others.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream of rooms that keep so much; made if it is not there.
    async fn stream(&self, history: History) -> Result<(Stream, u64)> {
        let name = self.names.stream(history);
        let (subjects, again) = self.names.logs(history);
        let config = Config {
            name: name.clone(),
            subjects: vec![subjects.clone()],
            // One more than is kept, to see whether there was more.
            max_messages_per_subject: i64::try_from(history.messages)
                .unwrap_or(i64::MAX - 1)
                .saturating_add(1),
            max_age: history.remembered_for(),
            storage: StorageType::File,
            num_replicas: self.replicas,
            republish: Some(Republish {
                source: subjects,
                destination: again,
                headers_only: false,
            }),
            ..Config::default()
        };
        let made = self.jetstream.get_or_create_stream(config).await;
        let stream = made.map_err(error::failed)?;
        let microseconds = stream.cached_info().created.unix_timestamp_nanos() / 1000;
        let epoch = u64::try_from(microseconds).unwrap_or_default();
        self.lock().insert(name, epoch);
        Ok((stream, epoch))
    }

    /// The epoch of the stream of rooms that keep so much, if it is known.
    pub(crate) fn epoch(&self, history: History) -> Option<u64> {
        self.lock().get(&self.names.stream(history)).copied()
    }

    /// The same, asked for where it is not known.
    pub(crate) async fn find_epoch(&self, history: History) -> Result<u64> {
        match self.epoch(history) {
            Some(epoch) => Ok(epoch),
            None => self.stream(history).await.map(|(_, epoch)| epoch),
        }
    }

    /// Stores a message; the future says where it is.
    pub(crate) async fn start_append(
        &self,
        room: &RoomName,
        history: History,
        epoch: u64,
        frame: Bytes,
    ) -> Result<impl Future<Output = Result<Position>> + Send + use<>> {
        let mut headers = HeaderMap::new();
        headers.insert(EPOCH, format!("{epoch:x}"));
        headers.insert(NATS_EXPECTED_STREAM, self.names.stream(history));
        let subject = self.names.log(history, room);
        let publishing = self.jetstream.publish_with_headers(subject, headers, frame);
        let acknowledging = publishing.await.map_err(error::failed)?.into_future();
        Ok(async move {
            let stored = acknowledging.await.map_err(error::failed)?;
            Ok(Position {
                epoch,
                offset: stored.sequence,
            })
        })
    }

    pub(crate) async fn replay(
        &self,
        room: &RoomName,
        history: History,
        since: Option<Position>,
    ) -> Result<Replay> {
        let (stream, epoch) = self.stream(history).await?;
        let state = stream.get_info().await.map_err(error::failed)?.state;
        let mut head = Position {
            epoch,
            offset: state.last_sequence,
        };
        let Some(since) = since else {
            return Ok(Replay {
                is_complete: true,
                entries: Vec::new(),
                head,
            });
        };
        let is_same = since.epoch == epoch && since.offset <= state.last_sequence;
        let first = if is_same { since.offset + 1 } else { 1 };
        let subject = self.names.log(history, room);
        let stored = read(&stream, subject, first).await?;
        let oldest = SystemTime::now()
            .checked_sub(history.age)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let count = stored.len();
        let mut entries: Vec<_> = stored
            .into_iter()
            .filter(|(_, at)| *at >= oldest)
            .map(|(entry, _)| entry)
            .collect();
        let surplus = entries.len().saturating_sub(history.messages);
        entries.drain(..surplus);
        if let Some(last) = entries.last() {
            head.offset = head.offset.max(last.offset);
        }
        // What grew too old for the stream was older than what it has first; and what was pushed
        // out had as many behind it as are kept, and one more.
        let is_complete = is_same && first >= state.first_sequence && entries.len() == count;
        Ok(Replay {
            is_complete,
            entries,
            head,
        })
    }
}

/// Everything on a subject from a sequence on, with when it was stored.
pub(crate) async fn read(
    stream: &Stream,
    subject: String,
    first: u64,
) -> Result<Vec<(Entry, SystemTime)>> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: first.max(1),
        },
        ack_policy: AckPolicy::None,
        filter_subject: subject,
        inactive_threshold: Duration::from_secs(10),
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer = stream
        .create_consumer(config)
        .await
        .map_err(error::failed)?;
    let mut left = usize::try_from(consumer.cached_info().num_pending).unwrap_or(usize::MAX);
    let mut entries = Vec::new();
    while left > 0 {
        let batch = left.min(FETCH);
        let mut messages = consumer
            .fetch()
            .max_messages(batch)
            .messages()
            .await
            .map_err(error::failed)?;
        let mut count = 0;
        while let Some(message) = messages.next().await {
            let message = message.map_err(error::failed)?;
            let info = message.info().map_err(error::failed)?;
            let since_1970 = u64::try_from(info.published.unix_timestamp_nanos() / 1_000_000);
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(since_1970.unwrap_or_default());
            let offset = info.stream_sequence;
            let frame = message.message.payload.clone();
            entries.push((Entry { offset, frame }, at));
            count += 1;
        }
        if count == 0 {
            // The rest was purged in between.
            break;
        }
        left = left.saturating_sub(count);
    }
    // It would go by itself; this is for rooms that are joined often.
    let (stream, name) = (stream.clone(), consumer.cached_info().name.clone());
    tokio::spawn(async move { drop(stream.delete_consumer(&name).await) });
    Ok(entries)
}

/// The place of a message that a stream has published again; `None` if it has none, and an error
/// if it makes no sense.
pub(crate) fn place(message: &Message) -> Result<Option<Place>, &'static str> {
    let Some(headers) = &message.headers else {
        return Ok(None);
    };
    let Some(sequence) = headers.get(NATS_SEQUENCE) else {
        return Ok(None);
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let read = || {
        Some(Place {
            position: Position {
                epoch: u64::from_str_radix(headers.get(EPOCH)?.as_str(), 16).ok()?,
                offset: number(sequence.as_str())?,
            },
            previous: number(headers.get(NATS_LAST_SEQUENCE)?.as_str())?,
        })
    };
    read()
        .map(Some)
        .ok_or("a stored message does not say where it is")
}
