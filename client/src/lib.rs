//! The client of Wharf: the same socket from the side that dials.
//!
//! Limits, queue, heartbeat, close handshake and typed messages are the server's: it is the same
//! session in the other role. A handler that is written for a server runs here, too.
//!
//! ```no_run
//! # async fn example() -> wharf_sdk::Result<()> {
//! let mut socket = wharf_client::connect("wss://example.com/chat").await?;
//! socket.write("hello").await?;
//! while let Some(message) = socket.read().await? {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | [`connect`], [`Client::connect`] | a [`Socket`] to hold |
//! | [`Client::run`] | a handler in the session's own task |
//! | [`Client::reconnecting`] | a [`Link`] that stays connected, and says when it was not |

mod builder;
mod client;
mod dial;
mod handshake;
pub mod link;
mod open;
mod random;
mod rejected;
mod request;
mod settings;
mod target;
mod timeouts;

use std::sync::OnceLock;

use wharf_sdk::{Result, Socket};

#[cfg(feature = "tls")]
pub use self::dial::tls::Tls;
pub use self::{
    builder::ClientBuilder, client::Client, dial::Proxy, link::Link, rejected::Rejected,
    request::Request, timeouts::Timeouts,
};

/// Connects with sensible defaults; see [`Client::connect`].
///
/// # Errors
///
/// As [`Client::connect`].
///
/// # Cancel safety
///
/// Dropping the future drops the connection.
pub async fn connect(request: impl Into<Request>) -> Result<Socket> {
    // Shared, so that the system's roots are read once.
    static DEFAULT: OnceLock<Client> = OnceLock::new();
    let client = match DEFAULT.get() {
        Some(client) => client,
        None => {
            let client = Client::builder().build()?;
            DEFAULT.get_or_init(|| client)
        }
    };
    client.connect(request).await
}
