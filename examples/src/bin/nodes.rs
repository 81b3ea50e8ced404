//! The chat on two nodes behind one address: open <http://127.0.0.1:3000/> in two tabs, which the
//! proxy gives to different nodes, and see them in the same rooms. It needs a server that carries
//! the rooms: `BUS=redis://127.0.0.1/` or `BUS=nats://127.0.0.1`.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use wharf::{Error, Result, hub::Hub, nats::Nats, prelude::*, redis::Redis};

#[tokio::main]
async fn main() -> Result<()> {
    let bus = std::env::var("BUS").unwrap_or_else(|_| "redis://127.0.0.1/".to_owned());
    let nodes: Arc<[SocketAddr]> = Arc::new([start_node(&bus).await?, start_node(&bus).await?]);
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    // One after the other: tabs that are opened side by side get different nodes.
    for node in nodes.iter().cycle().copied() {
        let (mut client, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut server = TcpStream::connect(node).await?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
    Ok(())
}

/// Starts a node on a port of its own, which goes on until the program ends.
async fn start_node(bus: &str) -> Result<SocketAddr> {
    let hub = match bus.split_once("://") {
        Some(("redis" | "rediss", _)) => Hub::over(Redis::connect(bus).await?),
        Some(("nats" | "tls", _)) => Hub::over(Nats::connect(bus).await?),
        _ => return Err(Error::handler("BUS is neither redis:// nor nats://")),
    };
    let server = wharf::bind(wharf_examples::chat(hub)?, "127.0.0.1:0").await?;
    let address = server.local_addr();
    tokio::spawn(async move {
        if let Err(error) = server.run().await {
            eprintln!("a node ended: {error}");
        }
    });
    Ok(address)
}
