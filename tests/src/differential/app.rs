//! The app that the rounds are played against, and the ledger in which its handlers and observers
//! write down what they saw.

use std::{
    collections::HashMap,
    fmt,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt, SinkExt, StreamExt};
use tokio::sync::{Notify, mpsc};
use wharf_sdk::{
    App, Configure, ConnectionId, Context, Error, Message, Next, Observer, Result, Route,
    SessionInfo, Socket, State, WebSocket, WebSocketExt,
    middleware::from_fn,
    observer::{Closed, Rejection},
};

use super::{
    script::{Actor, Manner, Reaction, Script, Stop},
    terms,
    transcript::{HANDLER, OBSERVERS, REASONS, Transcript, describe},
};

/// Longer than anything takes, on a busy machine too: how fast the machine is must not show.
const NEVER: Duration = Duration::from_secs(300);

/// Makes the app; what happens to its sessions is written into the ledger.
pub(super) fn app(ledger: &Ledger) -> App {
    let found = ledger.clone();
    let introduce = from_fn(move |context: Context, next: Next| {
        found.introduce(&context);
        async move { Ok(next.run(context).await) }
    });
    let app = terms::all().iter().fold(App::builder(), |app, terms| {
        app.route(terms.apply(Route::new(terms.path, handle)))
    });
    without_timers(app)
        .state(ledger.clone())
        .observer(ledger.clone())
        .middleware(introduce)
        .build()
        .expect("a valid app")
}

/// What is so on every route, and in every client: how fast the machine is must not show.
pub(super) fn without_timers<C: Configure>(configured: C) -> C {
    configured
        .no_heartbeat()
        .close_timeout(NEVER)
        .write_deadline(NEVER)
}

/// What the sessions of an app were and saw, by the number that their client gave them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pages: Mutex<HashMap<u64, Arc<Page>>>,
    numbers: Mutex<HashMap<ConnectionId, u64>>,
    /// What was told of sessions that were over already.
    strays: Mutex<Vec<String>>,
}

/// One session's part of the ledger.
#[derive(Debug)]
pub(super) struct Page {
    script: Script,
    manner: Manner,
    transcript: Mutex<Transcript>,
    is_over: Notify,
}

impl Ledger {
    /// Opens a page for a session to come.
    pub(super) fn open(&self, number: u64, script: &Script, manner: Manner) -> Arc<Page> {
        let page = Arc::new(Page {
            script: script.clone(),
            manner,
            transcript: Mutex::default(),
            is_over: Notify::new(),
        });
        lock(&self.0.pages).insert(number, Arc::clone(&page));
        page
    }

    /// Closes a page: what is told of its session from now on is a stray.
    pub(super) fn close(&self, number: u64) {
        lock(&self.0.pages).remove(&number);
        lock(&self.0.numbers).retain(|_, other| *other != number);
    }

    /// What was told of sessions after their end.
    pub(super) fn strays(&self) -> Vec<String> {
        lock(&self.0.strays).clone()
    }

    fn introduce(&self, context: &Context) {
        if let Some(number) = number_of(context) {
            lock(&self.0.numbers).insert(context.id(), number);
        }
    }

    fn page(&self, id: ConnectionId) -> Option<Arc<Page>> {
        let number = *lock(&self.0.numbers).get(&id)?;
        lock(&self.0.pages).get(&number).cloned()
    }

    fn tell(&self, id: ConnectionId, told: &Told<'_>) {
        match self.page(id) {
            Some(page) => page.hear(told),
            None => lock(&self.0.strays).push(told.to_string()),
        }
    }
}

/// What observers are told.
pub(super) enum Told<'a> {
    /// By the route's path.
    Upgraded(&'a str),
    Rejected(u16),
    Closed(&'a Closed<'a>),
    Failed(&'a Error),
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upgraded(path) => write!(f, "upgraded at {path}"),
            Self::Rejected(status) => write!(f, "rejected with {status}"),
            Self::Closed(Closed {
                outcome, counts, ..
            }) => write!(
                f,
                "closed {}, clean: {}, by the {}, in {}/{}, out {}/{}, dropped {}",
                outcome.code,
                outcome.clean,
                outcome.initiator,
                counts.messages_in,
                counts.bytes_in,
                counts.messages_out,
                counts.bytes_out,
                counts.messages_dropped,
            ),
            Self::Failed(error) => {
                let phase = error.phase().map_or("no", |phase| phase.as_str());
                write!(f, "failed {} in {phase} phase", error.code())
            }
        }
    }
}

impl Page {
    /// What the server's side saw, once the observers were told that the session has closed.
    pub(super) async fn when_over(&self) -> Transcript {
        self.is_over.notified().await;
        lock(&self.transcript).clone()
    }

    /// What the server's side has seen so far.
    pub(super) fn so_far(&self) -> Transcript {
        lock(&self.transcript).clone()
    }

    /// Writes down what an observer was told.
    pub(super) fn hear(&self, told: &Told<'_>) {
        self.add(OBSERVERS, told.to_string());
        if let Told::Closed(closed) = told {
            self.add(REASONS, format!("outcome {:?}", closed.outcome.reason));
            self.is_over.notify_one();
        }
    }

    fn add(&self, strand: &'static str, line: impl Into<String>) {
        lock(&self.transcript).add(strand, line);
    }
}

impl Observer for Ledger {
    fn upgraded(&self, session: &SessionInfo) {
        self.tell(session.id(), &Told::Upgraded(session.pattern()));
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        let told = Told::Rejected(rejection.status.as_u16());
        self.tell(rejection.context.id(), &told);
    }

    fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
        self.tell(session.id(), &Told::Closed(closed));
    }

    fn failed(&self, session: &SessionInfo, error: &Error) {
        self.tell(session.id(), &Told::Failed(error));
    }
}

/// Notes that a handler is over, on whatever path.
struct Over(Arc<Page>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.add(HANDLER, "over");
    }
}

async fn handle(State(ledger): State<Ledger>, context: Context, socket: Socket) -> Result<()> {
    let page = ledger.page(context.id()).expect("a page for every session");
    act(page, socket).await
}

/// Does what is on the page.
pub(super) async fn act(page: Arc<Page>, socket: Socket) -> Result<()> {
    let over = Over(page);
    let mut stage = Stage {
        page: &over.0,
        actor: Actor::new(&over.0.script),
    };
    stage.act(socket).await
}

fn number_of(context: &Context) -> Option<u64> {
    context.query()?.parse().ok()
}

/// A handler at work.
struct Stage<'a> {
    page: &'a Page,
    actor: Actor,
}

impl Stage<'_> {
    async fn act(&mut self, mut socket: Socket) -> Result<()> {
        let manner = self.page.manner;
        let mut elsewhere = (manner == Manner::Elsewhere).then(|| write_elsewhere(&socket));
        let mut reaction = self.actor.begin();
        loop {
            let stop = reaction.stop.take();
            match &mut elsewhere {
                Some(outbound) => {
                    // The other task ends with the session.
                    let _ = outbound.send(reaction);
                }
                None => self.say(&mut socket, reaction).await?,
            }
            if let Some(stop) = stop {
                return self.stop(&mut socket, stop).await;
            }
            let Some(message) = read(&mut socket, manner).await? else {
                break;
            };
            self.page.add(HANDLER, describe(&message));
            if !message.is_data() {
                reaction = Reaction::default();
                continue;
            }
            reaction = self.actor.react(&message);
            if manner == Manner::Drowsy {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        self.page.add(HANDLER, "end");
        match self.actor.end() {
            Some(words) if !manner.is_late() => self.write(&mut socket, words).await,
            _ => Ok(()),
        }
    }

    async fn say(&self, socket: &mut Socket, reaction: Reaction) -> Result<()> {
        if let Some(payload) = reaction.ping {
            socket.ping(payload)?;
        }
        for message in reaction.writes {
            self.write(socket, message).await?;
        }
        Ok(())
    }

    async fn write(&self, socket: &mut Socket, message: Message) -> Result<()> {
        let written = match self.page.manner {
            Manner::Dyn => {
                let socket: &mut dyn WebSocket = socket;
                socket.write(message).await
            }
            Manner::Sink => SinkExt::send(socket, message).await,
            Manner::Flushing => {
                let written = socket.write(message).await;
                socket.flush().await;
                written
            }
            _ => socket.write(message).await,
        };
        written.inspect_err(|error| {
            self.page.add(HANDLER, format!("refused {}", error.code()));
        })
    }

    async fn stop(&self, socket: &mut Socket, stop: Stop) -> Result<()> {
        match stop {
            Stop::Return => Ok(()),
            Stop::Refuse(code, reason) => Err(Error::close(code, reason)),
            Stop::Fail => Err(Error::handler("as the script says")),
            // No hook prints this one: it is no news.
            Stop::Panic => resume_unwind(Box::new("as the script says")),
            Stop::Close(code, reason) => {
                socket.close(code, reason).await?;
                if socket.read().await?.is_none() {
                    self.page.add(HANDLER, "end");
                }
                Ok(())
            }
        }
    }
}

async fn read(socket: &mut Socket, manner: Manner) -> Result<Option<Message>> {
    match manner {
        Manner::Dyn => {
            let socket: &mut dyn WebSocket = socket;
            socket.read().await
        }
        Manner::Stream => socket.next().await.transpose(),
        Manner::Impatient => match socket.read().now_or_never() {
            Some(read) => read,
            None => socket.read().await,
        },
        _ => socket.read().await,
    }
}

/// Starts a task that writes what it is given, in order, until it cannot.
fn write_elsewhere(socket: &Socket) -> mpsc::UnboundedSender<Reaction> {
    let (outbound, mut waiting) = mpsc::unbounded_channel::<Reaction>();
    let sender = socket.sender();
    tokio::spawn(async move {
        while let Some(reaction) = waiting.recv().await {
            if let Some(payload) = reaction.ping {
                let _ = sender.ping(payload);
            }
            for message in reaction.writes {
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        }
    });
    outbound
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
