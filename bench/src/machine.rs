//! What the operating system says: processor time, resident memory, and what machine this is.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

/// The unit of `/proc/stat`, the same on every Linux that this runs on.
const TICK_MILLIS: u64 = 10;

/// A machine is calm when all its processors together were busy for a tenth of this.
const CALM_PROBE: Duration = Duration::from_secs(1);

/// Processor time that a process has used so far, in user and kernel mode, over all its threads.
///
/// Read from `/proc/<pid>/task/*/schedstat`, which counts nanoseconds; `/proc/<pid>/stat` counts
/// ticks of 10 ms. A thread's time goes when the thread ends, so a process whose threads come and
/// go is under-counted: the measured servers keep theirs.
///
/// # Errors
///
/// The process is gone, or the kernel keeps no such account.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut total = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        match fs::read_to_string(task?.path().join("schedstat")) {
            Ok(text) => total += on_cpu(&text)?,
            // The thread ended since the folder was listed.
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            Err(other) => return Err(other),
        }
    }
    Ok(total)
}

/// Processor time that this whole machine has used so far, in ticks of 10 ms.
///
/// # Errors
///
/// The kernel keeps no such account.
pub fn machine_cpu_time() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    busy_in(&stat).ok_or_else(|| io::Error::other("/proc/stat begins with no account of all"))
}

/// Memory of a process that is in RAM now (`VmRSS`), in bytes.
///
/// # Errors
///
/// The process is gone.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    resident_in(&status).ok_or_else(|| io::Error::other("no VmRSS in /proc/<pid>/status"))
}

/// Waits until hardly anything runs on this machine, at most for `limit`; returns how long it took.
///
/// # Errors
///
/// The kernel keeps no account of the machine.
pub fn wait_for_calm(limit: Duration) -> io::Result<Duration> {
    let since = Instant::now();
    while since.elapsed() + CALM_PROBE <= limit {
        let before = machine_cpu_time()?;
        thread::sleep(CALM_PROBE);
        if machine_cpu_time()?.saturating_sub(before) < CALM_PROBE / 10 {
            break;
        }
    }
    Ok(since.elapsed())
}

/// The accounts of one span of time: the server's, the generator's and everybody else's.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    pid: u32,
    since: Instant,
    server_cpu: Duration,
    generator_cpu: Duration,
    machine_cpu: Duration,
}

impl Meter {
    /// Begins a span. This process counts as the generator.
    ///
    /// # Errors
    ///
    /// The process is gone.
    pub fn begin(pid: u32) -> io::Result<Self> {
        let machine_cpu = machine_cpu_time()?;
        let generator_cpu = cpu_time(std::process::id())?;
        let server_cpu = cpu_time(pid)?;
        Ok(Self {
            pid,
            since: Instant::now(),
            server_cpu,
            generator_cpu,
            machine_cpu,
        })
    }

    /// What was used since the beginning.
    ///
    /// # Errors
    ///
    /// The process is gone.
    pub fn end(&self) -> io::Result<Usage> {
        let wall = self.since.elapsed();
        let server_cpu = cpu_time(self.pid)?.saturating_sub(self.server_cpu);
        let own_cpu = cpu_time(std::process::id())?;
        let generator_cpu = own_cpu.saturating_sub(self.generator_cpu);
        let machine_cpu = machine_cpu_time()?.saturating_sub(self.machine_cpu);
        let elsewhere_cpu = machine_cpu.saturating_sub(server_cpu + generator_cpu);
        Ok(Usage {
            wall,
            server_cpu,
            generator_cpu,
            elsewhere_cpu,
        })
    }
}

/// Time used in a span, or in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on the clock.
    pub wall: Duration,
    /// Processor time of the server process.
    pub server_cpu: Duration,
    /// Processor time of the generator.
    pub generator_cpu: Duration,
    /// Processor time of everything else on the machine, the kernel's own work included.
    pub elsewhere_cpu: Duration,
}

impl Usage {
    /// Adds another span.
    pub fn add(&mut self, other: Self) {
        self.wall += other.wall;
        self.server_cpu += other.server_cpu;
        self.generator_cpu += other.generator_cpu;
        self.elsewhere_cpu += other.elsewhere_cpu;
    }
}

/// The machine that measured, for the record beside the figures.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processor model.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// Kernel release.
    pub kernel: String,
}

impl Machine {
    /// Describes this machine; what cannot be found out is `unknown`.
    pub fn describe() -> Self {
        let unknown = || "unknown".to_owned();
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let processor = processor.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease");
        Self {
            processor: processor.unwrap_or_else(unknown),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: kernel.map_or_else(|_| unknown(), |release| release.trim().to_owned()),
        }
    }
}

/// First field of a schedstat file: nanoseconds on a processor.
fn on_cpu(schedstat: &str) -> io::Result<Duration> {
    let nanos = schedstat
        .split_whitespace()
        .next()
        .and_then(|field| field.parse().ok());
    nanos
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other("schedstat is not three numbers"))
}

/// All but the idle fields of the first line of `/proc/stat`.
fn busy_in(stat: &str) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    // user nice system idle iowait irq softirq steal; guest time is part of user time.
    let fields: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .flat_map(str::parse)
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = fields[..] else {
        return None;
    };
    Some(Duration::from_millis(
        (user + nice + system + irq + softirq + steal) * TICK_MILLIS,
    ))
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_time_that_a_process_works() {
        let before = cpu_time(std::process::id()).expect("Linux");
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(50) {
            std::hint::black_box(since);
        }
        // The account of a running thread is brought up to date at the scheduler's ticks.
        assert!(cpu_time(std::process::id()).expect("Linux") > before);
    }

    #[test]
    fn idle_time_is_not_busy_time() {
        let stat = "cpu  1 2 3 1000 1000 4 5 6 7 8\ncpu0 0 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(busy_in(stat), Some(Duration::from_millis(210)));
        assert_eq!(busy_in("intr 5"), None);
        assert!(machine_cpu_time().expect("Linux") > Duration::ZERO);
    }

    #[test]
    fn does_not_wait_beyond_its_limit() {
        let limit = Duration::from_millis(900);
        assert!(wait_for_calm(limit).expect("Linux") < limit);
    }

    #[test]
    fn reads_resident_memory() {
        assert_eq!(
            resident_in("VmPeak:\t 9 kB\nVmRSS:\t    4096 kB\n"),
            Some(4 << 20)
        );
        assert_eq!(resident_in("VmPeak:\t 9 kB\n"), None);
        assert!(resident_bytes(std::process::id()).expect("Linux") > 100_000);
    }
}
