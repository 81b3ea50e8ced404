//! The program `fixture`, started and watched.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use wharf_conformance::{Client, Request, Running, TcpServer, client::PATIENCE};

/// A fixture that runs as a process of its own.
pub(crate) struct Program {
    pub(crate) child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) server: TcpServer,
}

impl Program {
    /// Starts it, and waits until it listens.
    pub(crate) async fn start(arguments: &[&str], driver: &str) -> Self {
        // A pipe that nobody reads would block it one day, in the middle of a panic message.
        Self::of(fixture(arguments, Stdio::null()), driver).await
    }

    /// Starts it with so many descriptors.
    #[cfg(unix)]
    pub(crate) async fn start_with_descriptors(count: usize, driver: &str) -> Self {
        let limited = format!("ulimit -n {count} && exec \"$@\"");
        let program = env!("CARGO_BIN_EXE_fixture");
        let mut command = Command::new("sh");
        command.args([
            "-c",
            &limited,
            "sh",
            program,
            "--driver",
            driver,
            "127.0.0.1:0",
        ]);
        Self::of(spawn(&mut command, Stdio::null()), driver).await
    }

    async fn of(mut child: Child, driver: &str) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let mut line = String::new();
        let reading = timeout(PATIENCE, stdout.read_line(&mut line)).await;
        reading.expect("a line in time").expect("a line");
        let address = line
            .strip_prefix("listening on ")
            .and_then(|rest| rest.strip_suffix(&format!(" ({driver})\n")))
            .unwrap_or_else(|| panic!("{line:?} says where it listens, and on what"));
        Self {
            server: TcpServer::at(address.parse().expect("an address")),
            child,
            stdout,
        }
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(&self, path: &str) -> Client {
        Client::new(self.server.request(Request::upgrade(path)).await)
    }

    /// Sends it a signal, such as `-TERM`.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await;
        assert!(sent.expect("kill runs").success());
    }

    /// What the system knows of the process.
    #[cfg(target_os = "linux")]
    pub(crate) fn usage(&self) -> Usage {
        let folder = format!("/proc/{}", self.child.id().expect("it runs"));
        let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).expect(name);
        let status = read("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|rest| rest.trim().strip_suffix(" kB"));
        // Behind the name, which is in parentheses, utime and stime are the 12th and 13th field,
        // in hundredths of a second.
        let stat = read("stat");
        let fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let ticks = fields
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().expect("ticks"));
        Usage {
            resident_kib: resident.expect("VmRSS").parse().expect("a number"),
            descriptors: std::fs::read_dir(format!("{folder}/fd"))
                .expect("fd")
                .count(),
            cpu: Duration::from_millis(ticks.sum::<u64>() * 10),
        }
    }

    /// Waits for the end; returns what it said last.
    pub(crate) async fn end(mut self) -> String {
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .expect("the end in time");
        let status = status.expect("a status");
        assert!(status.success(), "the exit code is {status:?}");
        let mut line = String::new();
        self.stdout.read_line(&mut line).await.expect("the counts");
        line
    }
}

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Resident memory.
    pub(crate) resident_kib: i64,
    /// Open file descriptors.
    pub(crate) descriptors: usize,
    /// Processor time since its start.
    pub(crate) cpu: Duration,
}

/// Starts the program.
pub(crate) fn fixture(arguments: &[&str], stderr: Stdio) -> Child {
    spawn(
        Command::new(env!("CARGO_BIN_EXE_fixture")).args(arguments),
        stderr,
    )
}

fn spawn(command: &mut Command, stderr: Stdio) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts")
}
