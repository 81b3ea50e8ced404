//! Whether an engine is there, and what is wanted of it.

use std::{
    collections::HashSet,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::words::Topic;

/// A bus's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct BusStats {
    /// Whether it is there.
    pub connected: bool,
    /// How many topics this node is subscribed to.
    pub subscriptions: usize,
}

/// Whether an engine is there, and which topics are wanted of it: what a bus and the task behind it
/// both look at. The engine begins as one that is being connected to.
#[derive(Debug, Default)]
pub struct Standing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    wanted: HashSet<Topic>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Phase {
    /// Connecting for the first time, or connected and subscribing: what is asked for waits.
    #[default]
    Joining,
    Up,
    /// What is asked for is refused.
    Down,
}

impl Standing {
    /// Remembers topics, to be subscribed to again after each reconnect.
    pub fn want(&self, topics: &[Topic]) {
        self.lock().wanted.extend(topics.iter().cloned());
    }

    /// Forgets topics.
    pub fn want_no_more(&self, topics: &[Topic]) {
        let mut state = self.lock();
        for topic in topics {
            state.wanted.remove(topic);
        }
    }

    /// The engine is away; `true` if that is news.
    pub fn go_down(&self) -> bool {
        mem::replace(&mut self.lock().phase, Phase::Down) != Phase::Down
    }

    /// The engine is connected to: what is to be subscribed to before it counts as there, while what
    /// is asked for waits. `None` if it counts already.
    pub fn join(&self) -> Option<HashSet<Topic>> {
        let mut state = self.lock();
        if state.phase == Phase::Up {
            return None;
        }
        state.phase = Phase::Joining;
        Some(state.wanted.clone())
    }

    /// The engine is there, and everything is subscribed.
    pub fn come_up(&self) {
        self.lock().phase = Phase::Up;
    }

    /// Whether the engine is there, and everything is subscribed.
    pub fn is_up(&self) -> bool {
        self.lock().phase == Phase::Up
    }

    /// Whether the engine is away.
    pub fn is_down(&self) -> bool {
        self.lock().phase == Phase::Down
    }

    /// A bus's figures.
    pub fn stats(&self) -> BusStats {
        let state = self.lock();
        BusStats {
            connected: state.phase == Phase::Up,
            subscriptions: state.wanted.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_outlives_an_outage() {
        let standing = Standing::default();
        let room = |name: &str| Topic::Room(crate::RoomName::new(name).expect("a name"));
        standing.want(&[Topic::App, room("a"), room("b")]);
        assert!(!standing.stats().connected && !standing.is_down());
        assert_eq!(standing.join().map(|wanted| wanted.len()), Some(3));
        standing.come_up();
        assert!(standing.stats().connected);
        assert_eq!(standing.join(), None, "it is there already");
        assert!(standing.go_down(), "it was there");
        assert!(!standing.go_down(), "it is away already");
        standing.want_no_more(&[room("a")]);
        assert_eq!(standing.stats().subscriptions, 2);
        let wanted = standing.join();
        assert!(wanted.is_some_and(|wanted| !wanted.contains(&room("a"))));
        assert!(!standing.is_down(), "what is asked for waits");
    }
}
