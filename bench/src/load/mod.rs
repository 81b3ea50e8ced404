//! The load generator: raw WebSocket clients that cost as little as a client can.
//!
//! Frames are masked once, before anything is measured, and written straight from that buffer.
//! What comes back is counted in bytes, never parsed: every connection first proves with one
//! message that the server echoes it bit by bit, so afterwards a length says it all. The
//! generator's own processor time is reported too: one that is busy all the time while the server
//! is not makes throughput a lower bound, and is marked as such.

mod answer;
mod door;
mod echo;
mod fan_out;
mod frame;
mod handshakes;
mod http2;
mod idle;
mod json;
mod offer;
mod wire;

pub use answer::{Answer, FrameCounter, expect_answer, read_frame};
pub use door::{Door, Opened, Over};
pub use echo::{Content, EchoLoad, Pacing};
pub use fan_out::{FanOutContent, FanOutLoad};
pub use frame::{Frame, Kind};
pub use handshakes::HandshakeLoad;
pub use http2::Http2;
pub use idle::{Before, IdleLoad};
pub use json::{Feed, JsonLoad, message};
pub use offer::{Agreed, Offer};
pub use wire::Wire;

use std::sync::Arc;
use std::time::Duration;

use crate::histogram::Histogram;
use crate::machine::Usage;

/// The server under load.
#[derive(Clone, Debug)]
pub struct Target {
    /// The way in.
    pub door: Arc<Door>,
    /// Its process, whose processor time and memory are read.
    pub pid: u32,
}

/// How long to load a server.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Load that is not counted: buffers grow, branches are learnt.
    pub warm_up: Duration,
    /// Load that is.
    pub measured: Duration,
}

/// What one run of a load found.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Operations done: messages echoed, handshakes, or deliveries. Not whole, because a message
    /// may be half echoed when the window ends.
    pub operations: f64,
    /// Time that they took.
    pub usage: Usage,
    /// How long each took to come back.
    pub latency: Histogram,
}

impl Sample {
    /// Server's processor time for an operation, in microseconds.
    pub fn server_micros(&self) -> f64 {
        self.usage.server_cpu.as_secs_f64() * 1e6 / self.operations
    }

    /// Generator's processor time for an operation, in microseconds.
    pub fn generator_micros(&self) -> f64 {
        self.usage.generator_cpu.as_secs_f64() * 1e6 / self.operations
    }

    /// Operations a second.
    pub fn per_second(&self) -> f64 {
        self.operations / self.usage.wall.as_secs_f64()
    }

    /// Processors that the generator kept busy.
    pub fn generator_busy(&self) -> f64 {
        self.usage.generator_cpu.as_secs_f64() / self.usage.wall.as_secs_f64()
    }

    /// Processors that everything else on the machine kept busy.
    pub fn elsewhere_busy(&self) -> f64 {
        self.usage.elsewhere_cpu.as_secs_f64() / self.usage.wall.as_secs_f64()
    }

    /// Processors that the server kept busy.
    pub fn server_busy(&self) -> f64 {
        self.usage.server_cpu.as_secs_f64() / self.usage.wall.as_secs_f64()
    }
}
