//! The server process, watched from outside.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    sync::Mutex,
    time::{sleep, timeout},
};

/// How long the server gets to be as it was before.
const CALM: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    child: Mutex<Child>,
    lines: Mutex<Lines<BufReader<ChildStdout>>>,
    id: u32,
    address: String,
}

/// What a server holds while nobody is connected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holdings {
    pub(crate) upgraded: u64,
    pub(crate) heap_bytes: usize,
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: usize,
}

/// What the server says of itself.
struct Report {
    live: u64,
    upgraded: u64,
    closed: u64,
    heap_bytes: usize,
}

impl Server {
    pub(crate) async fn start(driver: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", driver])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(CALM, lines.next_line())
            .await
            .expect("a server that starts");
        let line = line.unwrap().expect("a server that says where it listens");
        Self {
            address: line.strip_prefix("listening on ").unwrap().to_owned(),
            id: child.id().expect("a server that runs"),
            child: Mutex::new(child),
            lines: Mutex::new(lines),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until no connection is left; every session must then be accounted for.
    pub(crate) async fn calm(&self) -> Holdings {
        let since = Instant::now();
        loop {
            let report = self.report().await;
            if report.live == 0 {
                break;
            }
            let (live, upgraded, closed) = (report.live, report.upgraded, report.closed);
            assert!(
                since.elapsed() < CALM,
                "{live} connections are left after {CALM:?}: {upgraded} sessions began, {closed} \
                 ended"
            );
            sleep(Duration::from_millis(200)).await;
        }
        // The kernel closes the last descriptors a moment later.
        sleep(Duration::from_secs(1)).await;
        let report = self.report().await;
        assert_eq!(
            report.upgraded, report.closed,
            "every session that began has ended, once"
        );
        Holdings {
            upgraded: report.upgraded,
            heap_bytes: report.heap_bytes,
            resident_kib: self.resident_kib(),
            descriptors: std::fs::read_dir(format!("/proc/{}/fd", self.id))
                .unwrap()
                .count(),
        }
    }

    /// Ends it with SIGTERM after a while; what it says last must add up.
    pub(crate) async fn terminate_after(&self, delay: Duration) -> String {
        sleep(delay).await;
        let id = self.id.to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(killed.unwrap().success(), "`kill` runs");
        let line = timeout(CALM, async { self.lines.lock().await.next_line().await });
        let line = line.await.expect("an end in time").unwrap();
        let line = line.expect("the counts");
        let status = timeout(CALM, async { self.child.lock().await.wait().await });
        let status = status.await.expect("an exit in time").unwrap();
        assert!(status.success(), "{status} after {line:?}");
        let numbers: Vec<u64> = line
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let [sessions, closed, aborted, began, ended] = numbers[..] else {
            panic!("{line:?} is not five numbers");
        };
        assert_eq!(sessions, closed + aborted, "{line}");
        assert_eq!(began, ended, "{line}");
        line
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1);
        number.unwrap().parse().unwrap()
    }

    async fn report(&self) -> Report {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = "GET /report HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let body = answer.rsplit("\r\n\r\n").next().unwrap();
        let numbers: Vec<u64> = body
            .split(' ')
            .map(|number| number.trim().parse().unwrap())
            .collect();
        Report {
            live: numbers[0],
            upgraded: numbers[1],
            closed: numbers[2],
            heap_bytes: usize::try_from(numbers[3]).unwrap(),
        }
    }
}
