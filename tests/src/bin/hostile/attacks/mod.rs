//! What is done to a server; a file for each kind.

mod answers;
mod bodies;
mod connects;
mod ends;
mod floods;
mod frames;
mod heads;
mod readers;

use futures::future::LocalBoxFuture;

pub(crate) use self::connects::{CROWD, orderly_crowd};
use crate::{
    keep::{Held, Target},
    served::QUEUE_BYTES,
};

/// What a server may open under attack, unless the attack itself needs more sockets.
pub(crate) const FEW: u64 = 256;

/// More connections than the server has descriptors.
const MANY: usize = 300;

/// What a server may grow by: a quarter of a MiB for each of its few descriptors.
const GROWTH_KIB: u64 = 64 * 1024;

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// How many descriptors the server may open.
    pub(crate) descriptors: u64,
    /// How much the server's resident memory may grow.
    pub(crate) growth_kib: u64,
    pub(crate) run: fn(Target) -> LocalBoxFuture<'static, Held>,
}

macro_rules! attacks {
    ($($module:ident: $($name:ident)*;)*) => {
        [$($(Attack {
            name: stringify!($name),
            descriptors: FEW,
            growth_kib: GROWTH_KIB,
            run: |target| Box::pin($module::$name(target)),
        },)*)*]
    };
}

/// Those whose peers mostly wait. They cost little, and several can go on at a time.
pub(crate) fn waiting() -> Vec<Attack> {
    Vec::from(attacks! {
        heads: silence half_heads trickled_heads;
        bodies: chunked_post chunked_upgrade trickled_body announced_body;
        answers: large_answer trickled_answer idle_keep_alive;
        ends: half_closed_head half_closed_socket half_closes;
        readers: few_stalled_readers unread_upgrades stalled_events;
    })
}

/// Those that keep a server as busy as they can.
pub(crate) fn busy() -> Vec<Attack> {
    let mut busy = Vec::from(attacks! {
        heads: odd_heads;
        bodies: endless_body;
        answers: pipelined;
        floods: pings pongs fragments closes;
        frames: odd_frames deflate_bombs;
        ends: resets vanishing_requests;
        connects: rapid_connects rapid_upgrades;
        readers: stalled_readers;
    });
    if let Some(crowd) = busy.last_mut() {
        // A socket each, and what is allowed to wait for each of them.
        crowd.descriptors = 4_096;
        crowd.growth_kib = (readers::CROWD * (QUEUE_BYTES + 64 * 1024) / 1024) as u64;
    }
    busy
}

/// As busy as the others, by those who do nothing wrong: what an attack is measured by.
pub(crate) fn honest_crowd() -> Attack {
    let [crowd] = attacks! { floods: texts; };
    crowd
}
