//! The loop around [`Eyeballs`].

use std::{future::pending, net::SocketAddr};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};
use wharf_sdk::{Error, ErrorKind, Result};

use super::eyeballs::Eyeballs;

/// The first of these addresses that takes a connection; the other attempts are dropped.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> Result<TcpStream> {
    let mut eyeballs = Eyeballs::new(addresses);
    let mut attempts = FuturesUnordered::new();
    let mut last_failure = None;
    while !eyeballs.is_over() {
        if let Some(address) = eyeballs.poll_start(Instant::now().into_std()) {
            attempts.push(TcpStream::connect(address));
        }
        let next = async {
            match eyeballs.poll_timeout() {
                Some(at) => sleep_until(at.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(failure) => {
                    last_failure = Some(failure);
                    eyeballs.handle_failure();
                }
            },
            () = next => {}
        }
    }
    let error = Error::new(
        ErrorKind::Io,
        "WHARF_CONNECT",
        "no address of the host takes the connection; check that the server runs, and its port",
    );
    Err(match last_failure {
        Some(failure) => error.with_source(failure),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_address_that_answers_wins() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let open = listener.local_addr().expect("bound");
        // Bound, so that nobody else is given it; and nobody listens.
        let reserved = tokio::net::TcpSocket::new_v4().expect("a socket");
        reserved
            .bind(([127, 0, 0, 1], 0).into())
            .expect("a free port");
        let closed = reserved.local_addr().expect("bound");
        let stream = connect(vec![closed, open]).await.expect("one is open");
        assert_eq!(stream.peer_addr().expect("connected"), open);
        let error = connect(vec![closed]).await.expect_err("it is closed");
        assert_eq!(error.code(), "WHARF_CONNECT");
        assert_eq!(
            connect(Vec::new()).await.expect_err("none").code(),
            "WHARF_CONNECT"
        );
    }
}
