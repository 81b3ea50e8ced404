//! The contract on a driver that was written with the public interfaces alone, and that declares
//! what no other driver here does: frames without a name reach the handler.

mod own_driver;
mod surfacing_transport;

use async_trait::async_trait;
use own_driver::OwnServer;
use surfacing_transport::{CAPABILITIES, Surfacing};
use wharf_conformance::{Host, Running, differential::Differential};
use wharf_sdk::{App, driver::Capabilities};

struct SurfacingHost;

#[async_trait]
impl Host for SurfacingHost {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        Box::new(OwnServer {
            app,
            driver: CAPABILITIES.driver,
            wrap: Surfacing::new,
        })
    }

    fn can_pause_time(&self) -> bool {
        true
    }
}

wharf_conformance::conformance!(SurfacingHost);

#[test]
fn random_rounds() {
    Differential::new()
        .rounds(300)
        .check(&[("surfacing", &SurfacingHost)]);
}
