//! What a room with history has besides.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::{state::Log, words::Delivery};

/// What a room with history has besides.
#[derive(Debug)]
pub(crate) struct Historic {
    pub(crate) log: Log<Delivery>,
    /// Publishers who wait until their message has been handed on here.
    waiters: Vec<(u64, oneshot::Sender<usize>)>,
    /// To how many sockets the latest were handed: the bus may carry a message here before it
    /// tells its publisher where it is.
    latest: VecDeque<(u64, usize)>,
}

/// How many deliveries are remembered for their publishers.
const MAX_LATEST: usize = 32;

impl Historic {
    pub(crate) fn new(log: Log<Delivery>) -> Self {
        Self {
            log,
            waiters: Vec::new(),
            latest: VecDeque::new(),
        }
    }

    /// Yields to how many sockets a position was handed, once it has been.
    pub(crate) fn when_handed_on(&mut self, offset: u64) -> oneshot::Receiver<usize> {
        let (told, telling) = oneshot::channel();
        if self.log.position().offset >= offset {
            let noted = self.latest.iter().find(|(noted, _)| *noted == offset);
            let _ = told.send(noted.map_or(0, |(_, handed)| *handed));
        } else {
            self.waiters.push((offset, told));
        }
        telling
    }

    pub(crate) fn note(&mut self, offset: u64, handed: usize) {
        self.waiters.retain(|(_, told)| !told.is_closed());
        let ready = self
            .waiters
            .extract_if(.., |(awaited, _)| *awaited <= offset);
        for (awaited, told) in ready {
            let _ = told.send(if awaited == offset { handed } else { 0 });
        }
        if self.latest.len() == MAX_LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back((offset, handed));
    }
}
