//! The hyper driver, as a server of its own, by TCP and by TLS.

use async_trait::async_trait;
use wharf_sdk::{App, driver::Capabilities};

use super::{Certificate, Host, Running, TcpServer};

/// `wharf_hyper::server`, with HTTP/2 for who knows of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct HyperHost;

#[async_trait]
impl Host for HyperHost {
    fn capabilities(&self) -> Capabilities {
        Capabilities::wire(wharf_hyper::DRIVER).with_extended_connect(true)
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        let start = async move || {
            let server = wharf_hyper::server(app).tcp("127.0.0.1:0").http2();
            let server = server.bind().await.expect("a free port");
            (server.local_addr(), server.run())
        };
        Box::new(TcpServer::start(start).await.with_http2())
    }
}

/// The same over TLS.
#[derive(Debug, Clone, Copy, Default)]
pub struct HyperTlsHost;

#[async_trait]
impl Host for HyperTlsHost {
    fn capabilities(&self) -> Capabilities {
        HyperHost.capabilities()
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        let certificate = Certificate::generate();
        let tls = certificate.to_tls();
        let start = async move || {
            let server = wharf_hyper::server(app).tcp("127.0.0.1:0").tls(tls).http2();
            let server = server.bind().await.expect("a free port");
            (server.local_addr(), server.run())
        };
        let server = TcpServer::start(start).await.over_tls(certificate);
        Box::new(server.with_http2())
    }

    fn is_secure(&self) -> bool {
        true
    }
}
