//! Three servers of Redis as one cluster, from Debian's package.

use std::{process::Stdio, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::{
    io::AsyncWriteExt,
    process::Command,
    time::{sleep, timeout},
};
use wharf_hub::{Hub, HubBuilder, RoomName, bus::FORMAT};
use wharf_redis::Redis;

use super::{BusHost, Engine, Server, Way};

const SERVERS: usize = 3;
const SLOTS: usize = 16_384;

/// `wharf_redis::Redis` over a cluster of three masters that keep nothing on disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedisCluster;

#[async_trait]
impl BusHost for RedisCluster {
    async fn start(&self) -> Box<dyn Engine> {
        let arguments = [
            "--port",
            "{port}",
            "--save",
            "",
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-node-timeout",
            "2000",
        ];
        let servers =
            (0..SERVERS).map(|_| Server::start("redis-server", "redis-server", &arguments));
        let running = Running(join_all(servers).await);
        running.share_slots().await;
        running.meet().await;
        running.is_whole().await;
        Box::new(running)
    }
}

struct Running(Vec<Server>);

impl Running {
    fn cli(&self, server: &Server) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-c", "-p", &server.address.port().to_string()]);
        command
    }

    /// Gives one of them a command of the cluster's own.
    async fn cluster(&self, server: &Server, arguments: &[&str]) {
        let mut command = self.cli(server);
        let output = command.arg("CLUSTER").args(arguments).output().await;
        let output = output.expect("redis-cli runs").stdout;
        let output = String::from_utf8_lossy(&output);
        assert_eq!(output.trim(), "OK", "CLUSTER {}", arguments.join(" "));
    }

    /// Each takes its part of the keys. `redis-cli --cluster create` does it in one, and fails where
    /// the servers do not agree at once.
    async fn share_slots(&self) {
        for (part, server) in self.0.iter().enumerate() {
            let first = (SLOTS * part / SERVERS).to_string();
            let last = (SLOTS * (part + 1) / SERVERS - 1).to_string();
            self.cluster(server, &["ADDSLOTSRANGE", &first, &last])
                .await;
            let epoch = (part + 1).to_string();
            self.cluster(server, &["SET-CONFIG-EPOCH", &epoch]).await;
        }
    }

    /// The first tells the others of each other.
    async fn meet(&self) {
        let (first, others) = self.0.split_first().expect("servers");
        for other in others {
            let port = other.address.port().to_string();
            self.cluster(first, &["MEET", "127.0.0.1", &port]).await;
        }
    }

    /// Waits until every server says that the cluster is.
    async fn is_whole(&self) {
        let waiting = timeout(Duration::from_secs(30), async {
            for server in &self.0 {
                loop {
                    let info = self.cli(server).args(["CLUSTER", "INFO"]).output().await;
                    let info = info.expect("redis-cli runs").stdout;
                    if String::from_utf8_lossy(&info).contains("cluster_state:ok") {
                        break;
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            }
        });
        waiting.await.expect("the cluster is whole in time");
    }
}

#[async_trait]
impl Engine for Running {
    async fn node(&self) -> HubBuilder {
        let url = format!("redis://{}", self.0[0].address);
        let bus = Redis::connect(&url).await.expect("the cluster is there");
        Hub::builder().bus(bus)
    }

    async fn apart(&self) -> Option<(HubBuilder, Way)> {
        // Its servers tell clients where they are, past any proxy.
        None
    }

    async fn kill(&mut self) {
        join_all(self.0.iter_mut().map(Server::kill)).await;
    }

    async fn restart(&mut self) {
        join_all(self.0.iter_mut().map(Server::restart)).await;
        self.is_whole().await;
    }

    async fn freeze(&self) {
        join_all(self.0.iter().map(|server| server.signal("-STOP"))).await;
    }

    async fn thaw(&self) {
        join_all(self.0.iter().map(|server| server.signal("-CONT"))).await;
    }

    async fn inject(&self, room: &RoomName, bytes: &[u8]) {
        // The room's partition, as every node finds it.
        let hash = room.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let channel = format!("{{wharf:{:02x}}}:{FORMAT}:c:{room}", hash % 128);
        let mut publish = self.cli(&self.0[0]);
        publish.args(["-x", "SPUBLISH", &channel]);
        let publish = publish.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut publish = publish.expect("redis-cli runs");
        let mut stdin = publish.stdin.take().expect("stdin");
        stdin.write_all(bytes).await.expect("redis-cli takes it");
        drop(stdin);
        assert!(publish.wait().await.expect("redis-cli ends").success());
    }

    fn keeps_history(&self) -> bool {
        false
    }
}
