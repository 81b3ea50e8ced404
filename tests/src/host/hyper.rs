//! The hyper driver, as a server of its own, by TCP and by TLS.

use async_trait::async_trait;
use wharf_sdk::{App, driver::Capabilities};

use super::{Certificate, Host, Running, TcpServer};

/// `wharf_hyper::bind`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HyperHost;

#[async_trait]
impl Host for HyperHost {
    fn capabilities(&self) -> Capabilities {
        Capabilities::wire(wharf_hyper::DRIVER)
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        let start = async move || {
            let server = wharf_hyper::bind(app, "127.0.0.1:0")
                .await
                .expect("a free port");
            (server.local_addr(), server.run())
        };
        Box::new(TcpServer::start(start).await)
    }
}

/// The same over TLS, as axum's server would be.
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
            let server = wharf_hyper::server(app).tcp("127.0.0.1:0").tls(tls);
            let server = server.bind().await.expect("a free port");
            (server.local_addr(), server.run())
        };
        Box::new(TcpServer::start(start).await.over_tls(certificate))
    }

    fn is_secure(&self) -> bool {
        true
    }
}
