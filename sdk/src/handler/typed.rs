//! Sockets of values.

use std::{fmt, future::Future, marker::PhantomData};

use bytestring::ByteString;

use crate::{
    handler::{
        codec::{Codec, Json},
        ext::{WebSocketExt, read_as},
        extract::FromSocket,
        websocket::WebSocket,
    },
    message::{CloseCode, ConnectionId, Result},
    policy::SlowClient,
    session::{Gap, Sender, SessionInfo, Socket},
};

/// A socket that reads `In` and writes `Out`, as JSON text unless another [`Codec`] is named.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use wharf_sdk::{Result, Route, Typed};
///
/// #[derive(Deserialize)]
/// struct Guess { number: u8 }
///
/// #[derive(Serialize)]
/// struct Verdict { right: bool }
///
/// async fn game(mut socket: Typed<Guess, Verdict>) -> Result<()> {
///     while let Some(guess) = socket.read().await? {
///         socket.write(&Verdict { right: guess.number == 7 }).await?;
///     }
///     Ok(())
/// }
///
/// let route = Route::new("/game", game);
/// # let _ = route;
/// ```
///
/// It stands over any [`WebSocket`]: [`Typed::over`] puts it over one that came as a trait object.
pub struct Typed<In, Out, C = Json, S = Socket> {
    socket: S,
    types: PhantomData<fn(Out, C) -> In>,
}

impl<In: Send, Out, C: Codec<In, Out>, S: WebSocket> Typed<In, Out, C, S> {
    /// Speaks these types over a socket.
    ///
    /// ```
    /// use wharf_sdk::{Json, Result, Typed, WebSocket};
    ///
    /// async fn double(socket: Box<dyn WebSocket>) -> Result<()> {
    ///     let mut numbers: Typed<u32, u32, Json, _> = Typed::over(socket);
    ///     while let Some(number) = numbers.read().await? {
    ///         numbers.write(&(number * 2)).await?;
    ///     }
    ///     Ok(())
    /// }
    /// # wharf_sdk::Route::new("/", double);
    /// ```
    pub fn over(socket: S) -> Self {
        Self {
            socket,
            types: PhantomData,
        }
    }

    /// The next value; `None` once the session ends. What does not decode is treated as the
    /// route's [`DecodeErrors`](crate::DecodeErrors) say.
    ///
    /// # Errors
    ///
    /// The codec's, and what [`Socket::read`] returns.
    ///
    /// # Cancel safety
    ///
    /// As [`WebSocketExt::read_text`]: no message that decodes is
    /// lost.
    pub async fn read(&mut self) -> Result<Option<In>> {
        read_as(&mut self.socket, |message| C::decode(&message)).await
    }

    /// Queues a value.
    ///
    /// # Errors
    ///
    /// The codec's, and what [`Socket::write`] returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    pub async fn write(&mut self, value: &Out) -> Result<()> {
        let message = C::encode(value)?;
        self.socket.write_message(message).await
    }

    /// Closes; see [`Socket::close`].
    ///
    /// # Errors
    ///
    /// What may not be sent.
    ///
    /// # Cancel safety
    ///
    /// Begun at the first poll, it goes on if the future is dropped.
    pub async fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: impl Into<ByteString>,
    ) -> Result<()> {
        self.socket.close(code, reason).await
    }

    /// A sender of values.
    pub fn sender(&self) -> TypedSender<Out, In, C> {
        TypedSender {
            sender: self.socket.sender(),
            types: PhantomData,
        }
    }

    /// The connection's id.
    pub fn id(&self) -> ConnectionId {
        self.socket.id()
    }

    /// What is known of the session.
    pub fn info(&self) -> &SessionInfo {
        self.socket.info()
    }

    /// Waits until the end of the session has begun; see [`WebSocketExt::closing`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<In, Out, C, S> {
        self.socket.closing()
    }

    /// Waits until everything written has been handed to the operating system.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn flush(&mut self) {
        self.socket.flush().await;
    }

    /// Queues a value under this policy instead of the route's; see [`Sender::send_under`].
    ///
    /// # Errors
    ///
    /// The codec's, and what [`Sender::send_under`] returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    pub async fn write_under(&mut self, policy: SlowClient, value: &Out) -> Result<()> {
        let message = C::encode(value)?;
        self.socket.write_under(policy, message).await
    }

    /// Waits until messages were dropped, and takes the gap; see [`WebSocketExt::next_gap`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub fn next_gap(&self) -> impl Future<Output = Option<Gap>> + Send + use<In, Out, C, S> {
        self.socket.next_gap()
    }

    /// What was dropped since the last call, if anything was.
    pub fn take_gap(&mut self) -> Option<Gap> {
        self.socket.take_gap()
    }

    /// The socket below.
    pub fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    /// The socket below, for good.
    pub fn into_socket(self) -> S {
        self.socket
    }
}

impl<In, Out, C, S: FromSocket> FromSocket for Typed<In, Out, C, S> {
    fn from_socket(socket: Socket) -> Self {
        Self {
            socket: S::from_socket(socket),
            types: PhantomData,
        }
    }
}

impl<In, Out, C, S: fmt::Debug> fmt::Debug for Typed<In, Out, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&self.socket).finish()
    }
}

/// Writes values to one session, from anywhere: a cheap clone, made by [`Typed::sender`].
///
/// `Out` comes first: it is what is written. `In` is there for the codec, and the same as the
/// socket's.
///
/// ```
/// use wharf_sdk::{Result, Typed};
///
/// async fn countdown(mut socket: Typed<(), u32>) -> Result<()> {
///     let sender = socket.sender();
///     tokio::spawn(async move {
///         for number in [3, 2, 1] {
///             sender.send(&number).await?;
///         }
///         Result::<()>::Ok(())
///     });
///     while socket.read().await?.is_some() {}
///     Ok(())
/// }
/// # use wharf_sdk::{App, Route, testing::TestHost};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let app = App::builder().route(Route::new("/", countdown)).build()?;
/// # let mut client = TestHost::new(app).connect("/").await;
/// # for number in [3, 2, 1] {
/// #     assert_eq!(client.expect_json::<u32>().await, number);
/// # }
/// # Ok(())
/// # }
/// ```
pub struct TypedSender<Out, In, C = Json> {
    sender: Sender,
    types: PhantomData<fn(Out, In, C)>,
}

impl<Out, In, C: Codec<In, Out>> TypedSender<Out, In, C> {
    /// Queues a value; see [`Sender::send`].
    ///
    /// # Errors
    ///
    /// The codec's, and what [`Sender::send`] returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    pub async fn send(&self, value: &Out) -> Result<()> {
        let message = C::encode(value)?;
        self.sender.send(message).await
    }

    /// Queues a value under this policy instead of the route's; see [`Sender::send_under`].
    ///
    /// # Errors
    ///
    /// The codec's, and what [`Sender::send_under`] returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    pub async fn send_under(&self, policy: SlowClient, value: &Out) -> Result<()> {
        let message = C::encode(value)?;
        self.sender.send_under(policy, message).await
    }

    /// Queues a value or says at once that there is no room; see [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// The codec's, and what [`Sender::try_send`] returns.
    pub fn try_send(&self, value: &Out) -> Result<()> {
        self.sender.try_send(C::encode(value)?)
    }

    /// Queues a value that stands for the latest state of `key`; see [`Sender::send_latest`].
    ///
    /// # Errors
    ///
    /// The codec's, and what [`Sender::send_latest`] returns.
    pub fn send_latest(&self, key: impl Into<ByteString>, value: &Out) -> Result<()> {
        self.sender.send_latest(key, C::encode(value)?)
    }

    /// Waits until the end has begun; see [`Sender::closing`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closing(&self) {
        self.sender.closing().await;
    }

    /// Whether the end has begun.
    pub fn is_closing(&self) -> bool {
        self.sender.is_closing()
    }

    /// The sender below.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }
}

impl<Out, In, C> Clone for TypedSender<Out, In, C> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            types: PhantomData,
        }
    }
}

impl<Out, In, C> fmt::Debug for TypedSender<Out, In, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedSender").field(&self.sender).finish()
    }
}
