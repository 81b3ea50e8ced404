//! What may stand between a socket's messages and its reader.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::future::BoxFuture;

use crate::message::{Message, Result};

/// Runs around each message that a socket's reader takes.
pub(crate) trait Around: Send + Sync {
    /// Hands a message on, or keeps it: it was answered in the reader's place.
    fn before(self: Arc<Self>, message: Message) -> BoxFuture<'static, Result<Option<Message>>>;

    /// The reader is through with what it was handed: it asks for more.
    fn after(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

/// A socket's reader behind what runs around its messages. What is begun here goes on at the next
/// read, so that a read that is dropped loses nothing.
pub(super) struct Gate {
    around: Arc<dyn Around>,
    step: Step,
}

enum Step {
    /// The reader is to be given the next message.
    Asked,
    /// It has one.
    Handed,
    Before(BoxFuture<'static, Result<Option<Message>>>),
    After(BoxFuture<'static, ()>),
}

impl Gate {
    pub(super) fn new(around: Arc<dyn Around>) -> Self {
        Self {
            around,
            step: Step::Asked,
        }
    }

    /// The next message that is handed on, of those that `next` yields.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut next: impl FnMut(&mut Context<'_>) -> Poll<Result<Option<Message>>>,
    ) -> Poll<Result<Option<Message>>> {
        loop {
            match &mut self.step {
                Step::Handed => self.step = Step::After(Arc::clone(&self.around).after()),
                Step::After(after) => {
                    ready!(after.as_mut().poll(cx));
                    self.step = Step::Asked;
                }
                Step::Asked => match ready!(next(cx)) {
                    // Control frames are shown, to those who ask for them, as they come.
                    Ok(Some(message)) if message.is_data() => {
                        self.step = Step::Before(Arc::clone(&self.around).before(message));
                    }
                    other => return Poll::Ready(other),
                },
                Step::Before(before) => {
                    let admitted = ready!(before.as_mut().poll(cx));
                    self.step = match admitted {
                        Ok(Some(_)) => Step::Handed,
                        _ => Step::Asked,
                    };
                    match admitted {
                        Ok(None) => {}
                        admitted => return Poll::Ready(admitted),
                    }
                }
            }
        }
    }
}
