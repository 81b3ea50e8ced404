//! Sockets over HTTP/2: requests of HTTP/1.1's shape as a client of HTTP/2 asks them.

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    ext::Protocol,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{io::AsyncWriteExt, task::JoinHandle, time::timeout};

use super::{Client, PATIENCE};
use crate::host::{Answer, Request, Stream};

/// An HTTP/2 connection. It ends when this and all of its streams are dropped.
#[derive(Debug)]
pub struct Http2Client {
    /// To send what cases of HTTP/2 alone send.
    pub sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<hyper::Result<()>>,
}

impl Http2Client {
    /// Begins HTTP/2 on a connection where it is settled.
    ///
    /// # Panics
    ///
    /// If the server does not speak it.
    pub async fn begin(stream: Box<dyn Stream>) -> Self {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            // A stream that is not read leaves room for the others, on this side too.
            .initial_stream_window_size(64 * 1024)
            .initial_connection_window_size(64 * 1024 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .expect("a preface");
        Self {
            sender,
            connection: tokio::spawn(connection),
        }
    }

    /// Opens a WebSocket.
    ///
    /// # Panics
    ///
    /// If there is no answer for [`PATIENCE`], or another than a 200.
    pub async fn open(&mut self, path: &str) -> Client {
        let request = Request::upgrade(path);
        let opening = timeout(PATIENCE, self.request(&request));
        Client::new(opening.await.expect("an answer in time"))
    }

    /// Sends a request: an upgrade as the extended CONNECT that it is over HTTP/2. The 200 that
    /// answers it is shown as the 101 that it stands for.
    pub async fn request(&mut self, request: &Request) -> Answer {
        let refused = |status| Answer {
            status: Some(status),
            ..Answer::none()
        };
        let Some(translated) = translate(request) else {
            // What cannot be said in HTTP/2 is refused by its client.
            return refused(StatusCode::BAD_REQUEST);
        };
        let is_connect = translated.method() == Method::CONNECT;
        let mut response = match self.send(translated).await {
            Ok(response) => response,
            Err(_) => return Answer::none(),
        };
        let mut answer = refused(response.status());
        answer.headers = response.headers().clone();
        if is_connect && response.status() == StatusCode::OK {
            answer.status = Some(StatusCode::SWITCHING_PROTOCOLS);
            let upgraded = hyper::upgrade::on(&mut response).await.expect("a stream");
            let mut stream = TokioIo::new(upgraded);
            if !request.behind.is_empty() {
                stream.write_all(&request.behind).await.expect("a window");
            }
            answer.stream = Some(Box::new(stream));
        } else if let Ok(body) = response.into_body().collect().await {
            answer.body = body.to_bytes();
        }
        answer
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    ///
    /// If the stream or the connection ends without an answer.
    pub async fn send(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> hyper::Result<http::Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    /// Waits for the end of the connection; whether it was a clean one.
    pub async fn end(self) -> bool {
        drop(self.sender);
        self.connection
            .map(|ended| ended.is_ok_and(|ended| ended.is_ok()))
            .await
    }
}

/// An extended CONNECT for a target.
pub fn connect_request(target: &str) -> http::Request<Full<Bytes>> {
    translate(&Request::upgrade(target)).expect("a valid request")
}

fn translate(request: &Request) -> Option<http::Request<Full<Bytes>>> {
    let of = |name: &str| {
        let lines = request.headers.iter();
        let mut lines = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        lines.next().map(|(_, value)| value.as_slice())
    };
    let is_upgrade = request.method == "GET" && of("upgrade").is_some();
    let host = std::str::from_utf8(of("host").unwrap_or(b"wharf.test")).ok()?;
    let uri: Uri = format!("https://{host}{}", request.target).parse().ok()?;
    let mut translated = http::Request::new(Full::from(match is_upgrade {
        true => Bytes::new(),
        false => request.behind.clone().into(),
    }));
    *translated.uri_mut() = uri;
    *translated.method_mut() = match is_upgrade {
        true => Method::CONNECT,
        false => Method::from_bytes(request.method.as_bytes()).ok()?,
    };
    if is_upgrade {
        let protocol = std::str::from_utf8(of("upgrade")?).ok()?;
        translated.extensions_mut().insert(Protocol::from(protocol));
    }
    for (name, value) in &request.headers {
        let name: HeaderName = name.parse().ok()?;
        let value = HeaderValue::from_bytes(value).ok()?;
        if !["host", "connection", "upgrade", "sec-websocket-key"].contains(&name.as_str()) {
            translated.headers_mut().append(name, value);
        }
    }
    Some(translated)
}
