//! NATS from Debian's package, on a port of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use async_trait::async_trait;
use wharf_hub::{Hub, HubBuilder, RoomName};
use wharf_nats::Nats;

use super::{
    BusHost, Engine, Server,
    one_server::{Kind, OneServer},
};

/// `wharf_nats::Nats` over a server with JetStream.
#[derive(Debug, Clone, Copy, Default)]
pub struct NatsBus;

#[async_trait]
impl BusHost for NatsBus {
    async fn start(&self) -> Box<dyn Engine> {
        let arguments = ["-a", "127.0.0.1", "-p", "{port}", "-js", "-sd", "{folder}"];
        let server = Server::start("nats-server", "nats-server", &arguments).await;
        Box::new(OneServer::<OverNats>::new(server))
    }
}

struct OverNats;

#[async_trait]
impl Kind for OverNats {
    const KEEPS_HISTORY: bool = true;

    async fn hub(address: SocketAddr) -> HubBuilder {
        let url = format!("nats://{address}");
        let bus = Nats::connect(&url).await.expect("the server is there");
        Hub::builder().bus(bus)
    }

    fn inject(address: SocketAddr, room: &RoomName, bytes: &[u8]) {
        let mut line = TcpStream::connect(address).expect("the server is there");
        let head = format!(
            "CONNECT {{\"verbose\":false}}\r\nPUB {} {}\r\n",
            wharf_nats::subject("wharf", room),
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
}
