//! The fixture as a program: `fixture [--driver axum|actix|hyper] ADDR`.
//!
//! Prints one line once it accepts. It ends, with exit code 0 and the counts, on `POST /shutdown`,
//! SIGTERM and ctrl-c.

use std::{fmt::Display, io::Write, process::ExitCode};

#[cfg(any(feature = "axum", feature = "actix", feature = "hyper"))]
use wharf_conformance::Host;
use wharf_conformance::fixture;
use wharf_sdk::{Result, ShutdownReport};

/// The drivers that are built in; the first is the default.
const DRIVERS: &[&str] = &[
    #[cfg(feature = "axum")]
    "axum",
    #[cfg(feature = "actix")]
    "actix",
    #[cfg(feature = "hyper")]
    "hyper",
];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (driver, address) = match (&arguments[..], DRIVERS) {
        ([address], [driver, ..]) if !address.starts_with("--") => (*driver, *address),
        (["--driver", driver, address] | [address, "--driver", driver], _) => (*driver, *address),
        _ => {
            eprintln!("usage: fixture [--driver {}] ADDR", DRIVERS.join("|"));
            return ExitCode::from(2);
        }
    };
    fixture::hush_own_panics();
    match run(driver, address).await {
        Ok(report) => {
            let (sessions, closed, aborted) = (report.sessions, report.closed, report.aborted);
            say(format_args!(
                "shut down: {sessions} sessions, {closed} closed, {aborted} aborted"
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg_attr(
    not(any(feature = "axum", feature = "actix", feature = "hyper")),
    allow(
        unused_variables,
        clippy::unused_async,
        reason = "there is no driver to bind"
    )
)]
async fn run(driver: &str, address: &str) -> Result<ShutdownReport> {
    match driver {
        #[cfg(feature = "axum")]
        "axum" => {
            let fixture = fixture::app(wharf_conformance::AxumHost.native_ping())?;
            let server = wharf_axum::bind(fixture.app, address).await?;
            say(format_args!("listening on {} (axum)", server.local_addr()));
            server.run().await
        }
        #[cfg(feature = "actix")]
        "actix" => {
            let fixture = fixture::app(wharf_conformance::ActixHost.native_ping())?;
            let server = wharf_actix::bind(fixture.app, address).await?;
            say(format_args!("listening on {} (actix)", server.local_addr()));
            server.run().await
        }
        #[cfg(feature = "hyper")]
        "hyper" => {
            let fixture = fixture::app(wharf_conformance::HyperHost.native_ping())?;
            let server = wharf_hyper::bind(fixture.app, address).await?;
            say(format_args!("listening on {} (hyper)", server.local_addr()));
            server.run().await
        }
        other => {
            eprintln!("{other:?} is not one of the drivers in this build: {DRIVERS:?}");
            std::process::exit(2);
        }
    }
}

/// Prints a line. Whoever started the program may have stopped to listen; that is no failure.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
