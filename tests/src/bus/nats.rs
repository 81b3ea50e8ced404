//! NATS from Debian's package, on a port of its own.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use async_trait::async_trait;
use wharf_hub::{Hub, HubBuilder, RoomName};
use wharf_nats::Nats;

use super::{BusHost, Engine, Server};

/// `wharf_nats::Nats` over a server with JetStream.
#[derive(Debug, Clone, Copy, Default)]
pub struct NatsBus;

#[async_trait]
impl BusHost for NatsBus {
    async fn start(&self) -> Box<dyn Engine> {
        let arguments = ["-a", "127.0.0.1", "-p", "{port}", "-js", "-sd", "{folder}"];
        Box::new(Running(
            Server::start("nats-server", "nats-server", &arguments).await,
        ))
    }
}

struct Running(Server);

#[async_trait]
impl Engine for Running {
    async fn node(&self) -> HubBuilder {
        let url = format!("nats://{}", self.0.address);
        let bus = Nats::connect(&url).await.expect("the server is there");
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
        let head = format!(
            "CONNECT {{\"verbose\":false}}\r\nPUB wharf.room.{room}.c {}\r\n",
            bytes.len()
        );
        let command = [head.as_bytes(), bytes, b"\r\nPING\r\n"].concat();
        line.write_all(&command).expect("the server takes it");
        // Waits for the answer to the ping, so that it has been published.
        let mut answer = Vec::new();
        while !answer.ends_with(b"PONG\r\n") {
            let mut byte = [0];
            line.read_exact(&mut byte).expect("an answer");
            answer.extend(byte);
        }
    }

    fn keeps_history(&self) -> bool {
        true
    }
}
