//! Wharf's client: a handler inside the session's task, and a socket in a task of its own.

use std::future::pending;
use std::io;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use wharf_client::Client;
use wharf_sdk::{Result, Socket};

use super::load::{Link, MESSAGE};

pub(crate) fn open(link: Link) -> BoxFuture<'static, io::Result<()>> {
    async move {
        let client = Client::builder().build().map_err(io::Error::other)?;
        let url = link.url.to_string();
        let handler = move |socket: Socket| run(link.clone(), socket);
        let ended = client.run(&*url, handler).await;
        ended.map(drop).map_err(io::Error::other)
    }
    .boxed()
}

pub(crate) fn open_socket(link: Link) -> BoxFuture<'static, io::Result<()>> {
    async move {
        let client = Client::builder().build().map_err(io::Error::other)?;
        let socket = client.connect(&*link.url).await;
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
