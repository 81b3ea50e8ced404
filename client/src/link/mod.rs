//! A connection that comes back.

mod attempt;
mod backoff;
mod builder;
mod ending;
mod outgoing;
mod position;
mod run;
mod sender;
mod shared;

use std::{fmt, sync::Arc};

use bytestring::ByteString;
use tokio::{sync::mpsc, task::JoinHandle};
use wharf_sdk::{CloseCode, CloseFrame, Message, Result};

use self::shared::Shared;
pub use self::{
    attempt::Attempt,
    builder::LinkBuilder,
    ending::{Ending, Why, is_final_by_default},
    position::position_in_envelope,
    sender::LinkSender,
    shared::WhileAway,
};

/// Stays connected to a server, and says when it was not. Made by
/// [`Client::reconnecting`](crate::Client::reconnecting).
///
/// It lives in a task of its own. Events wait in a short queue; while nobody takes them, the server
/// is held back by TCP. Dropping the link closes with 1001.
///
/// What is sent arrives at most once and in order. A message that waits while there is no connection
/// leaves with the next one; one that had been handed to a connection that broke is not sent again,
/// because it may have arrived: [`Ending::unconfirmed_messages`] counts those that nobody knows of.
///
/// ```
/// use wharf_client::{Client, link::Event};
/// # use wharf_sdk::{App, Result, Route, Socket, testing::TestHost};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let host = TestHost::new(App::builder().route(Route::new("/echo", echo)).build()?);
/// # let client = Client::builder().in_memory(host).build()?;
/// let mut link = client.reconnecting_to("ws://test.example/echo").open();
/// link.sender().send("hello").await?; // waits for the connection
///
/// while let Some(event) = link.next().await {
///     match event {
///         Event::Connected { again } => println!("{}", if again { "back again" } else { "there" }),
///         Event::Message(message) => {
///             assert_eq!(message, "hello".into());
///             break;
///         }
///         Event::Gap => println!("something was missed: load everything anew"),
///         Event::Disconnected(ending) => println!("away: {ending}"),
///         _ => {}
///     }
/// }
/// link.close(1000, "done").await?;
/// # Ok(())
/// # }
/// ```
pub struct Link {
    events: mpsc::Receiver<Event>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What a link tells, in order.
#[non_exhaustive]
#[derive(Debug)]
pub enum Event {
    /// There is a connection.
    Connected {
        /// It is not the link's first.
        again: bool,
    },
    /// There is a connection again, and what the server sent in between is lost. Not told where a
    /// position was handed over: the server says then whether it resumed.
    Gap,
    /// A message of the server's.
    Message(Message),
    /// A connection, or the try to get one, has ended. If it
    /// [`is_final`](Ending::is_final), it is the last event.
    Disconnected(Ending),
}

impl Link {
    /// The next event; `None` behind the last one.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// A sender: a cheap clone that can only write.
    pub fn sender(&self) -> LinkSender {
        LinkSender::new(Arc::clone(&self.shared))
    }

    /// Notes how far this side has come in a room's history: the next connection asks for what came
    /// since, by the query parameter `since`.
    pub fn set_position(&self, position: impl Into<String>) {
        self.shared.set_position(position.into());
    }

    /// Sends what waits, closes with this code and reason, and waits for the end; events that were
    /// not taken are dropped. Where there is no connection, what waits is dropped and counted in
    /// [`Ending::unsent_messages`]. `None` if the end was told before.
    ///
    /// # Errors
    ///
    /// `WHARF_CLOSE_CODE` and `WHARF_CLOSE_REASON` for what may not be sent; the link is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the link.
    pub async fn close(
        mut self,
        code: impl Into<CloseCode>,
        reason: impl Into<ByteString>,
    ) -> Result<Option<Ending>> {
        self.shared.close(CloseFrame::new(code, reason)?);
        while let Some(event) = self.next().await {
            if let Event::Disconnected(ending) = event
                && ending.is_final()
            {
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }
}

/// The session closes with 1001 when its task's socket goes.
impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
