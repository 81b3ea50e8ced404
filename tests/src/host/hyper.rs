//! The hyper driver, as a server of its own.

use async_trait::async_trait;
use wharf_sdk::{App, driver::Capabilities};

use super::{Host, Running, TcpServer};

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
