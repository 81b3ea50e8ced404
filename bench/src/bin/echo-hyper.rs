//! The measured app on wharf-hyper: `echo-hyper <addr> [--tls <folder>] [--http2] [--workers]
//! [--inspector] [--max-seconds <n>]`.

use wharf_bench::certificate::{cert_file, key_file};
use wharf_bench::serve::{ServeOptions, WORKER_THREADS, announce, runtime};
use wharf_bench::wharf_app::app;
use wharf_hyper::Tls;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = ServeOptions::parse(std::env::args().skip(1))?;
    options.limit_lifetime();
    runtime()?.block_on(async {
        let mut server = wharf_hyper::server(app(&options)?).tcp(options.addr.to_string());
        if let Some(folder) = &options.tls {
            server = server.tls(Tls::from_pem_files(cert_file(folder), key_file(folder))?);
        }
        if options.http2 {
            server = server.http2();
        }
        if options.workers {
            server = server.workers(WORKER_THREADS);
        }
        let server = server.bind().await?;
        announce(server.local_addr())?;
        server.run().await?;
        Ok(())
    })
}
