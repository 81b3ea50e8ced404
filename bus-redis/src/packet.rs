//! Commands that are sent together.

use redis::{Cmd, RedisError, Value};
use tokio::sync::oneshot;
use wharf_sdk::Error;

use crate::{connection::Connection, error};

/// Tells who asked.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// Commands that go together, and who waits for how many of the answers.
#[derive(Default)]
pub(crate) struct Packet {
    commands: Vec<Cmd>,
    answers: Vec<(usize, Answer<Vec<Value>>)>,
}

impl Packet {
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    pub(crate) fn add(&mut self, commands: Vec<Cmd>, answer: Answer<Vec<Value>>) {
        self.answers.push((commands.len(), answer));
        self.commands.extend(commands);
    }

    /// Answers everybody; says so if the connection is of no more use.
    pub(crate) async fn send(self, mut connection: Connection) -> Option<Error> {
        match connection.all(self.commands).await {
            Ok(values) => {
                let mut broken = None;
                let mut values = values.into_iter();
                for (count, answer) in self.answers {
                    let own: Result<Vec<_>, RedisError> = values.by_ref().take(count).collect();
                    let own = own.map_err(|cause| {
                        if error::is_broken(&cause) {
                            broken = Some(error::away());
                        }
                        error::failed(cause)
                    });
                    let _ = answer.send(own);
                }
                broken
            }
            Err(cause) => {
                // Dropped unanswered, the others are told that the server is away.
                let is_broken = error::is_broken(&cause);
                let error = error::failed(cause);
                if let Some((_, answer)) = self.answers.into_iter().next() {
                    let _ = answer.send(Err(error));
                }
                is_broken.then(error::away)
            }
        }
    }
}
