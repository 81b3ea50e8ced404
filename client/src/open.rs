//! From a request to an upgraded connection.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use tokio::io::AsyncWriteExt;
use tracing::Instrument;
use wharf_sdk::{
    Error, ErrorKind, Result, SessionInfo, Subprotocols,
    driver::{Connection, Dialled, Dialling, UpgradeRequest},
};

use crate::{
    dial::{self, Plain, Stream, within},
    handshake::{self, Accepted, Head},
    random,
    rejected::Rejected,
    request::Request,
    settings::{Settings, Way},
    target::Target,
};

/// An upgraded connection, ready for its session.
pub(crate) struct Opened {
    pub(crate) dialled: Dialled,
    pub(crate) connection: Connection<Stream>,
    /// The request that was sent.
    pub(crate) sent: UpgradeRequest,
    /// What the session's logs are in; it follows from the span of the dialling.
    pub(crate) span: tracing::Span,
}

/// What is asked of a server, besides the way to it.
#[derive(Clone)]
struct Asked {
    headers: HeaderMap,
    subprotocols: Subprotocols,
}

impl Asked {
    fn request(&self, settings: &Settings, target: &Target) -> Result<Built> {
        let compression = settings.limits.compression;
        handshake::build(target, &self.headers, &self.subprotocols, compression)
    }
}

type Built = (UpgradeRequest, handshake::Sent);

/// A server's 101, and the connection behind it.
struct Answered {
    accepted: Accepted,
    stream: Stream,
    /// What came behind the 101.
    early: Bytes,
    sent: UpgradeRequest,
}

/// Opens a connection, within the deadlines. What is not opened, though it could be asked for, is
/// told to the observers.
pub(crate) async fn open(settings: &Settings, request: Request) -> Result<Opened> {
    let target = Target::parse(&request.url)?;
    let mut headers = settings.headers.clone();
    let mut own = request.headers;
    for name in own.keys() {
        headers.remove(name);
    }
    headers.extend(own.drain());
    let asked = Asked {
        headers,
        subprotocols: settings.limits.subprotocols.clone(),
    };
    let dialling = Dialling::new(target.name()).with_observers(settings.observers.clone());
    let dial = dial_span(dialling.info());
    let following = follow(settings, target.clone(), asked.clone()).instrument(dial.clone());
    match within(settings.timeouts.all, dial::ALL, following).await {
        Ok(answered) => Ok(opened(settings, dialling, answered, &dial)),
        Err(error) => {
            // What cannot be sent is the caller's to know: no server has refused it.
            if let Ok((request, _)) = asked.request(settings, &target) {
                dial.in_scope(|| dialling.rejected(request, &error));
            }
            Err(error)
        }
    }
}

fn opened(
    settings: &Settings,
    dialling: Dialling,
    answered: Answered,
    dial: &tracing::Span,
) -> Opened {
    let Answered {
        accepted, stream, ..
    } = answered;
    let dialled = dialling
        .answered(Arc::clone(&settings.limits), random::mask_key)
        .with_peer(stream.peer())
        .with_subprotocol(accepted.subprotocol.as_deref())
        .with_deflate(accepted.deflate);
    let span = session_span(dialled.info());
    span.follows_from(dial);
    Opened {
        dialled,
        connection: Connection::new(stream)
            .with_abort(Stream::abort)
            .with_early(answered.early),
        sent: answered.sent,
        span,
    }
}

/// Around everything up to the server's answer. Never headers or the query: they carry credentials.
fn dial_span(session: &SessionInfo) -> tracing::Span {
    tracing::info_span!(
        "dial",
        connection = %session.id(),
        route = session.route(),
        driver = session.driver(),
    )
}

/// Around a session's whole run, with the fields that it has on a server.
fn session_span(session: &SessionInfo) -> tracing::Span {
    tracing::info_span!(
        parent: None,
        "session",
        connection = %session.id(),
        route = session.route(),
        driver = session.driver(),
        peer = session.peer().map(tracing::field::display),
        subprotocol = session.subprotocol(),
    )
}

/// Connects, and goes where it is led as far as that is allowed.
async fn follow(settings: &Settings, mut target: Target, mut asked: Asked) -> Result<Answered> {
    for _ in 0..settings.redirects {
        let rejected = match attempt(settings, &target, &asked).await? {
            Attempt::Answered(answered) => return Ok(*answered),
            Attempt::Rejected(rejected) => rejected,
        };
        let Some(location) = rejected.location() else {
            return Err(rejected.into_error());
        };
        let mut next = target.join(location).map_err(|cause| {
            redirect("the server redirects to an address that cannot be connected to")
                .with_source(cause)
        })?;
        if target.is_secure && !next.is_secure {
            return Err(redirect(
                "the server redirects from wss to ws, which is not followed",
            ));
        }
        if next.has_origin_of(&target) {
            next.basic = next.basic.or(target.basic);
        } else {
            if asked.subprotocols.is_required() {
                return Err(redirect(
                    "the server redirects to another origin, which is offered no subprotocol, \
                     since tokens travel as such; connect there, or require none",
                ));
            }
            // Any of them may be a credential.
            asked.headers.clear();
            asked.subprotocols = Subprotocols::default();
        }
        target = next;
    }
    match attempt(settings, &target, &asked).await? {
        Attempt::Answered(answered) => Ok(*answered),
        Attempt::Rejected(rejected) => Err(rejected.into_error()),
    }
}

enum Attempt {
    Answered(Box<Answered>),
    Rejected(Rejected),
}

/// Connects to one target and shakes hands.
async fn attempt(settings: &Settings, target: &Target, asked: &Asked) -> Result<Attempt> {
    let (request, sent) = asked.request(settings, target)?;
    #[cfg(feature = "testing")]
    if let Way::Memory(hosts) = &settings.way {
        let host = hosts().ok_or_else(|| {
            Error::new(
                ErrorKind::Io,
                "WHARF_CONNECT",
                "there is no host in memory now",
            )
        })?;
        return in_memory(settings, &host, request, &sent).await;
    }
    let mut stream = connect(settings, target).await?;
    let mut buffer = BytesMut::new();
    let exchange = exchange(&mut stream, &request, &mut buffer);
    let head = within(settings.timeouts.handshake, dial::HANDSHAKE, exchange).await?;
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        let body = handshake::read_body(&mut stream, &mut buffer, &head.headers).await;
        return Ok(Attempt::Rejected(Rejected::new(
            head.status,
            head.headers,
            body,
        )));
    }
    let accepted = handshake::check(&head.headers, &sent)?;
    Ok(Attempt::Answered(Box::new(Answered {
        accepted,
        stream,
        early: buffer.freeze(),
        sent: request,
    })))
}

#[cfg(feature = "testing")]
async fn in_memory(
    settings: &Settings,
    host: &wharf_sdk::testing::TestHost,
    request: UpgradeRequest,
    sent: &handshake::Sent,
) -> Result<Attempt> {
    use wharf_sdk::testing::Answer;
    let asked = async { Ok(host.request(request.clone()).await) };
    match within(settings.timeouts.handshake, dial::HANDSHAKE, asked).await? {
        Answer::Rejected(response) => {
            let (parts, body) = response.into_parts();
            Ok(Attempt::Rejected(Rejected::new(
                parts.status,
                parts.headers,
                body,
            )))
        }
        Answer::Upgraded(response, pipe) => {
            let accepted = handshake::check(response.headers(), sent)?;
            Ok(Attempt::Answered(Box::new(Answered {
                accepted,
                stream: Stream::Plain(Plain::Memory(pipe)),
                early: Bytes::new(),
                sent: request,
            })))
        }
    }
}

async fn connect(settings: &Settings, target: &Target) -> Result<Stream> {
    #[cfg(not(feature = "tls"))]
    if target.is_secure {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "WHARF_TLS_MISSING",
            "this program is built without TLS; build wharf-client with its feature tls, or use ws:",
        ));
    }
    let timeouts = &settings.timeouts;
    let plain = match &settings.way {
        #[cfg(unix)]
        Way::Unix(path) => {
            let connecting = async {
                tokio::net::UnixStream::connect(path).await.map_err(|cause| {
                    Error::new(
                        ErrorKind::Io,
                        "WHARF_CONNECT",
                        "the Unix socket takes no connection; check its path and that the server runs",
                    )
                    .with_source(cause)
                })
            };
            Plain::Unix(within(timeouts.connect, dial::CONNECT, connecting).await?)
        }
        _ => {
            let proxy = settings.proxies.choose(target);
            let resolver = settings.resolver.as_deref();
            Plain::Tcp(dial::tcp_to(target, proxy, resolver, timeouts).await?)
        }
    };
    #[cfg(feature = "tls")]
    if target.is_secure {
        let wrapping = settings.tls.wrap(plain, &target.host);
        return within(timeouts.tls, dial::TLS, wrapping).await;
    }
    Ok(Stream::Plain(plain))
}

async fn exchange(
    stream: &mut Stream,
    request: &UpgradeRequest,
    buffer: &mut BytesMut,
) -> Result<Head> {
    let bytes = encode(request);
    // A server may answer, and close, before it has read everything; its answer says more than the
    // failed write.
    let written = match stream.write_all(&bytes).await {
        Ok(()) => stream.flush().await,
        failed => failed,
    };
    match (handshake::read_head(stream, buffer).await, written) {
        (Err(_), Err(cause)) => Err(cause.into()),
        (head, _) => head,
    }
}

fn encode(request: &UpgradeRequest) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(512);
    let target = request
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str());
    bytes.put_slice(format!("GET {target} HTTP/1.1\r\n").as_bytes());
    let is_host = |name: &header::HeaderName| *name == header::HOST;
    // The host comes first, as servers like it.
    let (host, others): (Vec<_>, Vec<_>) =
        request.headers.iter().partition(|(name, _)| is_host(name));
    for (name, value) in host.into_iter().chain(others) {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(b"\r\n");
    bytes
}

fn redirect(message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "WHARF_CLIENT_REDIRECT", message)
}
