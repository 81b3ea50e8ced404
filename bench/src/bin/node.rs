//! The measured app on wharf-hyper over a bus: `node <addr> [--bus <redis://…|nats://…>]
//! [--max-seconds <n>]`.

use wharf_bench::serve::{ServeOptions, announce, runtime};
use wharf_bench::wharf_app::app_over;
use wharf_hub::Hub;
use wharf_nats::Nats;
use wharf_redis::Redis;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = ServeOptions::parse(std::env::args().skip(1))?;
    options.limit_lifetime();
    runtime()?.block_on(async {
        let hub = Hub::builder();
        let hub = match options.bus.as_deref() {
            None => hub,
            Some(url) if url.starts_with("redis://") => hub.bus(Redis::connect(url).await?),
            Some(url) => hub.bus(Nats::connect(url).await?),
        };
        let server = wharf_hyper::server(app_over(hub, &options)?);
        let server = server.tcp(options.addr.to_string()).bind().await?;
        announce(server.local_addr())?;
        server.run().await?;
        Ok(())
    })
}
