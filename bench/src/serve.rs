//! What every measured server shares: its command line, its limits and its announcement.
//!
//! Hand-written peers and Wharf servers use the same, so that none gets a setting that the
//! others lack.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Largest message that a measured server accepts: 64 MiB.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Worker threads of every measured server: 2.
pub const WORKER_THREADS: usize = 2;

/// The words with which a server says that it accepts; its address follows.
pub const ANNOUNCEMENT: &str = "listening on ";

/// A measured server's command line: `<addr>`, and options by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// Where to listen; port 0 lets the system choose.
    pub addr: SocketAddr,
    /// A folder with a certificate: serves TLS.
    pub tls: Option<PathBuf>,
    /// Serves HTTP/2 as well.
    pub http2: bool,
    /// Gives each worker a runtime and a listener of its own.
    pub workers: bool,
    /// The hub's bus; none keeps it in this process.
    pub bus: Option<String>,
    /// Has the inspector, open to everybody.
    pub inspector: bool,
    /// Sets `TCP_NODELAY` on every accepted socket. Off by default: what the framework does.
    pub nodelay: bool,
    /// After this long the process exits by itself, so that an orphan does not stay for ever.
    pub max_lifetime: Option<Duration>,
}

impl ServeOptions {
    /// Reads the options from the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// An argument is missing, unknown or not of its form.
    pub fn parse(args: impl IntoIterator<Item = String>) -> io::Result<Self> {
        let mut args = args.into_iter();
        let addr = args
            .next()
            .ok_or_else(|| invalid("an address is missing"))?;
        let addr = addr
            .parse()
            .map_err(|_| invalid(&format!("not an address: {addr}")))?;
        let mut options = Self {
            addr,
            tls: None,
            http2: false,
            workers: false,
            bus: None,
            inspector: false,
            nodelay: false,
            max_lifetime: None,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| invalid("a value is missing"));
            match arg.as_str() {
                "--nodelay" => options.nodelay = true,
                "--tls" => options.tls = Some(value()?.into()),
                "--http2" => options.http2 = true,
                "--workers" => options.workers = true,
                "--bus" => options.bus = Some(value()?),
                "--inspector" => options.inspector = true,
                "--max-seconds" => {
                    let seconds = value()?.parse();
                    let seconds = seconds.map_err(|_| invalid("--max-seconds needs a number"))?;
                    options.max_lifetime = Some(Duration::from_secs(seconds));
                }
                unknown => return Err(invalid(&format!("unknown option: {unknown}"))),
            }
        }
        Ok(options)
    }

    /// Starts the clock of [`max_lifetime`](Self::max_lifetime), if there is one.
    pub fn limit_lifetime(&self) {
        if let Some(lifetime) = self.max_lifetime {
            thread::spawn(move || {
                thread::sleep(lifetime);
                eprintln!("the longest lifetime, {lifetime:?}, has passed");
                std::process::exit(3);
            });
        }
    }
}

/// Says on standard output that the server accepts on `addr`.
///
/// # Errors
///
/// Standard output cannot be written.
pub fn announce(addr: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{ANNOUNCEMENT}{addr}")?;
    out.flush()
}

/// The runtime that every tokio-based server runs on: [`WORKER_THREADS`] workers.
///
/// # Errors
///
/// The runtime cannot be started.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> io::Result<ServeOptions> {
        ServeOptions::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_every_option() {
        let line = "127.0.0.1:0 --nodelay --tls /c --http2 --bus redis://h --max-seconds 7";
        let options = parse(line).expect("well-formed");
        assert!(options.nodelay && options.http2 && !options.inspector);
        assert_eq!(options.tls.as_deref(), Some("/c".as_ref()));
        assert_eq!(options.bus.as_deref(), Some("redis://h"));
        assert_eq!(options.max_lifetime, Some(Duration::from_secs(7)));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(parse("").is_err());
        assert!(parse("nowhere").is_err());
        assert!(parse("127.0.0.1:0 --fast").is_err());
        assert!(parse("127.0.0.1:0 --max-seconds").is_err());
        assert!(parse("127.0.0.1:0 --bus").is_err());
    }
}
