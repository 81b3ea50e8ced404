//! What this node is subscribed to.
//!
//! The client keeps six kilobytes for each subscription. So rooms are spread over buckets, and a few
//! rooms of a bucket are subscribed to one by one; where there are more, the bucket is subscribed to
//! as a whole, and what comes for rooms with nobody here is passed over.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_nats::{Client, Message, Subscriber};
use futures::StreamExt;
use tokio::{sync::oneshot, task::JoinHandle};
use wharf_hub::{
    RoomName,
    bus::{BusEvent, BusListener, Topic},
};

use crate::{
    connection::round_trip,
    history::place,
    names::{Names, bucket},
};

pub(crate) struct Ears {
    client: Client,
    names: Arc<Names>,
    listener: Arc<dyn BusListener>,
    timeout: Duration,
    /// How many rooms of a bucket are subscribed to by themselves.
    apart: usize,
    app: Option<Ear>,
    buckets: HashMap<u16, Bucket>,
}

/// The rooms of one bucket that somebody here is in.
enum Bucket {
    Apart(HashMap<RoomName, Ear>),
    /// It stays so until all of them are left.
    Shared {
        rooms: HashSet<RoomName>,
        _ear: Ear,
    },
}

impl Ears {
    pub(crate) fn new(
        client: Client,
        names: Arc<Names>,
        listener: Arc<dyn BusListener>,
        timeout: Duration,
        apart: usize,
    ) -> Self {
        Self {
            client,
            names,
            listener,
            timeout,
            apart,
            app: None,
            buckets: HashMap::new(),
        }
    }

    /// Subscribes, unless it is.
    pub(crate) async fn listen(&mut self, topic: Topic) {
        let Topic::Room(room) = topic else {
            if self.app.is_none() {
                self.app = self.ear(Vec::new(), self.names.heard_of_app(), None).await;
            }
            return;
        };
        let number = bucket(&room);
        let bucket = self.buckets.remove(&number);
        let bucket = bucket.unwrap_or_else(|| Bucket::Apart(HashMap::new()));
        if let Some(bucket) = self.add(number, bucket, room).await {
            self.buckets.insert(number, bucket);
        }
    }

    async fn add(&self, number: u16, bucket: Bucket, room: RoomName) -> Option<Bucket> {
        let mut ears = match bucket {
            Bucket::Apart(ears) if ears.contains_key(&room) => return Some(Bucket::Apart(ears)),
            Bucket::Apart(ears) => ears,
            Bucket::Shared { mut rooms, _ear } => {
                rooms.insert(room);
                return Some(Bucket::Shared { rooms, _ear });
            }
        };
        if ears.len() < self.apart {
            let subject = self.names.heard(&room);
            if let Some(ear) = self.ear(Vec::new(), subject, Some(&room)).await {
                ears.insert(room, ear);
            }
            return Some(Bucket::Apart(ears));
        }
        let rooms = ears.keys().cloned().chain([room]).collect();
        let before = ears.into_values().collect();
        let ear = self.ear(before, self.names.heard_of_bucket(number), None);
        ear.await.map(|_ear| Bucket::Shared { rooms, _ear })
    }

    /// Ends a subscription; that of a bucket once none of its rooms is left.
    pub(crate) fn forget(&mut self, topic: &Topic) {
        let Topic::Room(room) = topic else {
            self.app = None;
            return;
        };
        let number = bucket(room);
        let is_empty = match self.buckets.get_mut(&number) {
            None => false,
            Some(Bucket::Apart(ears)) => {
                ears.remove(room);
                ears.is_empty()
            }
            Some(Bucket::Shared { rooms, .. }) => {
                rooms.remove(room);
                rooms.is_empty()
            }
        };
        if is_empty {
            self.buckets.remove(&number);
        }
    }

    /// Ends all subscriptions but these.
    pub(crate) fn keep(&mut self, wanted: &HashSet<Topic>) {
        let rooms = self.buckets.values().flat_map(Bucket::rooms);
        let topics = rooms
            .map(|room| Topic::Room(room.clone()))
            .chain([Topic::App]);
        let others: Vec<_> = topics.filter(|topic| !wanted.contains(topic)).collect();
        for topic in &others {
            self.forget(topic);
        }
    }

    /// A subscription, in the place of those before it. What comes meanwhile comes on both: the hub
    /// passes over doubles, and would not over holes.
    async fn ear(&self, before: Vec<Ear>, subject: String, room: Option<&RoomName>) -> Option<Ear> {
        let subscriber = self.client.subscribe(subject).await.ok()?;
        let (stop, stopped) = oneshot::channel();
        let hearing = Hearing {
            names: Arc::clone(&self.names),
            listener: Arc::clone(&self.listener),
            topic: room.cloned().map(Topic::Room),
        };
        let (client, limit) = (self.client.clone(), self.timeout);
        let task = tokio::spawn(async move {
            if !before.is_empty() {
                // What the server sent before it knew of this subscription came for those before it.
                let _ = round_trip(&client, limit).await;
            }
            for ear in before {
                ear.finish().await;
            }
            hearing.hear(subscriber, stopped).await;
        });
        Some(Ear {
            task: Some(task),
            stop: Some(stop),
        })
    }
}

impl Bucket {
    fn rooms(&self) -> Box<dyn Iterator<Item = &RoomName> + '_> {
        match self {
            Self::Apart(ears) => Box::new(ears.keys()),
            Self::Shared { rooms, .. } => Box::new(rooms.iter()),
        }
    }
}

/// A subscription and the task that hears it; dropped, both end.
struct Ear {
    task: Option<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Ear {
    /// Ends it behind what has come for it already.
    async fn finish(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What is done with what a subscription hears.
struct Hearing {
    names: Arc<Names>,
    listener: Arc<dyn BusListener>,
    /// Of whom it hears; `None` if the subject of a message says so.
    topic: Option<Topic>,
}

impl Hearing {
    async fn hear(&self, mut subscriber: Subscriber, mut stopped: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                message = subscriber.next() => match message {
                    Some(message) => self.listener.hear(self.event(message)),
                    None => return,
                },
            }
        }
        let _ = subscriber.unsubscribe().await;
        while let Some(message) = subscriber.next().await {
            self.listener.hear(self.event(message));
        }
    }

    fn event(&self, message: Message) -> BusEvent {
        let topic = self.topic.clone();
        let Some(topic) = topic.or_else(|| self.names.topic(&message.subject)) else {
            return BusEvent::Foreign("a message on a subject that is none of a room's");
        };
        let is_stored = message.subject.ends_with(".h");
        match place(&message) {
            Ok(place) if place.is_some() == is_stored => BusEvent::Frame {
                topic,
                frame: message.payload,
                place,
            },
            Ok(_) => BusEvent::Foreign("a message on a subject that is none of a room's"),
            Err(reason) => BusEvent::Foreign(reason),
        }
    }
}
