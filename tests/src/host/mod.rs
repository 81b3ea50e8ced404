//! Drivers under test, behind one trait.

mod answer;
mod certificate;
mod chunked;
mod memory;
mod named;
mod request;
mod tcp;

#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "hyper")]
mod http2;
#[cfg(feature = "hyper")]
mod hyper;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use wharf_sdk::{App, Result, Socket, driver::Capabilities};

#[cfg(feature = "actix")]
pub use self::actix::{ActixHost, ActixTlsHost, ScopedActixHost};
#[cfg(feature = "axum")]
pub use self::axum::{AxumHost, AxumTlsHost, NestedAxumHost};
pub use self::{
    answer::Answer, certificate::Certificate, memory::MemoryHost, named::serve_named,
    request::Request, tcp::TcpServer,
};
#[cfg(feature = "hyper")]
pub use self::{
    http2::{Http2Server, HyperHttp2Host},
    hyper::{HyperHost, HyperTlsHost},
};

/// Serves apps on one driver: what a driver implements to run the suite.
#[async_trait]
pub trait Host: Send + Sync {
    /// What the driver can do. Cases ask this and never the driver's name.
    fn capabilities(&self) -> Capabilities;

    /// Serves an app until what is returned is dropped.
    async fn serve(&self, app: App) -> Box<dyn Running>;

    /// How a handler sends a ping through the driver's own socket; owed if the capabilities say
    /// `native`.
    fn native_ping(&self) -> Option<NativeUse> {
        None
    }

    /// How a handler writes the text `ready` and then sends one text message back, through the
    /// driver's own types alone; owed if the capabilities say `native`.
    fn native_echo(&self) -> Option<NativeUse> {
        None
    }

    /// Whether it is reached by TLS, at `https`.
    fn is_secure(&self) -> bool {
        false
    }

    /// Whether it is reached by HTTP/2, where sockets are streams that nothing upgrades: what has no
    /// meaning there is not asked.
    fn is_multiplexed(&self) -> bool {
        false
    }

    /// Whether nothing but the test's own runtime is involved, so that time can be paused: timers
    /// then fire at once, and cases take no time.
    fn can_pause_time(&self) -> bool {
        false
    }
}

impl dyn Host + '_ {
    /// What a plain GET of a route without a fallback is refused with: over HTTP/2 there is nothing
    /// to upgrade.
    pub fn refusal_of_get(&self) -> (u16, &'static str) {
        match self.is_multiplexed() {
            true => (405, "WHARF_METHOD"),
            false => (426, "WHARF_NOT_AN_UPGRADE"),
        }
    }
}

/// What is done through the driver's own socket.
pub type NativeUse = for<'a> fn(&'a mut Socket) -> BoxFuture<'a, Result<()>>;

/// A server that carries an app. Dropped, it stops at once.
#[async_trait]
pub trait Running: Send + Sync {
    /// Opens a connection and sends a request. What the server says no more to than closing the
    /// connection is an answer with status 0.
    async fn request(&self, request: Request) -> Answer;

    /// Opens a connection on which HTTP/2 is spoken from the first byte on: behind the handshake of
    /// TLS where there is one. Owed if the capabilities say `extended_connect`.
    async fn connect_http2(&self) -> Option<Box<dyn Stream>> {
        None
    }

    /// The prefix that the app is mounted under, if it is.
    fn mount(&self) -> &str {
        ""
    }
}

/// A connection, as raw bytes.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}
