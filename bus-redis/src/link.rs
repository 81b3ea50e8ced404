//! The way to the server: connected, lost, connected again.
//!
//! One task has two connections, one for commands and one to hear on, which live and die together.
//! Everything waits for it in one queue, so that it is carried out in the order in which it was
//! asked for; what is under way at once is answered in that order, too.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, future::ready, stream::FuturesOrdered};
use redis::{Cmd, PushInfo, PushKind, RedisError, Value};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep, sleep_until, timeout},
};
use wharf_hub::bus::{BusEvent, BusFuture, BusListener, BusStats, Standing, Topic, retry_pause};
use wharf_sdk::Error;

use crate::{
    Builder,
    connection::{self, Connection, OnPush},
    error,
    history::{bytes, take_place},
    names::Names,
    packet::{Answer, Packet},
};

/// What may wait for the server.
const MAX_WAITING: usize = 16 * 1024;
/// How many commands go in one packet, and how many packets are under way.
const BATCH: usize = 256;
const BATCHES_UNDER_WAY: usize = 32;
/// The same in a cluster, whose client may send what is under way in any order.
const BATCHES_UNDER_WAY_IN_A_CLUSTER: usize = 1;
/// How many channels are subscribed to by one command.
const SUBSCRIBE_BATCH: usize = 512;
/// How often the connections are tried while nothing else is.
const PING_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct Link {
    queue: mpsc::Sender<Job>,
    jobs: Mutex<Option<mpsc::Receiver<Job>>>,
    standing: Arc<Standing>,
}

enum Job {
    Commands(Vec<Cmd>, Answer<Vec<Value>>),
    Subscribe(Vec<Topic>, Answer<()>),
    Unsubscribe(Vec<Topic>, Answer<()>),
}

impl Link {
    pub(crate) fn new() -> Arc<Self> {
        let (queue, jobs) = mpsc::channel(MAX_WAITING);
        Arc::new(Self {
            queue,
            jobs: Mutex::new(Some(jobs)),
            standing: Arc::default(),
        })
    }

    pub(crate) fn start(
        link: &Arc<Self>,
        names: &Arc<Names>,
        builder: &Builder,
        listener: Arc<dyn BusListener>,
    ) {
        let jobs = link
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(jobs) = jobs {
            let worker = Worker {
                standing: Arc::downgrade(&link.standing),
                names: Arc::clone(names),
                builder: builder.clone(),
                listener,
                jobs,
            };
            tokio::spawn(worker.run());
        }
    }

    pub(crate) fn send(&self, commands: Vec<Cmd>) -> BusFuture<Vec<Value>> {
        self.enqueue(|answer| Job::Commands(commands, answer))
    }

    pub(crate) fn subscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        self.standing.want(&topics);
        self.enqueue(|answer| Job::Subscribe(topics, answer))
    }

    pub(crate) fn unsubscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        self.standing.want_no_more(&topics);
        self.enqueue(|answer| Job::Unsubscribe(topics, answer))
    }

    pub(crate) fn stats(&self) -> BusStats {
        self.standing.stats()
    }

    fn enqueue<T: Send + 'static>(&self, job: impl FnOnce(Answer<T>) -> Job) -> BusFuture<T> {
        if self.standing.is_down() {
            return ready(Err(error::away())).boxed();
        }
        let (answer, answering) = oneshot::channel();
        if self.queue.try_send(job(answer)).is_err() {
            return ready(Err(error::busy())).boxed();
        }
        async move { answering.await.unwrap_or_else(|_| Err(error::away())) }.boxed()
    }
}

struct Worker {
    standing: Weak<Standing>,
    names: Arc<Names>,
    builder: Builder,
    listener: Arc<dyn BusListener>,
    jobs: mpsc::Receiver<Job>,
}

/// Why a connection is of no more use.
enum End {
    /// Nobody has the bus any more.
    Over,
    Broken(Error),
}

impl Worker {
    async fn run(mut self) {
        let mut attempts = 0;
        loop {
            let error = match self.connect().await {
                Ok((commands, ears, hung_up)) => {
                    attempts = 0;
                    match self.live(commands, ears, &hung_up).await {
                        End::Over => return,
                        End::Broken(error) => error,
                    }
                }
                Err(error) => error,
            };
            let Some(standing) = self.standing.upgrade() else {
                return;
            };
            standing.go_down();
            drop(standing);
            self.listener.hear(BusEvent::Down(error));
            // Whoever waits in the queue is told at once.
            while self.jobs.try_recv().is_ok() {}
            sleep(retry_pause(attempts, self.builder.retry_within)).await;
            attempts += 1;
        }
    }

    async fn connect(&self) -> Result<(Connection, Connection, Arc<Notify>), Error> {
        let hung_up = Arc::new(Notify::new());
        let (names, listener) = (Arc::clone(&self.names), Arc::clone(&self.listener));
        let bell = Arc::clone(&hung_up);
        let on_push: OnPush = Arc::new(move |push| hear(&names, &*listener, &bell, push));
        let bell = Arc::clone(&hung_up);
        let on_end: OnPush = Arc::new(move |push| {
            if push.kind == PushKind::Disconnection {
                bell.notify_one();
            }
        });
        let is_cluster = self.names.is_cluster();
        let opening = async {
            let commands = connection::open(&self.builder, is_cluster, Some(on_end)).await?;
            let ears = connection::open(&self.builder, is_cluster, Some(on_push)).await?;
            Ok((commands, ears))
        };
        match timeout(self.builder.timeout * 2, opening).await {
            Ok(opened) => opened.map(|(commands, ears)| (commands, ears, hung_up)),
            Err(_) => Err(error::away()),
        }
    }

    /// Subscribes to everything that is wanted, then carries out what is asked for.
    async fn live(
        &mut self,
        mut commands: Connection,
        mut ears: Connection,
        hung_up: &Notify,
    ) -> End {
        let Some(standing) = self.standing.upgrade() else {
            return End::Over;
        };
        // From here on what is asked for waits in the queue, behind this.
        let wanted: Vec<_> = standing.join().into_iter().flatten().collect();
        drop(standing);
        let total = wanted.len();
        let batches = self.batches(&wanted);
        for (at, batch) in batches.iter().enumerate() {
            if let Err(error) = ears.subscribe(batch).await {
                return End::Broken(error::failed(error));
            }
            if at % 64 == 63 {
                tracing::info!(batch = at + 1, of = batches.len(), "subscribing again");
            }
        }
        tracing::debug!(topics = total, "subscribed");
        if let Some(standing) = self.standing.upgrade() {
            standing.come_up();
        }
        self.listener.hear(BusEvent::Up);
        let mut under_way: FuturesOrdered<BoxFuture<'static, Option<Error>>> =
            FuturesOrdered::new();
        let mut batch = Vec::new();
        let mut ping_at = Instant::now() + PING_INTERVAL;
        let most_under_way = match self.names.is_cluster() {
            true => BATCHES_UNDER_WAY_IN_A_CLUSTER,
            false => BATCHES_UNDER_WAY,
        };
        loop {
            tokio::select! {
                biased;
                Some(broken) = under_way.next() => {
                    if let Some(error) = broken {
                        return End::Broken(error);
                    }
                }
                () = hung_up.notified() => return End::Broken(error::away()),
                count = self.jobs.recv_many(&mut batch, BATCH),
                    if under_way.len() < most_under_way =>
                {
                    if count == 0 {
                        return End::Over;
                    }
                    self.begin(&mut batch, &mut commands, &mut ears, &mut under_way);
                }
                () = sleep_until(ping_at) => {
                    ping_at = Instant::now() + PING_INTERVAL;
                    if under_way.len() < most_under_way {
                        under_way.push_back(ping(commands.clone(), ears.clone()).boxed());
                    }
                }
            }
        }
    }

    /// Begins what has been asked for, in its order.
    fn begin(
        &self,
        batch: &mut Vec<Job>,
        commands: &mut Connection,
        ears: &mut Connection,
        under_way: &mut FuturesOrdered<BoxFuture<'static, Option<Error>>>,
    ) {
        let mut packet = Packet::default();
        for job in batch.drain(..) {
            match job {
                Job::Commands(asked, answer) => {
                    packet.add(asked, answer);
                }
                Job::Subscribe(topics, answer) => {
                    let (mut ears, batches) = (ears.clone(), self.batches(&topics));
                    let subscribing = async move {
                        let mut done = Ok(());
                        for batch in batches {
                            done = done.and(ears.subscribe(&batch).await);
                        }
                        finish(answer, done)
                    };
                    under_way.push_back(subscribing.boxed());
                }
                Job::Unsubscribe(topics, answer) => {
                    let (mut ears, batches) = (ears.clone(), self.batches(&topics));
                    let unsubscribing = async move {
                        let mut done = Ok(());
                        for batch in batches {
                            done = done.and(ears.unsubscribe(&batch).await);
                        }
                        finish(answer, done)
                    };
                    under_way.push_back(unsubscribing.boxed());
                }
            }
        }
        if !packet.is_empty() {
            under_way.push_back(packet.send(commands.clone()).boxed());
        }
    }

    /// The channels of topics, in batches of what lies together.
    fn batches(&self, topics: &[Topic]) -> Vec<Vec<String>> {
        let mut by_tag: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for topic in topics {
            let channel = self.names.channel(topic);
            let tag = channel.split(':').take(2).collect::<Vec<_>>().join(":");
            let key = if self.names.is_cluster() {
                tag
            } else {
                String::new()
            };
            by_tag.entry(key).or_default().push(channel);
        }
        by_tag
            .values()
            .flat_map(|channels| channels.chunks(SUBSCRIBE_BATCH))
            .map(<[String]>::to_vec)
            .collect()
    }
}

fn finish(answer: Answer<()>, done: Result<(), RedisError>) -> Option<Error> {
    let is_broken = done.as_ref().is_err_and(error::is_broken);
    let _ = answer.send(done.map_err(error::failed));
    is_broken.then(error::away)
}

async fn ping(mut commands: Connection, mut ears: Connection) -> Option<Error> {
    let ping = redis::cmd("PING");
    for connection in [&mut commands, &mut ears] {
        if let Err(cause) = connection.one(&ping).await {
            return Some(error::failed(cause));
        }
    }
    None
}

/// Takes what the server pushes.
fn hear(names: &Names, listener: &dyn BusListener, hung_up: &Notify, mut push: PushInfo) {
    match push.kind {
        PushKind::Message | PushKind::SMessage => {
            let [channel, payload] = &mut push.data[..] else {
                return listener.hear(BusEvent::Foreign("a message without a payload"));
            };
            let channel = bytes(mem::replace(channel, Value::Nil)).unwrap_or_default();
            let topic = std::str::from_utf8(&channel)
                .ok()
                .and_then(|channel| names.topic(channel));
            let payload = bytes(mem::replace(payload, Value::Nil));
            let placed = payload.and_then(take_place);
            let event = match (topic, placed) {
                (Some(topic), Some((frame, place))) => BusEvent::Frame {
                    topic,
                    frame,
                    place,
                },
                _ => BusEvent::Foreign("a message on a channel that is none of a room's"),
            };
            listener.hear(event);
        }
        PushKind::Disconnection => hung_up.notify_one(),
        _ => {}
    }
}
