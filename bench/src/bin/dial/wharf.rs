//! Wharf's client: a handler inside the session's task, and a socket in a task of its own.

use std::future::pending;
use std::io;
use std::sync::OnceLock;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use wharf_client::Client;
use wharf_sdk::{Result, Socket};

use super::load::{Link, MESSAGE};

/// One for all links, as it is meant.
fn client() -> io::Result<Client> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client.clone());
    }
    let client = Client::builder().build().map_err(io::Error::other)?;
    Ok(CLIENT.get_or_init(|| client).clone())
}

pub(crate) fn open(link: Link) -> BoxFuture<'static, io::Result<()>> {
    async move {
        let client = client()?;
        let url = link.url.to_string();
        let handler = move |socket: Socket| run(link.clone(), socket);
        let ended = client.run(&*url, handler).await;
        ended.map(drop).map_err(io::Error::other)
    }
    .boxed()
}

pub(crate) fn open_socket(link: Link) -> BoxFuture<'static, io::Result<()>> {
    async move {
        let socket = client()?.connect(&*link.url).await;
        let socket = socket.map_err(io::Error::other)?;
        run(link, socket).await.map_err(io::Error::other)
    }
    .boxed()
}

async fn run(link: Link, mut socket: Socket) -> Result<()> {
    link.opened.add_permits(1);
    if link.in_flight == 0 {
        // A client that waits for news.
        return match socket.read().await? {
            Some(_) => Ok(()),
            None => pending().await,
        };
    }
    loop {
        for _ in 0..link.in_flight {
            socket.write(MESSAGE).await?;
        }
        for _ in 0..link.in_flight {
            socket.read().await?;
        }
        link.count();
    }
}
