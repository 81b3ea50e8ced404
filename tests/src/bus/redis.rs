//! Redis from Debian's package, on a port of its own.

use std::{io::Write, net::TcpStream};

use async_trait::async_trait;
use wharf_hub::{Hub, HubBuilder, RoomName};
use wharf_redis::Redis;

use super::{BusHost, Engine, Server};

/// `wharf_redis::Redis` over a server that keeps nothing on disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedisBus;

#[async_trait]
impl BusHost for RedisBus {
    async fn start(&self) -> Box<dyn Engine> {
        let arguments = ["--port", "{port}", "--save", "", "--appendonly", "no"];
        Box::new(Running(
            Server::start("redis-server", "redis-server", &arguments).await,
        ))
    }
}

struct Running(Server);

#[async_trait]
impl Engine for Running {
    async fn node(&self) -> HubBuilder {
        let url = format!("redis://{}", self.0.address);
        let bus = Redis::connect(&url).await.expect("the server is there");
        Hub::builder().bus(bus)
    }

    async fn kill(&mut self) {
        self.0.kill().await;
    }

    async fn restart(&mut self) {
        self.0.restart().await;
    }

    async fn freeze(&self) {
        self.0.signal("-STOP").await;
    }

    async fn thaw(&self) {
        self.0.signal("-CONT").await;
    }

    async fn inject(&self, room: &RoomName, bytes: &[u8]) {
        let mut line = TcpStream::connect(self.0.address).expect("the server is there");
        let channel = format!("wharf:c:{room}");
        let mut command = format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n", channel.len());
        command += &format!("${}\r\n", bytes.len());
        let command = [command.as_bytes(), bytes, b"\r\n"].concat();
        line.write_all(&command).expect("the server takes it");
        // Waits for the answer, so that it has been published.
        std::io::Read::read(&mut line, &mut [0; 16]).expect("an answer");
    }

    fn keeps_history(&self) -> bool {
        false
    }
}
