//! The way of one node to its engine, which can be cut.

use std::{fmt, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use wharf_hub::{NodeId, testing};

/// One node's way to the engine.
pub enum Way {
    /// Through a proxy that can stop to carry.
    Proxy(Proxy),
    /// In memory.
    Memory(testing::Engine),
}

impl Way {
    /// Cuts this node off: what is sent from now on is lost, and nobody is told.
    pub fn cut(&self, node: NodeId) {
        match self {
            Self::Proxy(proxy) => proxy.set_cut(true),
            Self::Memory(engine) => engine.cut_off(node),
        }
    }

    /// Ends what [`cut`](Self::cut) began, for new connections.
    pub fn mend(&self, node: NodeId) {
        match self {
            Self::Proxy(proxy) => proxy.set_cut(false),
            Self::Memory(engine) => engine.reconnect(node),
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").finish_non_exhaustive()
    }
}

/// Carries bytes to a server and back, until it is cut: then it swallows them, and connections stay
/// open, as those of a network that is gone do.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    is_cut: watch::Sender<bool>,
}

impl Proxy {
    /// A proxy in front of a server.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (is_cut, watching) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let watching = watching.clone();
                tokio::spawn(async move {
                    if *watching.borrow() {
                        // Accepted by the kernel, as it were, and never heard of again.
                        return hold(near, watching).await;
                    }
                    let Ok(far) = TcpStream::connect(server).await else {
                        return;
                    };
                    let (from_near, to_near) = near.into_split();
                    let (from_far, to_far) = far.into_split();
                    tokio::join!(
                        carry(from_near, to_far, watching.clone()),
                        carry(from_far, to_near, watching)
                    );
                });
            }
        });
        Self { address, is_cut }
    }

    fn set_cut(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }
}

/// Keeps a connection open that leads nowhere, until the way is open again.
async fn hold(near: TcpStream, mut watching: watch::Receiver<bool>) {
    let _ = watching.wait_for(|is_cut| !is_cut).await;
    drop(near);
}

/// Carries one direction. What was on its way when the proxy was cut is lost, so the connection is
/// of no more use afterwards, and ends.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut watching: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let cut = async { drop(watching.wait_for(|is_cut| *is_cut).await) };
        let read = tokio::select! {
            read = from.read(&mut buffer) => Some(read),
            () = cut => None,
        };
        let Some(read) = read else {
            let _ = watching.wait_for(|is_cut| !is_cut).await;
            return;
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(bytes) if to.write_all(&buffer[..bytes]).await.is_err() => return,
            Ok(_) => {}
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
