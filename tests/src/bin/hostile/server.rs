//! The server process, watched from outside.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a server may hold what attackers do not let go of: its longest deadline and a little.
pub(crate) const RELEASE: Duration = Duration::from_secs(20);

/// Descriptors that a runtime may open by and by.
const SPARE_DESCRIPTORS: usize = 4;

pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

/// What the process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) descriptors: usize,
    pub(crate) resident_kib: u64,
}

impl Server {
    pub(crate) fn start(driver: &str, workers: usize, descriptors: u64) -> Self {
        Self::spawn(
            Command::new(std::env::current_exe().unwrap())
                .args(["serve", driver])
                .args([workers.to_string(), descriptors.to_string()]),
        )
    }

    /// One worker, which shares its core with nobody who attacks if there is another.
    pub(crate) fn start_on_one_core(driver: &str) -> Self {
        Self::spawn(
            Command::new("taskset")
                .args(["--cpu-list", "0"])
                .arg(std::env::current_exe().unwrap())
                .args(["serve", driver, "1", "1024"]),
        )
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ");
        let address = address.expect("a server that says where it listens");
        Self {
            address: address.parse().unwrap(),
            child,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn usage(&self) -> Usage {
        usage(self.child.id())
    }

    /// Samples the resident memory until the result is asked.
    pub(crate) fn watch_memory(&self) -> Watch {
        let watch = Watch::default();
        let (id, peak, stop) = (
            self.child.id(),
            Arc::clone(&watch.peak),
            Arc::clone(&watch.stop),
        );
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                peak.fetch_max(usage(id).resident_kib, Ordering::Relaxed);
                sleep(Duration::from_millis(50));
            }
        });
        watch
    }

    /// How long it takes until no more descriptors are open than these; `None` if that is too long.
    pub(crate) fn released_after(&self, descriptors: usize) -> Option<Duration> {
        let since = Instant::now();
        while since.elapsed() < RELEASE {
            if self.usage().descriptors <= descriptors + SPARE_DESCRIPTORS {
                return Some(since.elapsed());
            }
            sleep(Duration::from_millis(50));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most that a process has held while it was watched.
#[derive(Default)]
pub(crate) struct Watch {
    peak: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn peak_kib(&self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.peak.load(Ordering::Relaxed)
    }
}

/// Zeros once the process has ended: what it does not answer any more says so louder.
fn usage(id: u32) -> Usage {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    Usage {
        descriptors: std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count),
        resident_kib: kib.unwrap_or(0),
    }
}
