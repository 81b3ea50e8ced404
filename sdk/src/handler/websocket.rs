//! The trait that handlers are written against.

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::{
    message::{Message, Result},
    policy::Limits,
    session::{Sender, SessionInfo, Socket},
    wire::NativeSocket,
};

/// A WebSocket, on any driver.
///
/// Object-safe, and spoken to as [`Socket`](crate::Socket) is: `write("text")`, `close(4000, "why")`,
/// `ping`, `sender`, `closing` and the rest are in [`WebSocketExt`](crate::WebSocketExt), which every
/// `WebSocket` has. A handler may take a `Box<dyn WebSocket>`, and pass it on as `&mut dyn WebSocket`
/// or `impl WebSocket`. One that names [`Socket`](crate::Socket) calls the same operations without a
/// box a call.
///
/// ```
/// use wharf_sdk::{App, Result, Route, WebSocket, WebSocketExt, testing::TestHost};
///
/// async fn shout(mut socket: Box<dyn WebSocket>) -> Result<()> {
///     socket.write("say something").await?;
///     while let Some(text) = socket.read_text().await? {
///         if text == "bye" {
///             return socket.close(4000, "as you wish").await;
///         }
///         socket.write(text.to_uppercase()).await?;
///     }
///     Ok(())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let host = TestHost::new(App::builder().route(Route::new("/", shout)).build()?);
/// # let mut client = host.connect("/").await;
/// # client.expect_text("say something").await;
/// # client.send_text("hey").await;
/// # client.expect_text("HEY").await;
/// # client.send_text("bye").await;
/// # client.expect_close(4000).await;
/// # Ok(())
/// # }
/// ```
///
/// # Contract
///
/// - `read` yields whole text and binary messages in order, then `Ok(None)` for good. Pings are
///   answered, pongs and closes consumed, whether or not anybody reads; routes that ask for
///   control frames see them as well.
/// - `write` queues in order; what was queued leaves at the latest when the handler yields.
/// - `close` flushes, closes and waits, once; after it `write` is a `WHARF_CLOSED` error.
#[async_trait]
pub trait WebSocket: Send + Sync {
    /// The next message; `None` once the session ends.
    ///
    /// # Errors
    ///
    /// `WHARF_RATE_LIMITED` in place of a message, on routes that ask for it.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: `select!` loses nothing.
    async fn read(&mut self) -> Result<Option<Message>>;

    /// Queues a text or binary message: what [`WebSocketExt::write`](crate::WebSocketExt::write)
    /// calls.
    ///
    /// # Errors
    ///
    /// `WHARF_CONTROL_WRITE` for other kinds (nothing is sent, the socket stays usable),
    /// `WHARF_OUTBOUND_TOO_LARGE`, `WHARF_BACKPRESSURE`, `WHARF_CLOSED`.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    async fn write_message(&mut self, message: Message) -> Result<()>;

    /// Waits until everything written has been handed to the operating system, or the session has
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn flush(&mut self);

    /// The framework's own socket.
    ///
    /// # Errors
    ///
    /// `WHARF_NO_NATIVE` where the driver has none.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn native(&mut self) -> Result<&mut dyn NativeSocket>;

    /// A sender: a cheap clone that can only write.
    fn sender(&self) -> Sender;

    /// What is known of the session.
    fn info(&self) -> &SessionInfo;

    /// Every limit of the route.
    fn limits(&self) -> &Limits;
}

#[async_trait]
impl WebSocket for Socket {
    async fn read(&mut self) -> Result<Option<Message>> {
        Self::read(self).await
    }

    async fn write_message(&mut self, message: Message) -> Result<()> {
        Self::write(self, message).await
    }

    async fn flush(&mut self) {
        Self::flush(self).await;
    }

    async fn native(&mut self) -> Result<&mut dyn NativeSocket> {
        Self::native(self).await
    }

    fn sender(&self) -> Sender {
        Self::sender(self)
    }

    fn info(&self) -> &SessionInfo {
        Self::info(self)
    }

    fn limits(&self) -> &Limits {
        Self::limits(self)
    }
}

/// Whoever owns or borrows a socket has one. Written out, so that the futures below are passed on
/// and not boxed a second time.
macro_rules! forward_to_the_socket_inside {
    ($($owner:ty)*) => {$(
        impl<W: WebSocket + ?Sized> WebSocket for $owner {
            forward_to_the_socket_inside!(@future read() -> Result<Option<Message>>);
            forward_to_the_socket_inside!(@future write_message(message: Message) -> Result<()>);
            forward_to_the_socket_inside!(@future flush() -> ());

            fn native<'life0, 'async_trait>(
                &'life0 mut self,
            ) -> BoxFuture<'async_trait, Result<&'life0 mut dyn NativeSocket>>
            where
                'life0: 'async_trait,
                Self: 'async_trait,
            {
                (**self).native()
            }

            fn sender(&self) -> Sender {
                (**self).sender()
            }

            fn info(&self) -> &SessionInfo {
                (**self).info()
            }

            fn limits(&self) -> &Limits {
                (**self).limits()
            }
        }
    )*};
    (@future $method:ident($($argument:ident: $type:ty)?) -> $output:ty) => {
        fn $method<'life0, 'async_trait>(
            &'life0 mut self,
            $($argument: $type,)?
        ) -> BoxFuture<'async_trait, $output>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            (**self).$method($($argument)?)
        }
    };
}

forward_to_the_socket_inside!(Box<W> &mut W);
