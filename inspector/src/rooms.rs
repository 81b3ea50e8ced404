//! The hub's rooms, as one watcher wants to see them.

use std::{cmp::Ordering, collections::HashMap, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use wharf_hub::{Hub, RoomName, RoomSnapshot};
use wharf_sdk::Result;

use crate::{look::EVERY, view::millis};

/// How many rooms are looked at; beyond, a page says so, and a longer beginning finds the others.
const MAX_ROOMS: usize = 2_000;

/// How many rooms a page shows, and how many members of one.
const PAGE: usize = 50;
const MEMBERS: usize = 100;

/// A look takes at most a two hundredth of the time, as with sessions.
const PAUSE: u32 = 200;

/// The hub whose rooms are shown.
pub(crate) type Rooms = Option<Hub>;

/// Which rooms somebody wants to see, and in which order.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct RoomsView {
    sort: Column,
    descending: bool,
    prefix: String,
    page: usize,
}

impl Default for RoomsView {
    /// The busy ones first.
    fn default() -> Self {
        Self {
            sort: Column::Rate,
            descending: true,
            prefix: String::new(),
            page: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Column {
    Name,
    Seats,
    Members,
    Rate,
    Messages,
    Dropped,
    Gaps,
}

/// What one watcher sees of the rooms.
#[derive(Default)]
pub(crate) struct RoomsWatch {
    view: RoomsView,
    open: Option<RoomName>,
    rooms: Vec<(RoomSnapshot, f64)>,
    is_cut: bool,
    looked: Option<(Instant, Instant)>,
}

impl RoomsWatch {
    pub(crate) fn set_view(&mut self, view: RoomsView) {
        if view.prefix != self.view.prefix {
            // Others than those that were looked at.
            self.looked = None;
        }
        self.view = view;
    }

    /// Shows who is in this room, or in none.
    pub(crate) fn open(&mut self, room: Option<String>) {
        self.open = room.and_then(|room| RoomName::new(room).ok());
    }

    /// What the page shows.
    pub(crate) fn show(&mut self, hub: &Rooms) -> Value {
        let Some(hub) = hub else { return Value::Null };
        let now = Instant::now();
        if self.looked.is_none_or(|(_, next)| now >= next) {
            self.look(hub, now);
        }
        let view = &self.view;
        self.rooms.sort_by(|a, b| view.order(a, b));
        let found = self.rooms.len();
        let first = view.page.saturating_mul(PAGE).min(found);
        let shown = &self.rooms[first..(first + PAGE).min(found)];
        let rows: Vec<_> = shown.iter().map(row).collect();
        json!({
            "stats": hub.stats(),
            "found": found,
            "is_cut": self.is_cut,
            "first": first,
            "rows": rows,
            "open": self.open.as_ref().map(|room| open_room(hub, room)),
        })
    }

    fn look(&mut self, hub: &Hub, now: Instant) {
        let began = std::time::Instant::now();
        let mut rooms = hub.open_rooms(&self.view.prefix, None, MAX_ROOMS + 1);
        self.is_cut = rooms.len() > MAX_ROOMS;
        rooms.truncate(MAX_ROOMS);
        let since = self.looked.map(|(at, _)| now - at);
        let before: HashMap<_, _> = self
            .rooms
            .drain(..)
            .map(|(room, _)| (room.name, room.messages))
            .collect();
        let rate = |room: &RoomSnapshot| {
            let messages = room.messages.saturating_sub(*before.get(&room.name)?);
            Some(messages as f64 / since?.as_secs_f64())
        };
        self.rooms = rooms
            .into_iter()
            .map(|room| {
                let rate = rate(&room).unwrap_or_default();
                (room, rate)
            })
            .collect();
        let pause = (began.elapsed() * PAUSE).clamp(EVERY.mul_f64(0.9), Duration::from_secs(10));
        self.looked = Some((now, now + pause));
    }
}

impl RoomsView {
    fn order(&self, a: &(RoomSnapshot, f64), b: &(RoomSnapshot, f64)) -> Ordering {
        let ((left, left_rate), (right, right_rate)) = (a, b);
        let order = match self.sort {
            Column::Name => left.name.cmp(&right.name),
            Column::Seats => left.seats.cmp(&right.seats),
            Column::Members => left.members.cmp(&right.members),
            Column::Rate => left_rate.total_cmp(right_rate),
            Column::Messages => left.messages.cmp(&right.messages),
            Column::Dropped => left.dropped.cmp(&right.dropped),
            Column::Gaps => left.gaps.cmp(&right.gaps),
        };
        let order = if self.descending {
            order.reverse()
        } else {
            order
        };
        // The same place at every look.
        order.then_with(|| left.name.cmp(&right.name))
    }
}

fn row((room, rate): &(RoomSnapshot, f64)) -> Value {
    json!({
        "name": &*room.name,
        "seats": room.seats,
        "members": room.members,
        "rate": rate,
        "messages": room.messages,
        "dropped": room.dropped,
        "gaps": room.gaps,
    })
}

fn open_room(hub: &Hub, room: &RoomName) -> Value {
    let members = hub.known_members(room, MEMBERS).map(|members| {
        let shown = members.into_iter().map(|member| {
            json!({
                "session": member.session.to_string(),
                "principal": member.principal.as_deref(),
                "metadata": member.metadata,
                "age_ms": millis(member.since.elapsed().unwrap_or_default()),
            })
        });
        shown.collect::<Vec<_>>()
    });
    json!({ "name": &**room, "members": members })
}

/// Publishes a text; returns how many sockets on this node took it.
pub(crate) async fn publish(hub: &Rooms, room: &str, text: String) -> Result<usize> {
    let Some(hub) = hub else { return Ok(0) };
    Ok(hub.room(room)?.publish(text).await?.local)
}
