//! The fixture as a program: `fixture [--driver axum|actix|hyper] [--tls CERT.pem KEY.pem]
//! [--http2] ADDR`.
//!
//! Prints one line once it accepts. It ends, with exit code 0 and the counts, on `POST /shutdown`,
//! SIGTERM and ctrl-c.

use std::{fmt::Display, io::Write, process::ExitCode};

#[cfg(feature = "axum")]
use wharf_axum::ServerBuilder;
#[cfg(any(feature = "axum", feature = "actix", feature = "hyper"))]
use wharf_conformance::Host;
use wharf_conformance::fixture;
#[cfg(all(feature = "hyper", not(feature = "axum")))]
use wharf_hyper::ServerBuilder;
#[cfg(any(feature = "axum", feature = "actix", feature = "hyper"))]
use wharf_sdk::driver::Tls;
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

const USAGE: &str = "[--tls CERT.pem KEY.pem] [--http2] ADDR";

/// What the command line asks for.
#[cfg_attr(
    not(any(feature = "axum", feature = "actix", feature = "hyper")),
    allow(dead_code, reason = "there is no driver to use it")
)]
struct Options<'a> {
    driver: &'a str,
    address: &'a str,
    /// A certificate and its key.
    tls: Option<(&'a str, &'a str)>,
    http2: bool,
}

impl<'a> Options<'a> {
    fn parse(arguments: &[&'a str]) -> Option<Self> {
        let mut options = Self {
            driver: DRIVERS.first()?,
            address: "",
            tls: None,
            http2: false,
        };
        let mut rest = arguments.iter().copied();
        while let Some(argument) = rest.next() {
            match argument {
                "--driver" => options.driver = rest.next()?,
                "--tls" => options.tls = Some((rest.next()?, rest.next()?)),
                "--http2" => options.http2 = true,
                address if options.address.is_empty() && !address.starts_with('-') => {
                    options.address = address;
                }
                _ => return None,
            }
        }
        (!options.address.is_empty()).then_some(options)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let Some(options) = Options::parse(&arguments) else {
        let drivers = DRIVERS.join("|");
        eprintln!("usage: fixture [--driver {drivers}] {USAGE}");
        return ExitCode::from(2);
    };
    fixture::hush_own_panics();
    match run(&options).await {
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
    allow(clippy::unused_async, reason = "there is no driver to bind")
)]
async fn run(options: &Options<'_>) -> Result<ShutdownReport> {
    match options.driver {
        #[cfg(feature = "axum")]
        "axum" => {
            let fixture = fixture::app(wharf_conformance::AxumHost.native_ping())?;
            serve(wharf_axum::server(fixture.app), options).await
        }
        #[cfg(feature = "actix")]
        "actix" if !options.http2 => {
            let fixture = fixture::app(wharf_conformance::ActixHost.native_ping())?;
            let mut server = wharf_actix::bind(fixture.app, options.address).await?;
            if let Some((certificate, key)) = options.tls {
                server = server.tls(Tls::from_pem_files(certificate, key)?);
            }
            say(format_args!("listening on {} (actix)", server.local_addr()));
            server.run().await
        }
        #[cfg(feature = "hyper")]
        "hyper" => {
            let fixture = fixture::app(wharf_conformance::HyperHost.native_ping())?;
            serve(wharf_hyper::server(fixture.app), options).await
        }
        other => {
            eprintln!("{other:?} cannot do that, or is not one of this build's: {DRIVERS:?}");
            std::process::exit(2);
        }
    }
}

/// Serves on hyper's server, which is axum's too.
#[cfg(any(feature = "axum", feature = "hyper"))]
async fn serve(builder: ServerBuilder, options: &Options<'_>) -> Result<ShutdownReport> {
    let mut builder = builder.tcp(options.address);
    if let Some((certificate, key)) = options.tls {
        builder = builder.tls(Tls::from_pem_files(certificate, key)?);
    }
    if options.http2 {
        builder = builder.http2();
    }
    let server = builder.bind().await?;
    let (address, driver) = (server.local_addr(), options.driver);
    say(format_args!("listening on {address} ({driver})"));
    server.run().await
}

/// Prints a line. Whoever started the program may have stopped to listen; that is no failure.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
