//! From a target to a connection: names, addresses, proxies, TLS.

mod eyeballs;
mod proxy;
mod race;
mod socks;
mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;
mod tunnel;

use std::{net::SocketAddr, time::Duration};

use futures::future::BoxFuture;
use tokio::net::TcpStream;
use url::Host;
use wharf_sdk::{Error, ErrorKind, Result};

pub use self::proxy::Proxy;
pub(crate) use self::{
    proxy::{Proxies, from_environment},
    stream::{Plain, Stream},
};
use crate::{target::Target, timeouts::Timeouts};

/// Finds the addresses of a name.
pub(crate) type Resolver =
    dyn Fn(String, u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync;

/// More addresses of one name than this are not tried.
const MAX_ADDRESSES: usize = 32;

/// Opens a TCP connection to where `host` and `port` are.
pub(crate) async fn tcp(
    host: &Host<String>,
    port: u16,
    resolver: Option<&Resolver>,
    timeouts: &Timeouts,
) -> Result<TcpStream> {
    let addresses = match host {
        Host::Ipv4(ip) => vec![SocketAddr::from((*ip, port))],
        Host::Ipv6(ip) => vec![SocketAddr::from((*ip, port))],
        Host::Domain(name) => {
            let found = resolve(name, port, resolver);
            within(timeouts.resolve, RESOLVE, found).await?
        }
    };
    let stream = within(timeouts.connect, CONNECT, race::connect(addresses)).await?;
    // The session gathers writes itself; waiting for more in the kernel only adds latency.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn resolve(name: &str, port: u16, resolver: Option<&Resolver>) -> Result<Vec<SocketAddr>> {
    let found = match resolver {
        Some(resolver) => resolver(name.to_owned(), port).await,
        None => tokio::net::lookup_host((name, port))
            .await
            .map(|found| found.collect()),
    };
    let unknown = "the host's name leads to no address; check its spelling and the network";
    let error = || Error::new(ErrorKind::Io, "WHARF_RESOLVE", unknown);
    match found {
        Ok(mut addresses) if !addresses.is_empty() => {
            addresses.truncate(MAX_ADDRESSES);
            Ok(addresses)
        }
        Ok(_) => Err(error()),
        Err(cause) => Err(error().with_source(cause)),
    }
}

/// Opens the connection that the handshake will run over: through a proxy where there is one, with
/// TLS where the URL says so.
pub(crate) async fn tcp_to(
    target: &Target,
    proxy: Option<&Proxy>,
    resolver: Option<&Resolver>,
    timeouts: &Timeouts,
) -> Result<TcpStream> {
    let Some(proxy) = proxy else {
        return tcp(&target.host, target.port, resolver, timeouts).await;
    };
    let mut stream = tcp(&proxy.host, proxy.port, resolver, timeouts).await?;
    let passed = async {
        match proxy.kind {
            proxy::Kind::Http => tunnel::open(&mut stream, proxy, &target.host, target.port).await,
            proxy::Kind::Socks5 => socks::open(&mut stream, proxy, &target.host, target.port).await,
        }
    };
    within(timeouts.proxy, PROXY, passed).await?;
    Ok(stream)
}

/// A step of the way with the code and the words of its being too slow.
pub(crate) struct Step(&'static str, &'static str);

pub(crate) const RESOLVE: Step = Step(
    "WHARF_RESOLVE_TIMEOUT",
    "the host's name was not resolved in time; check the name servers",
);
pub(crate) const CONNECT: Step = Step(
    "WHARF_CONNECT_TIMEOUT",
    "no address of the host took the connection in time; check host, port and firewalls",
);
pub(crate) const PROXY: Step = Step(
    "WHARF_PROXY_TIMEOUT",
    "the proxy did not open the way in time; check it, and whether the host is up",
);
#[cfg(feature = "tls")]
pub(crate) const TLS: Step = Step(
    "WHARF_TLS_TIMEOUT",
    "the TLS handshake took too long; check that TLS is spoken on this port",
);
pub(crate) const HANDSHAKE: Step = Step(
    "WHARF_HANDSHAKE_TIMEOUT",
    "the server did not answer the upgrade in time; try again later",
);
pub(crate) const ALL: Step = Step(
    "WHARF_DIAL_TIMEOUT",
    "connecting took too long altogether; try again later",
);

/// Bounds a step.
pub(crate) async fn within<T>(
    limit: Duration,
    Step(code, message): Step,
    step: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, step).await {
        Ok(done) => done,
        Err(_) => Err(Error::new(ErrorKind::Timeout, code, message)),
    }
}
