//! A driver as somebody else would write it, with the public interfaces alone: a transport of its
//! own, over a pretended library that hands on frames that it has no name for.

mod sieve;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncWriteExt, DuplexStream};
use wharf_conformance::{Answer, Host, Request, Running};
use wharf_sdk::{
    App, Capabilities, Decision, Message, Result, Transport, UpgradeRequest,
    http::{HeaderName, HeaderValue, Method, StatusCode, Version},
    wire::{NativeSocket, WireTransport},
};

use self::sieve::{Found, Sieve};

const DRIVER: &str = "surfacing";

const fn capabilities() -> Capabilities {
    Capabilities::wire(DRIVER).with_unknown_frames(true)
}

/// Frames by the core's transport, but for those without a name.
#[derive(Debug)]
struct Surfacing {
    named: WireTransport<Sieve<DuplexStream>>,
    unnamed: Arc<Found>,
}

impl Transport for Surfacing {
    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        match self.named.poll_recv(cx) {
            // What came before it has been yielded: the sieve stops in front of it.
            Poll::Pending => match self.unnamed.take() {
                Some(frame) => Poll::Ready(Some(Ok(Message::Unknown(frame)))),
                None => Poll::Pending,
            },
            ready => ready,
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.named.poll_ready(cx)
    }

    fn start_send(&mut self, message: Message) -> Result<()> {
        self.named.start_send(message)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.named.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.unnamed.stop_looking();
        self.named.poll_close(cx)
    }

    fn rest(&mut self) {
        self.named.rest();
    }

    fn unsent_bytes(&self) -> usize {
        self.named.unsent_bytes()
    }

    fn received_bytes(&self) -> u64 {
        self.named.received_bytes()
    }

    fn poll_native(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn NativeSocket>>> {
        self.named.poll_native(cx)
    }
}

/// Serves on the driver, in memory.
pub(crate) struct SurfacingHost;

#[async_trait]
impl Host for SurfacingHost {
    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        Box::new(Server(app))
    }

    fn can_pause_time(&self) -> bool {
        true
    }
}

struct Server(App);

#[async_trait]
impl Running for Server {
    async fn request(&self, request: Request) -> Answer {
        let Some(head) = parse(&request) else {
            return answer(StatusCode::BAD_REQUEST);
        };
        let upgrade = match self.0.decide(head, DRIVER).await {
            Decision::Respond(response) => {
                let (parts, body) = response.into_parts();
                return Answer {
                    headers: parts.headers,
                    body: if request.method == "HEAD" {
                        Bytes::new()
                    } else {
                        body
                    },
                    ..answer(parts.status)
                };
            }
            Decision::Upgrade(upgrade) => upgrade,
        };
        let (server, mut client) = tokio::io::duplex(64 * 1024);
        let (sieve, unnamed) = Sieve::new(server, upgrade.limits().max_message_bytes);
        let named = WireTransport::new(
            sieve,
            &Bytes::new(),
            upgrade.limits().wire(),
            capabilities(),
        );
        let answer = Answer {
            headers: upgrade.response().headers().clone(),
            ..answer(upgrade.response().status())
        };
        tokio::spawn(upgrade.start(Surfacing { named, unnamed }));
        client.write_all(&request.behind).await.expect("room");
        Answer {
            stream: Some(Box::new(client)),
            ..answer
        }
    }
}

fn answer(status: StatusCode) -> Answer {
    Answer {
        status: Some(status),
        headers: Default::default(),
        body: Bytes::new(),
        stream: None,
    }
}

/// What an HTTP library makes of a request's head.
fn parse(request: &Request) -> Option<UpgradeRequest> {
    let headers = request.headers.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    });
    let mut parsed = UpgradeRequest {
        method: Method::from_bytes(request.method.as_bytes()).ok()?,
        uri: request.target.parse().ok()?,
        version: match request.minor_version {
            0 => Version::HTTP_10,
            _ => Version::HTTP_11,
        },
        headers: Default::default(),
        peer: Some(([127, 0, 0, 1], 50_000).into()),
        is_secure: false,
    };
    for header in headers {
        let (name, value) = header?;
        parsed.headers.append(name, value);
    }
    Some(parsed)
}
