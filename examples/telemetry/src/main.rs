//! The chat as a server: figures at `/metrics`, spans on the standard output.
//!
//!     cargo run --manifest-path examples/telemetry/Cargo.toml

use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry_sdk::trace::SdkTracerProvider;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spans = SdkTracerProvider::builder()
        // Another exporter sends them to a collector.
        .with_simple_exporter(opentelemetry_stdout::SpanExporter::default())
        .build();
    tracing::subscriber::set_global_default(wharf_telemetry::subscriber(&spans))?;
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    let app = wharf_telemetry::app(prometheus)?;
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let server = wharf::bind(app, &address).await?;
    println!("listening on {}", server.local_addr());
    server.run().await?;
    spans.shutdown()?;
    Ok(())
}
