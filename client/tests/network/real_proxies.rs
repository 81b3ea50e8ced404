//! Through proxies that others wrote: tinyproxy (HTTP) and microsocks (SOCKS5), as Debian has them.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::net::{TcpSocket, TcpStream};
use wharf_client::{Client, Proxy, Rejected};
use wharf_sdk::{Result, Socket};

use crate::{
    servers::{hello, reserved, serve},
    tls,
};

/// A proxy that runs, for who has the password if there is one. Dropped, it is ended.
struct Running {
    process: Child,
    address: SocketAddr,
    _reserved: TcpSocket,
    settings: Option<PathBuf>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(settings) = &self.settings {
            let _ = std::fs::remove_file(settings);
        }
    }
}

impl Running {
    async fn start(
        mut command: Command,
        (reserved, address): (TcpSocket, SocketAddr),
        settings: Option<PathBuf>,
    ) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| {
            panic!("{command:?} cannot be started ({error}); .ci/install installs it")
        });
        let running = Self {
            process,
            address,
            _reserved: reserved,
            settings,
        };
        for _ in 0..3000 {
            if TcpStream::connect(address).await.is_ok() {
                return running;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{command:?} does not listen");
    }

    /// `user:secret` may pass.
    async fn tinyproxy() -> Self {
        let (reserved, address) = reserved();
        let name = format!("wharf-tinyproxy-{}-{}", std::process::id(), address.port());
        let settings = std::env::temp_dir().join(name);
        let lines = format!(
            "Port {}\nListen 127.0.0.1\nTimeout 600\nMaxClients 100\nBasicAuth user secret\n",
            address.port()
        );
        std::fs::write(&settings, lines).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&settings);
        Self::start(command, (reserved, address), Some(settings)).await
    }

    async fn microsocks(password: Option<&str>) -> Self {
        let (reserved, address) = reserved();
        let mut command = Command::new("microsocks");
        command.args(["-i", "127.0.0.1", "-p", &address.port().to_string()]);
        if let Some(password) = password {
            command.args(["-u", "user", "-P", password]);
        }
        Self::start(command, (reserved, address), None).await
    }
}

async fn through(proxy: &str, url: &str) -> Result<Socket> {
    Client::builder()
        .proxy(Proxy::parse(proxy))
        .connect(url)
        .await
}

async fn says_hello(socket: Result<Socket>) {
    let mut socket = socket.unwrap();
    assert_eq!(socket.read().await.unwrap(), Some("hello".into()));
    assert_eq!(socket.read().await.unwrap(), None);
    socket.closed().await;
    assert!(socket.outcome().unwrap().clean);
}

#[tokio::test]
async fn a_real_http_proxy_leads_to_the_server() {
    let proxy = Running::tinyproxy().await;
    let server = serve(hello).await;
    let good = format!("http://user:secret@{}", proxy.address);
    // The proxy resolves the name.
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("ws://{host}:{}/", server.port());
        says_hello(through(&good, &url).await).await;
    }
    for (credentials, status) in [("user:wrong@", 401), ("", 407)] {
        let proxy = format!("http://{credentials}{}", proxy.address);
        let error = through(&proxy, &format!("ws://{server}/"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "WHARF_PROXY");
        let rejected = Rejected::of(&error).unwrap();
        assert_eq!(rejected.status().as_u16(), status);
        assert!(!format!("{error:?}").contains("wrong"), "the password");
    }
    let (_reserved, nobody) = reserved();
    let error = through(&good, &format!("ws://{nobody}/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "WHARF_PROXY", "{error:?}");
}

#[tokio::test]
async fn a_real_socks_proxy_leads_to_the_server() {
    let server = serve(hello).await;
    let open = Running::microsocks(None).await;
    let locked = Running::microsocks(Some("secret")).await;
    for proxy in [
        format!("socks5://{}", open.address),
        format!("socks5://user:secret@{}", locked.address),
    ] {
        for host in ["127.0.0.1", "localhost"] {
            let url = format!("ws://{host}:{}/", server.port());
            says_hello(through(&proxy, &url).await).await;
        }
        let (_reserved, nobody) = reserved();
        let error = through(&proxy, &format!("ws://{nobody}/"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "WHARF_PROXY", "{error:?}");
    }
    for credentials in ["user:wrong@", ""] {
        let proxy = format!("socks5://{credentials}{}", locked.address);
        let error = through(&proxy, &format!("ws://{server}/"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "WHARF_PROXY", "{error:?}");
        assert!(!format!("{error:?}").contains("wrong"), "the password");
    }
}

#[tokio::test]
async fn tls_goes_through_real_proxies() {
    let http = Running::tinyproxy().await;
    let socks = Running::microsocks(None).await;
    let (server, trusting) = tls::trusted_server().await;
    for proxy in [
        format!("http://user:secret@{}", http.address),
        format!("socks5://{}", socks.address),
    ] {
        let socket = Client::builder()
            .tls(trusting())
            .proxy(Proxy::parse(&proxy))
            .connect(format!("wss://localhost:{}/", server.port()))
            .await;
        says_hello(socket).await;
    }
}
