//! A measured server as a child process.

use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::serve::ANNOUNCEMENT;

/// Longest wait for a started server to accept.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// A server that runs and accepts. Dropping it kills the process.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    addr: SocketAddr,
}

impl ServerProcess {
    /// Starts a program and waits, at most ten seconds, for its announcement.
    ///
    /// # Errors
    ///
    /// The program does not start, ends, or does not announce a loopback address in time.
    pub fn start(program: &Path, args: &[String]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", program.display())))?;
        let out = child.stdout.take();
        // From here on the child is in a guard: an early return must not leave it behind.
        let mut server = Self {
            child,
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let out = out.ok_or_else(|| io::Error::other("the child's output is not piped"))?;
        let announced = announcement(out).recv_timeout(START_DEADLINE);
        server.addr = announced.map_err(|_| {
            io::Error::other(format!(
                "{} did not announce that it listens",
                program.display()
            ))
        })?;
        if !server.addr.ip().is_loopback() {
            return Err(io::Error::other(format!(
                "{} is not a loopback address",
                server.addr
            )));
        }
        Ok(server)
    }

    /// Where the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The process, as the system numbers it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing more to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the child's output to its end, so that the child never waits for a reader, and hands
/// over the first address that it announces.
fn announcement(out: ChildStdout) -> Receiver<SocketAddr> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if let Some(addr) = announced_addr(&line) {
                // Nobody listens any more once the first one has arrived.
                let _ = sender.send(addr);
            }
        }
    });
    receiver
}

/// The address in `… listening on <addr> …`.
fn announced_addr(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(ANNOUNCEMENT)?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_announced_address() {
        let expected = Some(SocketAddr::from(([127, 0, 0, 1], 9101)));
        assert_eq!(announced_addr("listening on 127.0.0.1:9101"), expected);
        assert_eq!(
            announced_addr("listening on 127.0.0.1:9101 (axum)"),
            expected
        );
        assert_eq!(announced_addr("starting"), None);
    }

    #[test]
    fn says_so_when_a_child_ends_without_announcing() {
        let failed = ServerProcess::start(Path::new("/bin/true"), &[]).expect_err("says nothing");
        assert!(failed.to_string().contains("did not announce"), "{failed}");
    }

    #[test]
    fn kills_the_child_when_dropped() {
        let script = "echo listening on 127.0.0.1:1; exec sleep 60".to_owned();
        let server = ServerProcess::start(Path::new("/bin/sh"), &["-c".to_owned(), script]);
        let server = server.expect("announces");
        let folder = format!("/proc/{}", server.pid());
        assert!(Path::new(&folder).exists());
        drop(server);
        assert!(!Path::new(&folder).exists());
    }
}
