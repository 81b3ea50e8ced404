//! An engine's own server, as a process.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::ports::free_port;

/// How long a server may take to start.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// A server that a test has started, on a port of its own; killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    program: &'static str,
    package: &'static str,
    arguments: Vec<String>,
    child: Option<Child>,
    folder: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a program of a Debian package, and waits until it listens; `{port}` and `{folder}` in
    /// its arguments are filled in.
    ///
    /// # Panics
    ///
    /// If it is not installed, or does not start.
    pub async fn start(program: &'static str, package: &'static str, arguments: &[&str]) -> Self {
        let port = free_port();
        let folder =
            std::env::temp_dir().join(format!("wharf-{program}-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the server");
        let fill = |argument: &&str| {
            argument
                .replace("{port}", &port.to_string())
                .replace("{folder}", &folder.to_string_lossy())
        };
        let mut server = Self {
            program,
            package,
            arguments: arguments.iter().map(fill).collect(),
            child: None,
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        };
        server.restart().await;
        server
    }

    /// Starts it again, after it was killed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn restart(&mut self) {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.log())
            .expect("a log for the server");
        let child = Command::new(self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log for the server"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        let child = self.child.insert(child.unwrap_or_else(|error| {
            panic!(
                "{} does not start ({error}); install it: apt-get install -y {}",
                self.program, self.package
            )
        }));
        let listening = timeout(START_DEADLINE, async {
            while TcpStream::connect(self.address).await.is_err() {
                if child.try_wait().expect("its state").is_some() {
                    return false;
                }
                sleep(Duration::from_millis(10)).await;
            }
            true
        });
        if listening.await != Ok(true) {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            panic!(
                "{} does not listen on {}:\n{log}",
                self.program, self.address
            );
        }
    }

    /// Kills it, as a crash does.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill().await;
        }
    }

    /// Sends it a signal, such as `-STOP`.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub async fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it runs");
        let id = child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await;
        assert!(sent.expect("kill runs").success());
    }

    /// What it says of itself.
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.take();
        // What is left is in the system's folder for what may be left.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
