//! Redis from Debian's package, on a port of its own.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
};

use async_trait::async_trait;
use wharf_hub::{Hub, HubBuilder, RoomName, bus::FORMAT};
use wharf_redis::Redis;

use super::{
    BusHost, Engine, Server,
    one_server::{Kind, OneServer},
};

/// `wharf_redis::Redis` over a server that keeps nothing on disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedisBus;

#[async_trait]
impl BusHost for RedisBus {
    async fn start(&self) -> Box<dyn Engine> {
        let arguments = ["--port", "{port}", "--save", "", "--appendonly", "no"];
        let server = Server::start("redis-server", "redis-server", &arguments).await;
        Box::new(OneServer::<OverRedis>::new(server))
    }
}

struct OverRedis;

#[async_trait]
impl Kind for OverRedis {
    const KEEPS_HISTORY: bool = false;

    async fn hub(address: SocketAddr) -> HubBuilder {
        let url = format!("redis://{address}");
        let bus = Redis::connect(&url).await.expect("the server is there");
        Hub::builder().bus(bus)
    }

    fn inject(address: SocketAddr, room: &RoomName, bytes: &[u8]) {
        let mut line = TcpStream::connect(address).expect("the server is there");
        let channel = format!("wharf:{FORMAT}:c:{room}");
        let mut command = format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n", channel.len());
        command += &format!("${}\r\n", bytes.len());
        let command = [command.as_bytes(), bytes, b"\r\n"].concat();
        line.write_all(&command).expect("the server takes it");
        // Waits for the answer, so that it has been published.
        std::io::Read::read(&mut line, &mut [0; 16]).expect("an answer");
    }
}
