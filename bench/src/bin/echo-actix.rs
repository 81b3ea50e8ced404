//! The measured app on wharf-actix: `echo-actix <addr> [--inspector] [--max-seconds <n>]`.

use wharf_bench::serve::{ServeOptions, announce, runtime};
use wharf_bench::wharf_app::app;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = ServeOptions::parse(std::env::args().skip(1))?;
    options.limit_lifetime();
    runtime()?.block_on(async {
        let server = wharf_actix::bind(app(&options)?, &options.addr.to_string()).await?;
        announce(server.local_addr())?;
        server.run().await?;
        Ok(())
    })
}
