//! What a route allows: limits, timers, origins, subprotocols.
//!
//! A [`Policy`] is a set of settings, each given or not. Apps, groups and routes each have one;
//! what a route leaves open it inherits from its group, then from the app, then from the defaults
//! named here. [`Limits`] is the result, complete and checked when the app is built.

mod limits;
mod origin;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod rate;
mod settings;
mod subprotocol;

pub use self::{
    limits::Limits,
    origin::{OriginPattern, OriginPolicy},
    rate::{RateLimit, RatePolicy},
    settings::{Configure, Policy},
    subprotocol::Subprotocols,
};
pub(crate) use self::{origin::RequestOrigin, rate::Bucket, subprotocol::parse_offers};

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
