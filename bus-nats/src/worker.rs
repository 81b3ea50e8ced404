//! What carries out what is asked of the server.
//!
//! The client connects again by itself and subscribes to what it had. This sees to the rest: one
//! task carries out what is asked for, in its order; refuses it while the server is away; and says
//! that it is back once everything that is wanted has been subscribed to.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_nats::{Client, Event};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use wharf_hub::{
    History, Position, RoomName,
    bus::{BusEvent, BusListener, Standing},
};
use wharf_sdk::Result;

use crate::{
    connection::round_trip,
    ears::Ears,
    error,
    history::Histories,
    jobs::{Answer, Job, Turn},
};

/// How many requests are under way at once.
const MAX_UNDER_WAY: usize = 1024;
/// How often the server is asked whether it is there.
const ECHO_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct Worker {
    pub(crate) standing: Weak<Standing>,
    /// Where the server is asked whether it is there.
    pub(crate) echo: String,
    pub(crate) timeout: Duration,
    pub(crate) client: Client,
    pub(crate) histories: Arc<Histories>,
    pub(crate) listener: Arc<dyn BusListener>,
    pub(crate) ears: Ears,
    pub(crate) under_way: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Worker {
    pub(crate) async fn run(
        mut self,
        mut jobs: mpsc::Receiver<(Turn, Job)>,
        mut events: mpsc::UnboundedReceiver<Event>,
    ) {
        let Ok(echo) = self.client.subscribe(self.echo.clone()).await else {
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
                        self.hang_up(&mut jobs).await;
                        echo_at = Instant::now() + ECHO_INTERVAL;
                    } else {
                        echo_sent = Some(Instant::now());
                        echo_at = Instant::now() + ECHO_INTERVAL;
                        let echo = self.client.publish(self.echo.clone(), Bytes::new());
                        let _ = timeout(self.timeout, echo).await;
                    }
                }
                job = jobs.recv(), if room => match job {
                    Some((turn, job)) => {
                        // The client takes nothing more while it cannot get rid of what it has.
                        let begun = timeout(self.timeout * 2, self.begin(job)).await;
                        drop(turn);
                        if begun.is_err() {
                            self.hang_up(&mut jobs).await;
                            (echo_sent, echo_at) = (None, Instant::now() + ECHO_INTERVAL);
                        }
                    }
                    None => return,
                },
            }
        }
    }

    /// The server does not answer: it counts as away, and the client is to connect again.
    async fn hang_up(&mut self, jobs: &mut mpsc::Receiver<(Turn, Job)>) {
        self.go_down(jobs);
        // A client that takes nothing does so by itself.
        let _ = timeout(self.timeout, self.client.force_reconnect()).await;
    }

    fn go_down(&mut self, jobs: &mut mpsc::Receiver<(Turn, Job)>) {
        let standing = self.standing.upgrade();
        if !standing.is_some_and(|standing| standing.go_down()) {
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
        let Some(standing) = self.standing.upgrade() else {
            return false;
        };
        // From here on what is asked for waits in the queue, behind this.
        let Some(wanted) = standing.join() else {
            return true;
        };
        self.ears.keep(&wanted);
        let total = wanted.len();
        for (at, topic) in wanted.into_iter().enumerate() {
            self.ears.listen(topic).await;
            if at % 32_768 == 32_767 {
                tracing::info!(topics = at + 1, of = total, "subscribing again");
            }
        }
        standing.come_up();
        self.listener.hear(BusEvent::Up);
        true
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
                    self.ears.listen(topic).await;
                }
                self.under_way.push(self.confirm(answer));
            }
            Job::Unsubscribe(topics, answer) => {
                for topic in &topics {
                    self.ears.forget(topic);
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
            let came = round_trip(&client, limit).await;
            let _ = answer.send(came.ok_or_else(error::away));
        }
        .boxed()
    }
}
