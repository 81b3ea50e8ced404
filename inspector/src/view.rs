//! Which sessions a page shows, and in which order.

use std::{cmp::Ordering, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use wharf_sdk::Figures;

use crate::look::{Look, Seen};

/// How many sessions a page shows.
const PAGE: usize = 100;

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
        let rows: Vec<_> = picked[skipped..].iter().copied().map(row).collect();
        json!({ "found": found, "first": skipped, "rows": rows })
    }
}

impl View {
    fn picks(&self, (session, _): &Seen) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let info = session.info();
        let has = |text: &str| text.contains(&*self.filter);
        has(info.route()) || info.principal().is_some_and(has) || has(&info.id().to_string())
    }

    fn order(&self, a: &Seen, b: &Seen) -> Ordering {
        let order = self.ascending(a, b);
        let order = if self.descending {
            order.reverse()
        } else {
            order
        };
        // The same place at every look.
        order.then_with(|| a.0.id().cmp(&b.0.id()))
    }

    fn ascending(&self, a: &Seen, b: &Seen) -> Ordering {
        let (left, right) = (a.0.info(), b.0.info());
        let (l, r) = (&a.1, &b.1);
        match self.sort {
            Column::Id => left.id().cmp(&right.id()),
            Column::Route => left.route().cmp(right.route()),
            Column::Peer => left.peer().cmp(&right.peer()),
            Column::Principal => left.principal().cmp(&right.principal()),
            Column::Subprotocol => left.subprotocol().cmp(&right.subprotocol()),
            Column::AgeMs => right.since().cmp(&left.since()),
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

pub(crate) fn row((session, figures): &Seen) -> Value {
    let (info, counts) = (session.info(), &figures.counts);
    json!({
        "id": info.id().to_string(),
        "route": info.route(),
        "peer": info.peer().map(|peer| peer.to_string()),
        "principal": info.principal(),
        "subprotocol": info.subprotocol(),
        "age_ms": millis(info.since().elapsed().unwrap_or_default()),
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

pub(crate) fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
