//! What has been heard of each node in a room without history: finds doubles and holes.
//!
//! Every node numbers what it publishes, and says with each message which of its numbers went to the
//! same room before. So a hole is seen at the next message of the same node; what comes late is
//! behind the hole that was told, and is passed over.

use crate::words::NodeId;

/// What a message is, after all that was heard before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// The next one.
    Next,
    /// The next one that came; something before it did not.
    AfterHole,
    /// Heard already, or told as missing already.
    Stale,
}

/// Few nodes publish in one room, so a list will do; it is empty until one does.
#[derive(Debug, Default)]
pub(crate) struct Heard(Vec<Voice>);

#[derive(Debug)]
struct Voice {
    node: NodeId,
    last: u64,
    /// A hole was told already, however many messages it has.
    is_hole_told: bool,
}

impl Heard {
    pub(crate) fn hear(&mut self, node: NodeId, number: u64, previous: u64) -> Hearing {
        let Some(voice) = self.0.iter_mut().find(|voice| voice.node == node) else {
            self.0.push(Voice {
                node,
                last: number,
                is_hole_told: false,
            });
            return Hearing::Next;
        };
        if number <= voice.last {
            return Hearing::Stale;
        }
        let is_hole = previous > voice.last && !voice.is_hole_told;
        voice.last = number;
        voice.is_hole_told = false;
        if is_hole {
            Hearing::AfterHole
        } else {
            Hearing::Next
        }
    }

    /// A hole was told, of all nodes. What they said before stays heard, so that it is no double
    /// when it comes late.
    pub(crate) fn hole_told(&mut self) {
        for voice in &mut self.0 {
            voice.is_hole_told = true;
        }
    }

    /// A node is gone and says no more.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.0.retain(|voice| voice.node != node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any losses, doubles and swaps: what is let through grows, and every hole is told.
    #[test]
    fn no_double_and_no_silent_hole() {
        arbtest::arbtest(|u| {
            let node = NodeId::from_u64(1);
            let mut heard = Heard::default();
            let mut lane: Vec<u64> = (1..=u.int_in_range(2..=20)?).collect();
            for _ in 0..u.int_in_range(0..=6)? {
                let at = u.choose_index(lane.len())?;
                match u.int_in_range(0..=2)? {
                    0 if lane.len() > 1 => drop(lane.remove(at)),
                    1 => lane.insert(u.int_in_range(at..=lane.len())?, lane[at]),
                    _ => {
                        let other = u.choose_index(lane.len())?;
                        lane.swap(at, other);
                    }
                }
            }
            let mut last = None;
            for number in lane {
                let hearing = heard.hear(node, number, number - 1);
                match (hearing, last) {
                    (Hearing::Next, Some(last)) => assert_eq!(number, last + 1),
                    (Hearing::Next, None) => {}
                    (Hearing::AfterHole, Some(last)) => assert!(number > last + 1),
                    (Hearing::AfterHole, None) => panic!("nothing can be missing yet"),
                    (Hearing::Stale, Some(last)) => assert!(number <= last),
                    (Hearing::Stale, None) => panic!("nothing was heard yet"),
                }
                if hearing != Hearing::Stale {
                    last = Some(number);
                }
            }
            Ok(())
        })
        .budget_ms(300);
    }
}
