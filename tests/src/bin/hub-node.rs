//! A hub's node as a program: `hub-node [--driver axum|actix|hyper] [--bus local|redis://…|nats://…] ADDR`.
//!
//! Prints one line once it accepts. SIGTERM and ctrl-c drain it; then it leaves the bus.

use std::{fmt::Display, io::Write, process::ExitCode};

use wharf_conformance::hub_node;
use wharf_hub::Hub;
use wharf_sdk::{App, Error, ErrorKind, Result};

/// The drivers that are built in; the first is the default.
const DRIVERS: &[&str] = &[
    #[cfg(feature = "axum")]
    "axum",
    #[cfg(feature = "actix")]
    "actix",
    #[cfg(feature = "hyper")]
    "hyper",
];

struct Options {
    driver: String,
    bus: String,
    address: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = read_options() else {
        eprintln!(
            "usage: hub-node [--driver {}] [--bus local|redis://…|nats://…] ADDR",
            DRIVERS.join("|")
        );
        return ExitCode::from(2);
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn read_options() -> Option<Options> {
    let mut options = Options {
        driver: (*DRIVERS.first()?).to_owned(),
        bus: "local".to_owned(),
        address: String::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--driver" => options.driver = arguments.next()?,
            "--bus" => options.bus = arguments.next()?,
            address if !address.starts_with('-') => address.clone_into(&mut options.address),
            _ => return None,
        }
    }
    let is_known = DRIVERS.contains(&options.driver.as_str());
    (is_known && !options.address.is_empty()).then_some(options)
}

async fn run(options: &Options) -> Result<()> {
    let builder = Hub::builder();
    let (scheme, _) = options.bus.split_once("://").unwrap_or((&options.bus, ""));
    let (bus, builder) = match scheme {
        "local" => ("local", builder),
        #[cfg(feature = "redis")]
        "redis" | "rediss" => (
            "redis",
            builder.bus(wharf_redis::Redis::connect(&options.bus).await?),
        ),
        #[cfg(feature = "nats")]
        "nats" | "tls" => (
            "nats",
            builder.bus(wharf_nats::Nats::connect(&options.bus).await?),
        ),
        _ => {
            let message = "there is no such bus in this build";
            return Err(Error::new(ErrorKind::Config, "HUB_NODE_BUS", message));
        }
    };
    let hub = hub_node::hub(builder)?;
    let app = hub_node::app(hub.clone())?;
    serve(app, options, bus).await?;
    hub.shutdown().await;
    Ok(())
}

#[cfg_attr(
    not(any(feature = "axum", feature = "actix", feature = "hyper")),
    allow(
        unused_variables,
        clippy::unused_async,
        clippy::needless_pass_by_value,
        reason = "there is no driver to bind"
    )
)]
async fn serve(app: App, options: &Options, bus: &str) -> Result<()> {
    match options.driver.as_str() {
        #[cfg(feature = "axum")]
        "axum" => {
            let server = wharf_axum::bind(app, &options.address).await?;
            say(format_args!(
                "listening on {} (axum, {bus})",
                server.local_addr()
            ));
            server.run().await?;
        }
        #[cfg(feature = "actix")]
        "actix" => {
            let server = wharf_actix::bind(app, &options.address).await?;
            say(format_args!(
                "listening on {} (actix, {bus})",
                server.local_addr()
            ));
            server.run().await?;
        }
        #[cfg(feature = "hyper")]
        "hyper" => {
            let server = wharf_hyper::bind(app, &options.address).await?;
            say(format_args!(
                "listening on {} (hyper, {bus})",
                server.local_addr()
            ));
            server.run().await?;
        }
        _ => {}
    }
    Ok(())
}

/// Prints a line. Whoever started the program may have stopped to listen; that is no failure.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
