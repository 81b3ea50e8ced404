//! An engine's own server, on a free port, keeping nothing on disk.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::sleep;

/// Longest wait for it to accept.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How often it is tried.
const POLL: Duration = Duration::from_millis(10);

/// A running server; killed when dropped.
pub(crate) struct Engine {
    scheme: String,
    addr: SocketAddr,
    child: Child,
}

impl Engine {
    /// Starts `redis` or `nats`.
    pub(crate) async fn start(bus: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        drop(listener);
        let mut engine = Self {
            scheme: bus.to_owned(),
            addr,
            child: spawn(bus, addr.port())?,
        };
        engine.wait().await?;
        Ok(engine)
    }

    /// Kills it, as a crash does.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Starts it again, in the same place.
    pub(crate) async fn restart(&mut self) -> io::Result<()> {
        self.child = spawn(&self.scheme, self.addr.port())?;
        self.wait().await
    }

    async fn wait(&mut self) -> io::Result<()> {
        let since = Instant::now();
        while TcpStream::connect(self.addr).await.is_err() {
            if since.elapsed() > START_DEADLINE {
                return Err(io::Error::other("the engine does not accept"));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(bus: &str, port: u16) -> io::Result<Child> {
    let port = port.to_string();
    let mut command = match bus {
        "redis" => {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port, "--bind", "127.0.0.1"]);
            command.args(["--save", "", "--appendonly", "no"]);
            command
        }
        "nats" => {
            let mut command = Command::new("nats-server");
            command.args(["-a", "127.0.0.1", "-p", &port]);
            command
        }
        _ => return Err(io::Error::other(format!("no such bus: {bus}"))),
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| io::Error::other(format!("{bus} does not start: {error}")))
}
