//! Taking a seat.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::timeout;
use wharf_sdk::{Message, Result, Sender, SharedMessage};

use crate::{
    bus::{BusFuture, Replay},
    cells::{Chair, Handed, Waiting, hand_over},
    ground::{Node, add},
    handles::{room::Room, seat::Seat},
    keep::{Attendance, Membership, Shared, Stay},
    state::{Change, What},
    upkeep::{keeper, open},
    words::{Delivery, Event, Member, Position, Welcome, check_metadata, error, lock},
};

/// How many bytes of history are queued for a member before it is waited for.
const CHUNK_BYTES: usize = 128 * 1024;
const CHUNK_MESSAGES: usize = 128;

/// How long a member may take to read a chunk of history.
const CHUNK_DEADLINE: Duration = Duration::from_secs(10);

/// No history has this epoch, so that all of it comes after this.
const BEFORE_ALL: Position = Position {
    epoch: 0,
    offset: 0,
};

type MakeWelcome = Box<dyn FnOnce(&Welcome) -> Message + Send>;

/// A seat that is about to be taken: await it.
///
/// # Errors
///
/// `WHARF_HUB_ROOMS`: the session sits in too many rooms. `WHARF_HUB_METADATA`: the metadata is too
/// long. `WHARF_CLOSED`: the session has ended. While the bus is away a seat is taken all the same:
/// what happens on this node is heard at once, and everything else when the bus is back.
///
/// # Cancel safety
///
/// Dropped before it is through, no seat is taken, though a part of the history may have been sent.
#[must_use = "await it"]
pub struct Join {
    room: Room,
    sender: Sender,
    metadata: Value,
    since: Option<Position>,
    recent: usize,
    tells_presence: bool,
    tells_gaps: bool,
    welcome: Option<MakeWelcome>,
}

/// What a member is sent before anything live.
struct Past {
    /// It is everything since the member's position.
    is_whole: bool,
    deliveries: Vec<Delivery>,
    head: Position,
}

impl Room {
    /// Takes a seat for a socket, for the peer of a channel, or for whoever else has a sender: await
    /// it. From then on it is sent what is published.
    pub fn join(&self, member: &impl AsRef<Sender>) -> Join {
        Join {
            room: self.clone(),
            sender: member.as_ref().clone(),
            metadata: Value::Null,
            since: None,
            recent: 0,
            tells_presence: false,
            tells_gaps: false,
            welcome: None,
        }
    }
}

impl Join {
    /// What others see of this member, in a room with presence: at most 4 KiB of JSON.
    pub fn with(mut self, metadata: impl Into<Value>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// Resumes where a member was, in a room with history: either everything after this position
    /// is sent, once each, in order and before anything live, and [`Welcome::resumed`] is true; or
    /// nothing is, and it is false.
    pub fn since(mut self, position: Option<Position>) -> Self {
        self.since = position;
        self
    }

    /// Sends first what was said last, in a room with history: at most so many of the messages that
    /// it keeps, in order and before anything live. Whoever comes [back](Self::since) is sent them
    /// only if it is not resumed.
    ///
    /// ```
    /// # use wharf_hub::{Position, Room, Seat};
    /// # use wharf_sdk::{Result, Socket};
    /// # async fn take(room: Room, socket: &Socket, since: Option<Position>) -> Result<Seat> {
    /// let seat = room.join(socket).since(since).recent(50).await?;
    /// if seat.resumed() == Some(false) {
    ///     // What the client shows has a hole before these fifty.
    /// }
    /// # Ok(seat)
    /// # }
    /// ```
    pub fn recent(mut self, messages: usize) -> Self {
        self.recent = messages;
        self
    }

    /// Sends the socket who joins, changes and leaves, in a room with presence, as
    /// [rendered](crate::HubBuilder::render). Its own joining and leaving is not among it.
    pub fn tell_presence(mut self, tells: bool) -> Self {
        self.tells_presence = tells;
        self
    }

    /// Sends the socket gaps, as [rendered](crate::HubBuilder::render). Without it,
    /// [`Seat::take_gap`] has them.
    pub fn tell_gaps(mut self, tells: bool) -> Self {
        self.tells_gaps = tells;
        self
    }

    /// Sends a first message, ahead of everything that the room has for the socket.
    pub fn welcome(mut self, make: impl FnOnce(&Welcome) -> Message + Send + 'static) -> Self {
        self.welcome = Some(Box::new(make));
        self
    }

    async fn run(mut self) -> Result<Seat> {
        check_metadata(&self.metadata)?;
        let hub = Arc::clone(&self.room.hub);
        keeper::start(&hub);
        let attendance = hub.attend(&self.sender)?;
        let _turn = attendance.turn.lock().await;
        if let Some(seat) = find_seat(&hub, &attendance, &self.room)? {
            return Ok(seat);
        }
        let stay = hub.enter_cell(&self.room.name, self.room.options);
        // Where the bus is away, what is missing follows when it is back.
        let _ = open(&stay).await;
        let has_history = stay.cell.lock().options.history;
        let all = (self.recent > 0).then_some(BEFORE_ALL);
        let (membership, replay) = match (self.since.or(all), has_history) {
            (Some(since), Some(history)) => {
                let waiting = Some(Box::<Waiting>::default());
                let membership = Membership::new(stay, self.sit(&attendance, waiting), &attendance);
                let cell = membership.cell();
                let reading = hub.node.bus.replay(&cell.name, history, Some(since));
                let replay = hub.node.call(reading).await;
                let is_known = cell.lock().history.is_some();
                let replay = replay.ok().filter(|_| is_known);
                (membership, Some(replay))
            }
            (None, _) => (self.take_live_seat(stay, &attendance, None), None),
            (Some(_), None) => {
                let resumed = self.since.map(|_| false);
                (self.take_live_seat(stay, &attendance, resumed), None)
            }
        };
        if let Some(replay) = replay {
            self.catch_up(&membership, replay).await;
        }
        lock(&attendance.seats).push(Arc::downgrade(&membership));
        if attendance.sender.is_closing() {
            // It ended in between, and may have looked at its seats before this one was there.
            membership.give_up();
            return Err(error::ended());
        }
        if let Some(entering) = self.enter_roster(&membership) {
            hub.node.check_presence(entering).await;
        }
        Ok(Seat::new(membership))
    }

    fn sit(&self, attendance: &Attendance, waiting: Option<Box<Waiting>>) -> Chair {
        Chair {
            session: attendance.session,
            sender: self.sender.clone(),
            tells_presence: self.tells_presence,
            tells_gaps: self.tells_gaps,
            missed: None,
            drops_oldest: false,
            queued_then: 0,
            waiting,
            caught_up_to: None,
        }
    }

    /// Takes a seat that hears what happens from now on, behind the welcome.
    fn take_live_seat(
        &mut self,
        stay: Stay,
        attendance: &Arc<Attendance>,
        resumed: Option<bool>,
    ) -> Arc<Membership> {
        let waiting = Some(Box::<Waiting>::default());
        let membership = Membership::new(stay, self.sit(attendance, waiting), attendance);
        self.begin_live(&membership, resumed);
        membership
    }

    /// Greets the member where the room stands now, and lets it hear what comes.
    fn begin_live(&mut self, membership: &Membership, resumed: Option<bool>) {
        let cell = membership.cell();
        let mut state = cell.lock();
        let history = state.history.as_ref();
        let position = history.map(|history| history.log.position());
        self.greet(membership, resumed, position);
        if let Some(chair) = state.chairs.get_mut(membership.key) {
            chair.waiting = None;
        }
    }

    fn greet(
        &mut self,
        membership: &Membership,
        resumed: Option<bool>,
        position: Option<Position>,
    ) {
        let welcome = Welcome {
            session: membership.session,
            resumed,
            position,
        };
        membership.welcomed(welcome);
        if let Some(make) = self.welcome.take() {
            // A session that has no room for its first message is told so by its own policy.
            hand_over(&self.sender, &make(&welcome));
        }
    }

    /// Sends what came after the position, or else the latest that were asked for, and then what came
    /// meanwhile; or says that it cannot.
    async fn catch_up(&mut self, membership: &Arc<Membership>, replay: Option<Replay>) {
        let (hub, cell) = (&membership.stay.hub, membership.cell());
        let past = replay.and_then(|replay| self.past(&hub.node, &replay));
        let Some(Past {
            is_whole,
            deliveries,
            head,
        }) = past
        else {
            return self.begin_live(membership, self.since.map(|_| false));
        };
        self.greet(membership, self.since.map(|_| is_whole), Some(head));
        let mut missed = 0;
        let mut queued = (0, 0);
        add(&hub.node.figures.delivered, deliveries.len() as u64);
        for delivery in deliveries {
            if delivery.except == Some(membership.session) {
                continue;
            }
            if let Some(message) = (hub.node.settings.render)(&Event::Message(delivery))
                && !send_history(&self.sender, &message, &mut queued).await
            {
                missed += 1;
            }
        }
        let mut state = cell.lock();
        let Some(chair) = state.chairs.get_mut(membership.key) else {
            return;
        };
        let waiting = chair.waiting.take().unwrap_or_default();
        if missed > 0 {
            chair.miss(Some(missed));
        }
        chair.caught_up_to = Some(head);
        let gap_message = |gap| (hub.node.settings.render)(&Event::Gap(gap));
        for event in &waiting.events {
            let message = (hub.node.settings.render)(event).map(SharedMessage::new);
            chair.hand(event, message.as_ref(), &gap_message);
        }
        if waiting.missed > 0 {
            chair.miss(Some(waiting.missed));
        }
        if chair.missed.is_some() && !chair.tell_missed(&gap_message) {
            hub.node.note_lagging(&cell.name, membership.key);
        }
    }

    /// What a member is sent of a history, if anything.
    fn past(&self, node: &Node, replay: &Replay) -> Option<Past> {
        let epoch = replay.head.epoch;
        let read = replay.entries.iter();
        let mut deliveries: Vec<_> = read
            .filter_map(|entry| node.read_entry(epoch, entry))
            .collect();
        let is_whole = replay.is_complete && deliveries.len() == replay.entries.len();
        if self.since.is_none() || !is_whole {
            let older = deliveries.len().saturating_sub(self.recent);
            deliveries.drain(..older);
        }
        (is_whole || self.recent > 0).then_some(Past {
            is_whole,
            deliveries,
            head: replay.head,
        })
    }

    /// Tells everybody that the member is there.
    fn enter_roster(&mut self, membership: &Arc<Membership>) -> Option<BusFuture<()>> {
        let (hub, cell) = (&membership.stay.hub, membership.cell());
        let mut state = cell.lock();
        let roster = state.roster.as_mut()?;
        let member = Member::new(
            membership.session,
            self.sender.info().shared_principal(),
            std::mem::take(&mut self.metadata),
        );
        let change = roster.put(member.clone());
        let is_new = matches!(change, Change::Joined(_));
        cell.tell_changes(&hub.node, &mut state, is_new.then_some(change));
        hub.node.has_presence().then(|| {
            let record = member.to_record();
            let notice = hub.node.encode(What::Joined(member));
            hub.node
                .bus
                .enter(&cell.name, membership.session, record, notice)
        })
    }
}

/// Sends one message of the history, waiting for the member where it is slow; `queued` counts the
/// bytes and messages since the last wait.
async fn send_history(sender: &Sender, message: &Message, queued: &mut (usize, usize)) -> bool {
    let bytes = message.payload_bytes();
    if queued.0 + bytes > CHUNK_BYTES || queued.1 >= CHUNK_MESSAGES {
        *queued = (0, 0);
        let _ = timeout(CHUNK_DEADLINE, sender.flush()).await;
    }
    *queued = (queued.0 + bytes, queued.1 + 1);
    let mut handed = hand_over(sender, message);
    if handed == Handed::Dropped {
        let _ = timeout(CHUNK_DEADLINE, sender.flush()).await;
        handed = hand_over(sender, message);
    }
    handed == Handed::Over
}

/// The seat that the session has in the room; or that it may take one.
fn find_seat(hub: &Shared, attendance: &Attendance, room: &Room) -> Result<Option<Seat>> {
    let mut seats = lock(&attendance.seats);
    seats.retain(|seat| seat.strong_count() > 0);
    let mut there = seats.iter().filter_map(std::sync::Weak::upgrade);
    if let Some(seat) = there.find(|seat| seat.cell().name == room.name && seat.is_taken()) {
        return Ok(Some(Seat::new(seat)));
    }
    let limit = hub.node.settings.rooms_per_session;
    if seats.len() >= limit {
        return Err(error::too_many_rooms(limit));
    }
    Ok(None)
}

impl IntoFuture for Join {
    type Output = Result<Seat>;
    type IntoFuture = BoxFuture<'static, Result<Seat>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Join")
            .field("room", &self.room.name)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
