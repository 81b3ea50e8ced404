//! What a connection is told for which there is no place.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

/// How many are told at a time, of one worker: each has a descriptor for which there was no place.
const AT_A_TIME: usize = 8;

/// How long being told may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Tells those whom a worker cannot take.
#[derive(Clone)]
pub(crate) struct Refusals(Arc<Semaphore>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Refusals {
    /// Drops the connection in silence if many are being told.
    pub(crate) fn tell(&self, mut stream: TcpStream) {
        tracing::warn!("all connections are taken by sockets; one more was refused");
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            return;
        };
        actix_rt::spawn(timeout(TIMEOUT, async move {
            let _permit = permit;
            // What stays unread would make a reset of the end, and the client lose the answer.
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer().as_bytes()).await;
        }));
    }
}

fn answer() -> String {
    let body = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"the server has all the connections that it can; try again later","code":"WHARF_CONNECTIONS_FULL"}"#;
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
         retry-after: 5\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
