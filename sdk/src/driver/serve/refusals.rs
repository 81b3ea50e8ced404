//! What connections are told that no app is asked about.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, header};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Semaphore,
    time::timeout,
};

use crate::{
    message::{Error, ErrorKind},
    request::problem_response,
};

/// How many are told at a time: each has a descriptor for which there is no seat.
const AT_A_TIME: usize = 16;

/// How long being told may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Tells connections that there is no seat for them.
#[derive(Debug, Clone)]
pub struct Refusals(Arc<Semaphore>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Refusals {
    /// Answers with a 503 on a task of its own; drops the connection in silence if many are being
    /// told.
    pub fn tell<IO>(&self, mut connection: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        tracing::warn!("all connections are taken by sockets; one more was refused");
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            return;
        };
        tokio::spawn(timeout(TIMEOUT, async move {
            let _permit = permit;
            // What stays unread would make a reset of the end, and the client lose the answer.
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(&http1_answer(&full())).await;
        }));
    }
}

fn full() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_CONNECTIONS_FULL",
        "the server has all the connections that it can; try again later",
    )
    .with_header(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

/// The answer to an error as HTTP/1.1 sends it, behind which the connection ends.
pub fn http1_answer(error: &Error) -> Vec<u8> {
    let response = problem_response(error, false);
    let mut answer = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    let length = response.body().len();
    let end = format!("content-length: {length}\r\nconnection: close\r\n\r\n");
    answer.extend_from_slice(end.as_bytes());
    answer.extend_from_slice(response.body());
    answer
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    async fn ask(refusals: &Refusals) -> String {
        let (mut client, server) = duplex(4096);
        refusals.tell(server);
        let _ = client.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an end");
        answer
    }

    #[tokio::test]
    async fn the_answer_is_whole() {
        let answer = ask(&Refusals::default()).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        assert!(head.contains("\r\nretry-after: 5\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())));
        assert!(
            body.contains(r#""code":"WHARF_CONNECTIONS_FULL""#),
            "{body}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_holds_a_few_for_a_moment() {
        let refusals = Refusals::default();
        let silent: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                let (client, server) = duplex(4096);
                refusals.tell(server);
                client
            })
            .collect();
        assert_eq!(ask(&refusals).await, "", "one too many");
        for mut client in silent {
            assert_eq!(client.read(&mut [0; 1]).await.expect("an end"), 0);
        }
        assert_ne!(ask(&refusals).await, "");
    }
}
