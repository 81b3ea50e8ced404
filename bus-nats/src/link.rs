//! The way to the server: what is asked of it, in its order, as long as it is there.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_nats::Client;
use bytes::Bytes;
use futures::{FutureExt, future::ready, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use wharf_hub::{
    History, Position, RoomName,
    bus::{BusFuture, BusListener, BusStats, Standing, Topic},
};
use wharf_sdk::Result;

use crate::{
    connection::Connection,
    ears::Ears,
    error,
    history::Histories,
    jobs::{Answer, Job, Line, Turn},
    lanes::Lanes,
    names::Names,
    worker::Worker,
};

/// What may wait for the server.
const MAX_WAITING: usize = 16 * 1024;

pub(crate) struct Link {
    names: Arc<Names>,
    timeout: Duration,
    apart: usize,
    queue: mpsc::Sender<(Turn, Job)>,
    jobs: Mutex<Option<mpsc::Receiver<(Turn, Job)>>>,
    line: Line,
    client: OnceLock<Client>,
    lanes: OnceLock<Lanes>,
    standing: Arc<Standing>,
}

impl Link {
    pub(crate) fn new(names: Arc<Names>, timeout: Duration, apart: usize) -> Arc<Self> {
        let (queue, jobs) = mpsc::channel(MAX_WAITING);
        Arc::new(Self {
            names,
            timeout,
            apart,
            queue,
            jobs: Mutex::new(Some(jobs)),
            line: Line::default(),
            client: OnceLock::new(),
            lanes: OnceLock::new(),
            standing: Arc::default(),
        })
    }

    pub(crate) fn start(
        link: &Arc<Self>,
        connection: &Connection,
        histories: &Arc<Histories>,
        listener: Arc<dyn BusListener>,
    ) {
        let jobs = lock(&link.jobs).take();
        let (Some(jobs), Some(events)) = (jobs, lock(&connection.events).take()) else {
            return;
        };
        let _ = link.lanes.set(Lanes::start(MAX_WAITING));
        let _ = link.client.set(connection.client.clone());
        let (client, names) = (connection.client.clone(), Arc::clone(&link.names));
        let worker = Worker {
            standing: Arc::downgrade(&link.standing),
            echo: names.echo(),
            timeout: link.timeout,
            client: client.clone(),
            histories: Arc::clone(histories),
            ears: Ears::new(
                client,
                names,
                Arc::clone(&listener),
                link.timeout,
                link.apart,
            ),
            listener,
            under_way: FuturesUnordered::new(),
        };
        tokio::spawn(worker.run(jobs, events));
    }

    pub(crate) fn publish(&self, subject: String, frame: Bytes) -> BusFuture<()> {
        if self.publish_at_once(&subject, &frame) {
            return ready(Ok(())).boxed();
        }
        self.enqueue(|answer| Job::Publish(subject, frame, answer))
    }

    /// Hands a frame to the client without the worker in between, where nothing waits that would have
    /// to go before it, and the client has room for it.
    fn publish_at_once(&self, subject: &str, frame: &Bytes) -> bool {
        if !self.line.is_empty() || !self.standing.is_up() {
            return false;
        }
        let sending = self
            .client
            .get()
            .map(|client| client.publish(subject.to_owned(), frame.clone()));
        // Without room for it nothing has been sent.
        sending
            .and_then(FutureExt::now_or_never)
            .is_some_and(|sent| sent.is_ok())
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
        self.standing.want(&topics);
        self.enqueue(|answer| Job::Subscribe(topics, answer))
    }

    pub(crate) fn unsubscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        self.standing.want_no_more(&topics);
        self.enqueue(|answer| Job::Unsubscribe(topics, answer))
    }

    /// Asks something that takes no place in the order.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> BusFuture<T> {
        if self.standing.is_down() {
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
        if self.standing.is_down() {
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
        self.standing.stats()
    }

    fn enqueue<T: Send + 'static>(&self, job: impl FnOnce(Answer<T>) -> Job) -> BusFuture<T> {
        if self.standing.is_down() {
            return ready(Err(error::away())).boxed();
        }
        let (answer, answering) = oneshot::channel();
        if self
            .queue
            .try_send((self.line.enter(), job(answer)))
            .is_err()
        {
            return ready(Err(error::busy())).boxed();
        }
        async move { answering.await.unwrap_or_else(|_| Err(error::away())) }.boxed()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
