//! The way to the server: connected, lost, connected again.
//!
//! The client connects again by itself and subscribes to what it had. This sees to the rest: one
//! task carries out what is asked for, in its order; refuses it while the server is away; and says
//! that it is back once everything that is wanted has been subscribed to.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use async_nats::{Client, Event, Message};
use bytes::Bytes;
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, ready},
    stream::FuturesUnordered,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use wharf_hub::{
    BusStats, History, Position, RoomName,
    bus::{BusEvent, BusFuture, BusListener, Topic},
};
use wharf_sdk::Result;

use crate::{
    connection::Connection,
    error,
    history::{Histories, place},
    lanes::Lanes,
    names::Names,
};

/// What may wait for the server.
const MAX_WAITING: usize = 16 * 1024;
/// How many requests are under way at once.
const MAX_UNDER_WAY: usize = 1024;
/// How often the server is asked whether it is there.
const ECHO_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct Link {
    names: Arc<Names>,
    timeout: Duration,
    queue: mpsc::Sender<Job>,
    jobs: Mutex<Option<mpsc::Receiver<Job>>>,
    lanes: OnceLock<Lanes>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    wanted: HashSet<Topic>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Phase {
    /// Connected, and subscribing: what is asked for waits.
    #[default]
    Joining,
    Up,
    /// What is asked for is refused.
    Down,
}

enum Job {
    Publish(String, Bytes, Answer<()>),
    Append(RoomName, History, Bytes, Answer<Position>),
    Subscribe(Vec<Topic>, Answer<()>),
    Unsubscribe(Vec<Topic>, Answer<()>),
}

type Answer<T> = oneshot::Sender<Result<T>>;

impl Link {
    pub(crate) fn new(names: Arc<Names>, timeout: Duration) -> Arc<Self> {
        let (queue, jobs) = mpsc::channel(MAX_WAITING);
        Arc::new(Self {
            names,
            timeout,
            queue,
            jobs: Mutex::new(Some(jobs)),
            lanes: OnceLock::new(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn start(
        link: &Arc<Self>,
        connection: &Connection,
        histories: &Arc<Histories>,
        listener: Arc<dyn BusListener>,
    ) {
        let (Some(jobs), Some(events)) = (lock(&link.jobs).take(), lock(&connection.events).take())
        else {
            return;
        };
        let _ = link.lanes.set(Lanes::start(MAX_WAITING));
        let worker = Worker {
            link: Arc::downgrade(link),
            names: Arc::clone(&link.names),
            timeout: link.timeout,
            client: connection.client.clone(),
            histories: Arc::clone(histories),
            listener,
            ears: HashMap::new(),
            under_way: FuturesUnordered::new(),
        };
        tokio::spawn(worker.run(jobs, events));
    }

    pub(crate) fn publish(&self, subject: String, frame: Bytes) -> BusFuture<()> {
        self.enqueue(|answer| Job::Publish(subject, frame, answer))
    }

    pub(crate) fn append(
        &self,
        room: &RoomName,
        history: History,
        frame: Bytes,
    ) -> BusFuture<Position> {
        self.enqueue(|answer| Job::Append(room.clone(), history, frame, answer))
    }

    pub(crate) fn subscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        lock(&self.state).wanted.extend(topics.iter().cloned());
        self.enqueue(|answer| Job::Subscribe(topics, answer))
    }

    pub(crate) fn unsubscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        let mut state = lock(&self.state);
        state.wanted.retain(|topic| !topics.contains(topic));
        drop(state);
        self.enqueue(|answer| Job::Unsubscribe(topics, answer))
    }

    /// Asks something that takes no place in the order.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> BusFuture<T> {
        if self.is_down() {
            return ready(Err(error::away())).boxed();
        }
        // It goes on if nobody waits for it.
        let calling = tokio::spawn(call);
        async move { calling.await.unwrap_or_else(|_| Err(error::away())) }.boxed()
    }

    /// Does something behind everything else that was asked for in this room's lane.
    pub(crate) fn in_lane(
        &self,
        room: &RoomName,
        call: impl Future<Output = Result<()>> + Send + 'static,
    ) -> BusFuture<()> {
        if self.is_down() {
            return ready(Err(error::away())).boxed();
        }
        let (answer, answering) = oneshot::channel();
        let (limit, call) = (self.timeout * 2, call.boxed());
        let job = async move {
            let done = timeout(limit, call).await;
            let _ = answer.send(done.unwrap_or_else(|_| Err(error::away())));
        };
        let lanes = self.lanes.get();
        if !lanes.is_some_and(|lanes| lanes.enter(room, job.boxed())) {
            return ready(Err(error::busy())).boxed();
        }
        async move { answering.await.unwrap_or_else(|_| Err(error::away())) }.boxed()
    }

    pub(crate) fn stats(&self) -> BusStats {
        let state = lock(&self.state);
        BusStats {
            connected: state.phase == Phase::Up,
            subscriptions: state.wanted.len(),
        }
    }

    fn is_down(&self) -> bool {
        lock(&self.state).phase == Phase::Down
    }

    fn enqueue<T: Send + 'static>(&self, job: impl FnOnce(Answer<T>) -> Job) -> BusFuture<T> {
        if self.is_down() {
            return ready(Err(error::away())).boxed();
        }
        let (answer, answering) = oneshot::channel();
        if self.queue.try_send(job(answer)).is_err() {
            return ready(Err(error::busy())).boxed();
        }
        async move { answering.await.unwrap_or_else(|_| Err(error::away())) }.boxed()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    link: Weak<Link>,
    names: Arc<Names>,
    timeout: Duration,
    client: Client,
    histories: Arc<Histories>,
    listener: Arc<dyn BusListener>,
    /// A task for each topic that is subscribed to.
    ears: HashMap<Topic, JoinHandle<()>>,
    under_way: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Worker {
    async fn run(
        mut self,
        mut jobs: mpsc::Receiver<Job>,
        mut events: mpsc::UnboundedReceiver<Event>,
    ) {
        let Ok(echo) = self.client.subscribe(self.names.echo()).await else {
            return self.listener.hear(BusEvent::Down(error::away()));
        };
        let mut echo = echo.fuse();
        let mut echo_at = Instant::now();
        // When the last one that has not come back was sent.
        let mut echo_sent: Option<Instant> = None;
        loop {
            let room = self.under_way.len() < MAX_UNDER_WAY;
            let late_at = echo_sent.map_or(echo_at, |sent| sent + self.timeout);
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(Event::Disconnected) => self.go_down(&mut jobs),
                    // It counts as there once it answers.
                    Some(Event::Connected) => (echo_sent, echo_at) = (None, Instant::now()),
                    Some(Event::SlowConsumer(_)) => self.listener.hear(BusEvent::Lost(None)),
                    Some(_) => {}
                    None => return,
                },
                Some(_) = echo.next() => {
                    echo_sent = None;
                    if !self.come_up().await {
                        return;
                    }
                }
                Some(()) = self.under_way.next() => {}
                () = sleep_until(late_at) => {
                    if echo_sent.take().is_some() {
                        // It hangs, or the connection does.
                        self.go_down(&mut jobs);
                        let _ = self.client.force_reconnect().await;
                        echo_at = Instant::now() + ECHO_INTERVAL;
                    } else {
                        echo_sent = Some(Instant::now());
                        echo_at = Instant::now() + ECHO_INTERVAL;
                        let echo = self.client.publish(self.names.echo(), Bytes::new());
                        let _ = timeout(self.timeout, echo).await;
                    }
                }
                job = jobs.recv(), if room => match job {
                    Some(job) => self.begin(job).await,
                    None => return self.end(),
                },
            }
        }
    }

    fn end(&self) {
        for ear in self.ears.values() {
            ear.abort();
        }
    }

    fn go_down(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        let Some(link) = self.link.upgrade() else {
            return;
        };
        let before = std::mem::replace(&mut lock(&link.state).phase, Phase::Down);
        if before == Phase::Down {
            return;
        }
        self.histories.forget();
        // Whoever waits is told at once.
        self.under_way = FuturesUnordered::new();
        while jobs.try_recv().is_ok() {}
        self.listener.hear(BusEvent::Down(error::away()));
    }

    /// The server answers: if it was away, subscribes to what is wanted by now. `false` ends it all.
    async fn come_up(&mut self) -> bool {
        let Some(link) = self.link.upgrade() else {
            return false;
        };
        let wanted = {
            let mut state = lock(&link.state);
            if state.phase == Phase::Up {
                return true;
            }
            // From here on what is asked for waits in the queue, behind this.
            state.phase = Phase::Joining;
            state.wanted.clone()
        };
        self.ears.retain(|topic, ear| {
            let is_wanted = wanted.contains(topic);
            if !is_wanted {
                ear.abort();
            }
            is_wanted
        });
        let total = wanted.len();
        for (at, topic) in wanted.into_iter().enumerate() {
            self.listen(topic).await;
            if at % 32_768 == 32_767 {
                tracing::info!(topics = at + 1, of = total, "subscribing again");
            }
        }
        lock(&link.state).phase = Phase::Up;
        self.listener.hear(BusEvent::Up);
        true
    }

    async fn listen(&mut self, topic: Topic) {
        if self.ears.contains_key(&topic) {
            return;
        }
        let Ok(mut subscriber) = self.client.subscribe(self.names.heard(&topic)).await else {
            return;
        };
        let (listener, own) = (Arc::clone(&self.listener), topic.clone());
        let ear = tokio::spawn(async move {
            while let Some(message) = subscriber.next().await {
                listener.hear(to_event(&own, message));
            }
        });
        self.ears.insert(topic, ear);
    }

    async fn begin(&mut self, job: Job) {
        match job {
            Job::Publish(subject, frame, answer) => {
                let sent = self.client.publish(subject, frame).await;
                let _ = answer.send(sent.map_err(error::failed));
            }
            Job::Append(room, history, frame, answer) => {
                match self.start_append(&room, history, frame).await {
                    Ok(appending) => {
                        let histories = Arc::clone(&self.histories);
                        let appending = async move {
                            let appended = appending.await;
                            if appended.is_err() {
                                // The stream may be gone, and another in its place.
                                histories.forget();
                            }
                            let _ = answer.send(appended);
                        };
                        self.under_way.push(appending.boxed());
                    }
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
            Job::Subscribe(topics, answer) => {
                for topic in topics {
                    self.listen(topic).await;
                }
                self.under_way.push(self.confirm(answer));
            }
            Job::Unsubscribe(topics, answer) => {
                for topic in topics {
                    if let Some(ear) = self.ears.remove(&topic) {
                        ear.abort();
                    }
                }
                let _ = answer.send(Ok(()));
            }
        }
    }

    async fn start_append(
        &mut self,
        room: &RoomName,
        history: History,
        frame: Bytes,
    ) -> Result<impl Future<Output = Result<Position>> + Send + use<>> {
        let epoch = timeout(self.timeout, self.histories.find_epoch(history)).await;
        let epoch = epoch.unwrap_or_else(|_| Err(error::away()))?;
        self.histories
            .start_append(room, history, epoch, frame)
            .await
    }

    /// Answers once the server has taken everything that was sent before.
    fn confirm(&self, answer: Answer<()>) -> BoxFuture<'static, ()> {
        let (client, limit) = (self.client.clone(), self.timeout);
        async move {
            let inbox = client.new_inbox();
            let confirming = async {
                let mut echo = client.subscribe(inbox.clone()).await.ok()?;
                client.publish(inbox, Bytes::new()).await.ok()?;
                echo.next().await
            };
            let came = timeout(limit, confirming).await.ok().flatten();
            let _ = answer.send(came.map(drop).ok_or_else(error::away));
        }
        .boxed()
    }
}

fn to_event(topic: &Topic, message: Message) -> BusEvent {
    let is_stored = message.subject.ends_with(".h");
    match place(&message) {
        Ok(place) if place.is_some() == is_stored => BusEvent::Frame {
            topic: topic.clone(),
            frame: message.payload,
            place,
        },
        Ok(_) => BusEvent::Foreign("a message on a subject that is none of a room's"),
        Err(reason) => BusEvent::Foreign(reason),
    }
}
