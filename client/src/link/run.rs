//! The life of a link.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use wharf_sdk::{
    CloseCode, CloseOutcome, Error, ErrorKind, Initiator, Message, Result, Sender, Socket,
};

use super::{
    Event,
    attempt::{Attempt, Source},
    backoff::Backoff,
    ending::{Ending, Final, Why, is_own_wish},
    shared::Shared,
};
use crate::{client::Client, rejected::Rejected, request::Request, target::with_parameter};

pub(super) struct Run {
    pub(super) client: Client,
    pub(super) source: Arc<Source>,
    pub(super) backoff: Backoff,
    pub(super) request_timeout: Duration,
    pub(super) is_final: Arc<Final>,
    pub(super) position_of: Option<fn(&Message) -> Option<String>>,
    pub(super) random: fn() -> f64,
    pub(super) shared: Arc<Shared>,
    pub(super) events: mpsc::Sender<Event>,
}

/// Nobody takes events any more.
struct Dropped;

impl Run {
    pub(super) async fn until_final(mut self) {
        // On every path, a panic of the application's functions included, senders hear of the end.
        let _end = EndGuard(Arc::clone(&self.shared));
        // Nobody is left to be told.
        let _ = self.live().await;
    }

    async fn live(&mut self) -> Result<(), Dropped> {
        let mut attempt = 0;
        let mut was_connected = false;
        loop {
            attempt += 1;
            let mut lasted = Duration::ZERO;
            let mut unconfirmed_messages = 0;
            let connecting = self.connect(attempt);
            let why = match self.unless_closed(connecting).await {
                None => Why::Closed(own_close(&self.shared)),
                Some(Err(error)) => Why::Failed(error),
                Some(Ok((socket, handed_position))) => {
                    let began = Instant::now();
                    self.shared.lock().is_connected = true;
                    self.tell(Event::Connected {
                        again: was_connected,
                    })
                    .await?;
                    if was_connected && !handed_position {
                        self.tell(Event::Gap).await?;
                    }
                    was_connected = true;
                    let outcome = self.serve(socket).await?;
                    let mut state = self.shared.lock();
                    state.is_connected = false;
                    unconfirmed_messages = state.outgoing.handle_end();
                    drop(state);
                    lasted = began.elapsed();
                    Why::Closed(outcome)
                }
            };
            let is_stable = self.backoff.is_stable(lasted);
            let mut ending = Ending {
                why,
                lasted,
                is_stable,
                attempt,
                retry_in: None,
                unconfirmed_messages,
                unsent_messages: 0,
            };
            if is_stable {
                attempt = 0;
                self.backoff.reset();
            }
            if is_own_wish(&ending.why) || (self.is_final)(&ending) {
                ending.unsent_messages = self.end();
                return self.tell(Event::Disconnected(ending)).await;
            }
            let retry_after = ending.rejected().and_then(Rejected::retry_after);
            let wait = self.backoff.wait((self.random)(), retry_after);
            ending.retry_in = Some(wait);
            self.tell(Event::Disconnected(ending)).await?;
            // A wish to close ends the wait; the next round sees it.
            self.unless_closed(sleep(wait)).await;
        }
    }

    /// One connection, and whether it was asked for what came since a position.
    fn connect(&self, number: u32) -> BoxFuture<'static, Result<(Socket, bool)>> {
        let position = self.shared.lock().position.clone();
        let (source, client) = (Arc::clone(&self.source), self.client.clone());
        let request_timeout = self.request_timeout;
        async move {
            let attempt = Attempt {
                number,
                position: position.clone(),
            };
            let mut request: Request = match timeout(request_timeout, source(attempt)).await {
                Ok(request) => request?,
                Err(_) => {
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        "WHARF_REQUEST_TIMEOUT",
                        "the function that makes the request took too long; bound what it waits for",
                    ));
                }
            };
            if let Some(position) = &position {
                request.url = with_parameter(&request.url, "since", position);
            }
            let socket = client.connect(request).await?;
            Ok((socket, position.is_some()))
        }
        .boxed()
    }

    /// Waits for `work`, or for the wish to close.
    async fn unless_closed<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let closed = async {
            while self.shared.lock().closing.is_none() {
                self.shared.work.notified().await;
            }
        };
        tokio::select! {
            biased;
            () = closed => None,
            done = work => Some(done),
        }
    }

    /// Reads and writes until the connection ends.
    async fn serve(&self, mut socket: Socket) -> Result<CloseOutcome, Dropped> {
        let sender = socket.sender();
        let write = self.write(&sender);
        let read = self.read(&mut socket);
        tokio::select! {
            result = read => result?,
            // It ends with the connection only, and not before what came is read.
            never = write => match never {},
        }
        socket.closed().await;
        Ok(socket.outcome().unwrap_or_else(|| CloseOutcome {
            code: CloseCode::ABNORMAL,
            reason: Default::default(),
            clean: false,
            initiator: Initiator::Peer,
        }))
    }

    async fn read(&self, socket: &mut Socket) -> Result<(), Dropped> {
        loop {
            match socket.read().await {
                Ok(Some(Message::Pong(payload))) => {
                    self.shared.lock().outgoing.handle_pong(&payload);
                    self.shared.work.notify_one();
                }
                Ok(Some(message)) if message.is_data() => {
                    if let Some(position) = self.position_of.and_then(|read| read(&message)) {
                        self.shared.set_position(position);
                    }
                    self.tell(Event::Message(message)).await?;
                }
                // Other control frames, and messages over a rate that is limited by an error.
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => return Ok(()),
            }
        }
    }

    async fn write(&self, sender: &Sender) -> std::convert::Infallible {
        loop {
            self.hand_over(sender).await;
            // In one look, so that a message that comes in between is not closed over.
            let (ping, closing) = {
                let mut state = self.shared.lock();
                let is_idle = state.outgoing.next().is_none();
                let closing = state.closing.clone().filter(|_| is_idle);
                (state.outgoing.poll_ping(), closing)
            };
            if let Some(payload) = ping {
                // It fails where the session has ended, which the reader hears.
                let _ = sender.ping(Bytes::copy_from_slice(&payload));
            }
            if let Some(frame) = closing {
                let _ = sender.start_close(frame.code(), frame.reason().clone());
            }
            self.shared.work.notified().await;
        }
    }

    /// Hands over what waits, and waits until it has left.
    async fn hand_over(&self, sender: &Sender) {
        loop {
            let Some(message) = self.shared.lock().outgoing.next().cloned() else {
                break;
            };
            // Dropped in the middle, it took nothing; behind it there is nothing to be dropped at.
            if sender.send(message).await.is_err() {
                return std::future::pending().await;
            }
            self.shared.lock().outgoing.handed_over();
            self.shared.room.notify_waiters();
        }
        sender.flush().await;
    }

    async fn tell(&self, event: Event) -> Result<(), Dropped> {
        self.events.send(event).await.map_err(|_| Dropped)
    }

    /// Takes no more messages; returns how many waited in vain.
    fn end(&self) -> u64 {
        let mut state = self.shared.lock();
        state.has_ended = true;
        let unsent = state.outgoing.clear();
        drop(state);
        self.shared.room.notify_waiters();
        unsent
    }
}

/// How a link ends that was closed while it had no connection.
fn own_close(shared: &Shared) -> CloseOutcome {
    let closing = shared.lock().closing.clone();
    let (code, reason) = match closing {
        Some(frame) => (frame.code(), frame.reason().clone()),
        None => (CloseCode::NORMAL, Default::default()),
    };
    CloseOutcome {
        code,
        reason,
        clean: true,
        initiator: Initiator::Handler,
    }
}

struct EndGuard(Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_ended = true;
        state.is_connected = false;
        state.outgoing.clear();
        drop(state);
        self.0.room.notify_waiters();
    }
}
