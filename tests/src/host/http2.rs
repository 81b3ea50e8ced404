//! hyper's server by HTTP/2 over TLS.

use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::time::timeout;
use wharf_sdk::{App, driver::Capabilities};

use super::{Answer, Certificate, Host, HyperHost, Request, Running, Stream, TcpServer};
use crate::client::{Http2Client, PATIENCE};

/// hyper's server, reached by HTTP/2: sockets are opened by extended CONNECT (RFC 8441), each on a
/// connection of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct HyperHttp2Host;

impl HyperHttp2Host {
    /// The same as [`Host::serve`], with the server's own type.
    pub async fn start(&self, app: App) -> Http2Server {
        let certificate = Certificate::generate();
        let tls = certificate.to_tls();
        let start = async move || {
            let server = wharf_hyper::server(app).tcp("127.0.0.1:0").tls(tls).http2();
            let server = server.bind().await.expect("a free port");
            (server.local_addr(), server.run())
        };
        Http2Server {
            server: TcpServer::start(start).await,
            certificate,
        }
    }
}

#[async_trait]
impl Host for HyperHttp2Host {
    fn capabilities(&self) -> Capabilities {
        HyperHost.capabilities()
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        Box::new(self.start(app).await)
    }

    fn is_secure(&self) -> bool {
        true
    }

    fn is_multiplexed(&self) -> bool {
        true
    }
}

/// A server that speaks HTTP/2.
#[derive(Debug)]
pub struct Http2Server {
    server: TcpServer,
    /// What it shows.
    pub certificate: Certificate,
}

impl Http2Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Opens a connection.
    ///
    /// # Panics
    ///
    /// If the server does not settle on HTTP/2.
    pub async fn connect(&self) -> Http2Client {
        Http2Client::begin(self.stream().await).await
    }

    async fn stream(&self) -> Box<dyn Stream> {
        let protocols = ["h2", "http/1.1"];
        let stream = self.certificate.connect(self.address(), &protocols);
        let stream = stream.await.expect("a handshake");
        let protocol = stream.get_ref().1.alpn_protocol();
        assert_eq!(protocol, Some(&b"h2"[..]), "the protocol of the handshake");
        Box::new(stream)
    }
}

#[async_trait]
impl Running for Http2Server {
    async fn request(&self, request: Request) -> Answer {
        let mut client = self.connect().await;
        timeout(PATIENCE, client.request(&request))
            .await
            .unwrap_or_else(|_| panic!("no answer to {request:?} for {PATIENCE:?}"))
    }

    async fn connect_http2(&self) -> Option<Box<dyn Stream>> {
        Some(self.stream().await)
    }
}
