//! What becomes of a message that finds the send queue full.

/// What happens to a message that finds the send queue full.
///
/// ```
/// use wharf_sdk::{Configure, Route, SlowClient, Socket};
/// # use wharf_sdk::Result;
///
/// async fn prices(mut socket: Socket) -> Result<()> {
///     for price in 0.. {
///         if let Some(gap) = socket.take_gap() {
///             socket.write(format!("you missed {}", gap.messages)).await?;
///         }
///         socket.write(price.to_string()).await?;
///         tokio::task::yield_now().await;
///     }
///     Ok(())
/// }
///
/// let route = Route::new("/prices", prices)
///     .slow_client(SlowClient::DropOldest)
///     .queue_messages(64);
/// # let _ = route;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlowClient {
    /// The writer waits for room; the write deadline ends a peer that makes none.
    #[default]
    Wait,
    /// The writer gets a `WHARF_BACKPRESSURE` error; nothing is queued.
    Error,
    /// The new message is dropped and counted.
    DropNewest,
    /// The oldest queued messages are dropped and counted until the new one fits.
    DropOldest,
    /// The session is closed with 1013.
    Close,
}

impl SlowClient {
    /// Whether messages under it may be dropped.
    pub(crate) fn drops(self) -> bool {
        matches!(self, Self::DropNewest | Self::DropOldest)
    }
}
