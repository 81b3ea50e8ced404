//! What comes from the bus.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;
use wharf_sdk::CloseFrame;

use crate::{
    bus::{BusEvent, BusListener, Place},
    ground::Node,
    keep::Shared,
    state::{Frame, What},
    upkeep::recover,
    words::{Topic, lock},
};

/// Hears the bus for a hub, and does not keep the hub.
pub(crate) struct Inbound {
    hub: Weak<Shared>,
    was_down: AtomicBool,
}

impl Inbound {
    pub(crate) fn new(hub: &Arc<Shared>) -> Self {
        Self {
            hub: Arc::downgrade(hub),
            was_down: AtomicBool::new(false),
        }
    }
}

impl BusListener for Inbound {
    fn hear(&self, event: BusEvent) {
        let Some(hub) = self.hub.upgrade() else {
            return;
        };
        match event {
            BusEvent::Frame {
                topic,
                frame,
                place,
            } => match Frame::decode(&frame) {
                Ok(frame) => hear_frame(&hub, &topic, frame, place),
                Err(reason) => hub.node.foreign(reason),
            },
            BusEvent::Up => {
                if self.was_down.swap(false, Ordering::AcqRel) {
                    hub.node.tell(|observer| observer.bus_up());
                    recover::after_outage(&hub);
                }
            }
            BusEvent::Down(error) => {
                if !self.was_down.swap(true, Ordering::AcqRel) {
                    tracing::warn!(%error, "the bus is away");
                    hub.node.tell(|observer| observer.bus_down(&error));
                    recover::outage_began(&hub);
                }
            }
            BusEvent::Lost(topics) => recover::after_loss(&hub, topics),
            BusEvent::Foreign(reason) => hub.node.foreign(reason),
        }
    }
}

/// Who has members has a lease, and is looked after. Who has not said so may have none that could
/// end.
fn note_sign_of_life(node: &Node, frame: &Frame) {
    let mut others = lock(&node.others);
    match frame.what {
        What::Joined(_) | What::Changed(_) => {
            others.insert(frame.origin, Instant::now());
        }
        _ => {
            others
                .entry(frame.origin)
                .and_modify(|seen| *seen = Instant::now());
        }
    }
}

fn hear_frame(hub: &Arc<Shared>, topic: &Topic, frame: Frame, place: Option<Place>) {
    let is_own = frame.origin == hub.node.id;
    if !is_own && hub.node.is_shared() {
        note_sign_of_life(&hub.node, &frame);
    }
    match (topic, frame.what) {
        (Topic::Room(name), what) => {
            if let Some(cell) = hub.cell(name) {
                let frame = Frame {
                    origin: frame.origin,
                    number: frame.number,
                    what,
                };
                cell.hear(&hub.node, frame, place);
            }
        }
        (Topic::App, _) if is_own => {}
        (Topic::App, What::Here) => {}
        (Topic::App, What::Gone) => recover::node_gone(hub, frame.origin),
        (
            Topic::App,
            What::Disconnect {
                principal,
                code,
                reason,
            },
        ) => match CloseFrame::new(code, reason) {
            Ok(close) => drop(hub.disconnect_here(&principal, &close)),
            Err(_) => hub
                .node
                .foreign("a node asks for a close that may not be sent"),
        },
        (Topic::App, What::Broadcast(message)) => drop(hub.broadcast_here(&message)),
        (Topic::App, _) => hub.node.foreign("a room's frame was sent to no room"),
    }
}
