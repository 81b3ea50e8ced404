//! One look at all sessions, shared by those who watch.

use std::{
    cmp::Ordering,
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use wharf_sdk::{AppHandle, Figures, Sender};

use crate::tell::Counters;

/// How often all sessions are looked at while somebody watches, however many do.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// How many looks are kept: ten minutes.
const HISTORY: usize = 600;

/// How many sessions a page shows.
const PAGE: usize = 100;

/// One look at all sessions.
pub(crate) struct Look {
    sessions: Vec<(Sender, Figures)>,
    pub(crate) point: Point,
    pub(crate) serial: u64,
}

/// What happened in a second.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Point {
    at_ms: u64,
    sessions: u64,
    connects: u64,
    rejections: u64,
    closes: u64,
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
    bytes_out: u64,
}

/// The looks so far.
#[derive(Default)]
pub(crate) struct Looks(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<(Instant, Arc<Look>)>,
    /// All that had been counted at the last look.
    totals: Point,
    history: VecDeque<Point>,
    serial: u64,
    watchers: usize,
}

impl Looks {
    /// A look that is fresh: taken now, unless another watcher just did.
    pub(crate) fn look(&self, app: &AppHandle, counters: &Counters) -> Arc<Look> {
        let mut state = self.lock();
        let now = Instant::now();
        let before = state.last.as_ref().map(|(at, _)| *at);
        if let Some((at, look)) = &state.last
            && now < *at + EVERY.mul_f64(0.9)
        {
            return Arc::clone(look);
        }
        let sessions: Vec<_> = app
            .sessions()
            .into_iter()
            .map(|session| {
                let figures = session.figures();
                (session, figures)
            })
            .collect();
        let totals = Point::totals(&sessions, counters);
        // Rates begin with the second look, and again after nobody watched.
        let is_rate = before.is_some_and(|at| now < at + 3 * EVERY);
        let point = totals.since(if is_rate { &state.totals } else { &totals });
        if !is_rate {
            state.history.clear();
        }
        if state.history.len() == HISTORY {
            state.history.pop_front();
        }
        state.history.push_back(point);
        state.totals = totals;
        state.serial += 1;
        let look = Arc::new(Look {
            sessions,
            point,
            serial: state.serial,
        });
        state.last = Some((now, Arc::clone(&look)));
        look
    }

    pub(crate) fn history(&self) -> Vec<Point> {
        let state = self.lock();
        state.history.iter().copied().collect()
    }

    /// Counts one who watches, until they leave.
    pub(crate) fn sit_down(self: &Arc<Self>) -> Seat {
        self.lock().watchers += 1;
        Seat(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is inside is figures, valid whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who watches. The last to leave lets go of the sessions.
pub(crate) struct Seat(Arc<Looks>);

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.watchers -= 1;
        if state.watchers == 0 {
            state.last = None;
        }
    }
}

impl Point {
    fn totals(sessions: &[(Sender, Figures)], counters: &Counters) -> Self {
        let get = |counter: &atomic::AtomicU64| counter.load(atomic::Ordering::Relaxed);
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let mut totals = Self {
            at_ms: millis(since_epoch.unwrap_or_default()),
            sessions: sessions.len() as u64,
            connects: get(&counters.connects),
            rejections: get(&counters.rejections),
            closes: get(&counters.closes),
            messages_in: get(&counters.messages_in),
            messages_out: get(&counters.messages_out),
            bytes_in: get(&counters.bytes_in),
            bytes_out: get(&counters.bytes_out),
        };
        for (_, figures) in sessions {
            totals.messages_in += figures.counts.messages_in;
            totals.messages_out += figures.counts.messages_out;
            totals.bytes_in += figures.counts.bytes_in;
            totals.bytes_out += figures.counts.bytes_out;
        }
        totals
    }

    /// What came since. A session that ends while it is counted may be in both parts for a moment.
    fn since(&self, before: &Self) -> Self {
        Self {
            at_ms: self.at_ms,
            sessions: self.sessions,
            connects: self.connects.saturating_sub(before.connects),
            rejections: self.rejections.saturating_sub(before.rejections),
            closes: self.closes.saturating_sub(before.closes),
            messages_in: self.messages_in.saturating_sub(before.messages_in),
            messages_out: self.messages_out.saturating_sub(before.messages_out),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
        }
    }
}

/// Which sessions somebody wants to see, and in which order.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct View {
    sort: Column,
    descending: bool,
    filter: String,
    page: usize,
}

impl Default for View {
    /// The slow ones first.
    fn default() -> Self {
        Self {
            sort: Column::QueueBytes,
            descending: true,
            filter: String::new(),
            page: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Column {
    Id,
    Route,
    Peer,
    Principal,
    Subprotocol,
    AgeMs,
    RoundTripMs,
    MessagesIn,
    MessagesOut,
    BytesIn,
    BytesOut,
    QueueBytes,
    Dropped,
    Ratio,
}

impl Look {
    /// A page of sessions, and how many the filter leaves.
    pub(crate) fn show(&self, view: &View) -> Value {
        let mut picked: Vec<_> = self.sessions.iter().filter(|row| view.picks(row)).collect();
        let found = picked.len();
        let skipped = view.page.saturating_mul(PAGE).min(found);
        let end = (skipped + PAGE).min(found);
        if end < found && end > 0 {
            // Only what is shown, and what is before it, needs its place.
            picked.select_nth_unstable_by(end - 1, |a, b| view.order(a, b));
            picked.truncate(end);
        }
        picked.sort_unstable_by(|a, b| view.order(a, b));
        let rows: Vec<_> = picked[skipped..].iter().map(|row| self::row(row)).collect();
        json!({ "found": found, "first": skipped, "rows": rows })
    }

    /// One session, whether or not the page shows it.
    pub(crate) fn find(&self, id: &str) -> Option<&Sender> {
        self.found(id).map(|(session, _)| session)
    }

    pub(crate) fn row_of(&self, id: &str) -> Option<Value> {
        self.found(id).map(row)
    }

    fn found(&self, id: &str) -> Option<&(Sender, Figures)> {
        self.sessions
            .iter()
            .find(|(session, _)| session.id().to_string() == id)
    }
}

impl View {
    fn picks(&self, (session, _): &(Sender, Figures)) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let info = session.info();
        let has = |text: &str| text.contains(&*self.filter);
        has(&info.route) || info.principal.as_deref().is_some_and(has) || has(&info.id.to_string())
    }

    fn order(&self, a: &(Sender, Figures), b: &(Sender, Figures)) -> Ordering {
        let order = self.ascending(a, b);
        let order = if self.descending {
            order.reverse()
        } else {
            order
        };
        // The same place at every look.
        order.then_with(|| a.0.id().cmp(&b.0.id()))
    }

    fn ascending(&self, a: &(Sender, Figures), b: &(Sender, Figures)) -> Ordering {
        let (left, right) = (a.0.info(), b.0.info());
        let (l, r) = (&a.1, &b.1);
        match self.sort {
            Column::Id => left.id.cmp(&right.id),
            Column::Route => left.route.cmp(&right.route),
            Column::Peer => left.peer.cmp(&right.peer),
            Column::Principal => left.principal.cmp(&right.principal),
            Column::Subprotocol => left.subprotocol.cmp(&right.subprotocol),
            Column::AgeMs => right.since.cmp(&left.since),
            Column::RoundTripMs => l.round_trip.cmp(&r.round_trip),
            Column::MessagesIn => l.counts.messages_in.cmp(&r.counts.messages_in),
            Column::MessagesOut => l.counts.messages_out.cmp(&r.counts.messages_out),
            Column::BytesIn => l.counts.bytes_in.cmp(&r.counts.bytes_in),
            Column::BytesOut => l.counts.bytes_out.cmp(&r.counts.bytes_out),
            Column::QueueBytes => l.queue_bytes.cmp(&r.queue_bytes),
            Column::Dropped => l.counts.messages_dropped.cmp(&r.counts.messages_dropped),
            Column::Ratio => ratio(l).total_cmp(&ratio(r)),
        }
    }
}

fn row((session, figures): &(Sender, Figures)) -> Value {
    let (info, counts) = (session.info(), &figures.counts);
    json!({
        "id": info.id.to_string(),
        "route": &*info.route,
        "peer": info.peer.map(|peer| peer.to_string()),
        "principal": info.principal.as_deref(),
        "subprotocol": info.subprotocol.as_deref(),
        "age_ms": millis(info.since.elapsed().unwrap_or_default()),
        "round_trip_ms": figures.round_trip.map(|time| time.as_secs_f64() * 1000.0),
        "messages_in": counts.messages_in,
        "messages_out": counts.messages_out,
        "bytes_in": counts.bytes_in,
        "bytes_out": counts.bytes_out,
        "queue_bytes": figures.queue_bytes,
        "dropped": counts.messages_dropped,
        "ratio": ratio(figures),
    })
}

/// Bytes on the connection for a byte of payload: below 1 where messages are compressed.
fn ratio(figures: &Figures) -> f64 {
    let counts = &figures.counts;
    let payload = counts.bytes_in + counts.bytes_out;
    if payload == 0 {
        return 1.0;
    }
    (counts.wire_bytes_in + counts.wire_bytes_out) as f64 / payload as f64
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
