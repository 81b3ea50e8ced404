//! Servers that listen on TCP, and HTTP spoken to them by hand: a library would refuse to send
//! what the cases want to send.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};

use super::{Answer, Certificate, Request, Running, Stream, chunked};
use crate::client::PATIENCE;

/// A server on a thread and a runtime of its own, so that it shares nothing with its clients; or
/// one that somebody else runs.
#[derive(Debug)]
pub struct TcpServer {
    address: SocketAddr,
    prefix: &'static str,
    certificate: Option<Certificate>,
    speaks_http2: bool,
    /// Dropped, it stops the server.
    _stop: Option<oneshot::Sender<()>>,
}

impl TcpServer {
    /// Starts a server: `start` binds it and returns its address and the future that serves.
    ///
    /// # Panics
    ///
    /// If `start` does.
    pub async fn start<F, S>(start: F) -> Self
    where
        F: AsyncFnOnce() -> (SocketAddr, S) + Send + 'static,
        S: Future,
    {
        let (stop, stopped) = oneshot::channel();
        let (bound, binding) = oneshot::channel();
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let (address, serving) = start().await;
                // The case may be over already.
                let _ = bound.send(address);
                let _ = futures::future::select(pin!(serving), stopped).await;
            });
            runtime.shutdown_background();
        });
        Self {
            _stop: Some(stop),
            ..Self::at(binding.await.expect("the server starts"))
        }
    }

    /// A server that somebody else runs here.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            prefix: "",
            certificate: None,
            speaks_http2: false,
            _stop: None,
        }
    }

    /// Puts this before every path: the app is mounted there.
    #[must_use]
    pub fn under(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Speaks TLS to it, and expects this certificate.
    #[must_use]
    pub fn over_tls(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Says that the server has HTTP/2 too.
    #[must_use]
    pub fn with_http2(mut self) -> Self {
        self.speaks_http2 = true;
        self
    }

    async fn connect(&self, protocol: &str) -> Box<dyn Stream> {
        if let Some(certificate) = &self.certificate {
            let connected = certificate.connect(self.address, &[protocol]).await;
            return Box::new(connected.expect("a handshake"));
        }
        let stream = TcpStream::connect(self.address)
            .await
            .expect("the server accepts");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Box::new(stream)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request, without the prefix.
    pub async fn request_outside(&self, request: &Request) -> Answer {
        timeout(
            PATIENCE,
            exchange(
                self.connect("http/1.1").await,
                &request.to_bytes(""),
                &request.method,
            ),
        )
        .await
        .unwrap_or_else(|_| panic!("no answer to {request:?} for {PATIENCE:?}"))
    }
}

#[async_trait]
impl Running for TcpServer {
    async fn request(&self, mut request: Request) -> Answer {
        request.target.insert_str(0, self.prefix);
        self.request_outside(&request).await
    }

    async fn connect_http2(&self) -> Option<Box<dyn Stream>> {
        match self.speaks_http2 {
            true => Some(self.connect("h2").await),
            false => None,
        }
    }

    fn mount(&self) -> &str {
        self.prefix
    }
}

async fn exchange(mut stream: Box<dyn Stream>, request: &[u8], method: &str) -> Answer {
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut inbound = BytesMut::new();
    let head_bytes = loop {
        if let Some(at) = inbound.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read_buf(&mut inbound).await {
            Ok(1..) => {}
            _ if inbound.is_empty() => return Answer::none(),
            ended => panic!("the connection ended in a response's head: {ended:?}, {inbound:?}"),
        }
    };
    let head = inbound.split_to(head_bytes);
    let (status, headers) = parse_head(&head);
    let mut answer = Answer {
        status: Some(status),
        headers,
        ..Answer::none()
    };
    if status == StatusCode::SWITCHING_PROTOCOLS {
        answer.stream = Some(Box::new(Prefixed {
            early: inbound,
            stream,
        }));
    } else if method != "HEAD" {
        read_body(&mut stream, &mut inbound, &answer.headers).await;
        answer.body = inbound.freeze();
    }
    answer
}

fn parse_head(head: &[u8]) -> (StatusCode, HeaderMap) {
    let head = std::str::from_utf8(head).expect("a head of text");
    let mut lines = head.trim_end().split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| status_line.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or_else(|| panic!("{status_line:?} is not a status line"));
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header line");
        headers.append(
            name.parse::<HeaderName>().expect("a header name"),
            value.trim().parse::<HeaderValue>().expect("a header value"),
        );
    }
    (status, headers)
}

/// Reads a body of known length, or all there is.
async fn read_body(stream: &mut Box<dyn Stream>, body: &mut BytesMut, headers: &HeaderMap) {
    if headers.contains_key("transfer-encoding") {
        return chunked::read(stream, body).await;
    }
    let length = headers.get("content-length").map(|length| {
        let length = length
            .to_str()
            .ok()
            .and_then(|text| text.parse::<usize>().ok());
        length.expect("a length")
    });
    while length.is_none_or(|length| body.len() < length) {
        match stream.read_buf(body).await {
            Ok(1..) => {}
            _ if length.is_none() => break,
            ended => panic!("the connection ended in a response's body: {ended:?}"),
        }
    }
}

/// A connection of which some bytes were read already.
struct Prefixed {
    early: BytesMut,
    stream: Box<dyn Stream>,
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, out);
        }
        let count = self.early.len().min(out.remaining());
        out.put_slice(&self.early[..count]);
        self.early.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
