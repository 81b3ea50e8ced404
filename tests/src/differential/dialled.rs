//! Rounds in which Wharf's client is what is tested: it dials, runs the handler of the page, and the
//! round is what its server does.

#[cfg(unix)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use wharf_client::{Client, ClientBuilder};
use wharf_sdk::{
    Error, Observer, SessionInfo, Socket, State,
    driver::accept_key,
    observer::{Closed, Rejection},
};

use super::{
    app::{Page, Told, act, without_timers},
    plan::Plan,
    play::{complete, follow},
    round::{Round, Side},
    transcript::{TROUBLE, Transcript},
};
#[cfg(test)]
use crate::client::Frame;
use crate::{client::Deflate, host::Stream};

/// What is wrong with the frames of a broken client.
#[cfg(test)]
pub(super) type Spoil = fn(&mut Frame);

/// Over what the client connects.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Tcp,
    #[cfg(unix)]
    Unix,
    /// Over TCP, and what it says is spoilt on the way.
    #[cfg(test)]
    Spoilt(Spoil),
}

pub(super) const WAYS: &[Way] = &[
    Way::Tcp,
    #[cfg(unix)]
    Way::Unix,
];

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "client over TCP",
            #[cfg(unix)]
            Self::Unix => "client over a Unix socket",
            #[cfg(test)]
            Self::Spoilt(_) => "spoilt client",
        })
    }
}

/// Plays a round and returns what happened on both sides.
pub(super) async fn play(
    way: Way,
    round: &Round,
    plan: &Plan,
    page: &Arc<Page>,
    patience: Duration,
) -> Transcript {
    let mut transcript = Transcript::default();
    let playing = AssertUnwindSafe(lead(way, round, plan, page, patience, &mut transcript));
    let panic = playing.catch_unwind().await.err();
    complete(transcript, panic, page, patience).await
}

async fn lead(
    way: Way,
    round: &Round,
    plan: &Plan,
    page: &Arc<Page>,
    patience: Duration,
    transcript: &mut Transcript,
) {
    let builder = without_timers(round.terms.apply(Client::builder()))
        .state(Arc::clone(page))
        .observer(Watcher {
            page: Arc::clone(page),
            path: round.terms.path,
        });
    let Ok(Some(stream)) = timeout(patience, dialled(way, builder, round, plan)).await else {
        transcript.add(TROUBLE, "the client did not ask for an upgrade");
        return;
    };
    #[cfg(test)]
    let stream = match way {
        Way::Spoilt(spoil) => tests::spoilt(stream, spoil),
        _ => stream,
    };
    let deflate = round.terms.compression;
    let deflate = deflate.map(|(_, takeover)| Deflate::of_a_client(6, takeover));
    follow(stream, deflate, Side::Client, plan, patience, transcript).await;
}

/// Starts the client and answers its request.
async fn dialled(
    way: Way,
    builder: ClientBuilder,
    round: &Round,
    plan: &Plan,
) -> Option<Box<dyn Stream>> {
    let mut stream: Box<dyn Stream> = match way {
        #[cfg(test)]
        Way::Spoilt(_) => return Box::pin(dialled(Way::Tcp, builder, round, plan)).await,
        Way::Tcp => {
            let listener = TcpListener::bind("127.0.0.1:0").await.ok()?;
            let address = listener.local_addr().ok()?;
            run(builder, format!("ws://{address}{}", round.terms.path));
            let (stream, _) = listener.accept().await.ok()?;
            stream.set_nodelay(true).ok()?;
            Box::new(stream)
        }
        #[cfg(unix)]
        Way::Unix => {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("wharf-round-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let listener = tokio::net::UnixListener::bind(&path).ok()?;
            let url = format!("ws://localhost{}", round.terms.path);
            run(builder.unix_socket(&path), url);
            let accepted = listener.accept().await;
            let _ = std::fs::remove_file(&path);
            Box::new(accepted.ok()?.0)
        }
    };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let (_, behind) = head.split_once("sec-websocket-key: ")?;
    let accept = accept_key(behind.lines().next()?);
    let extensions = match round.terms.compression {
        None => "",
        Some((_, true)) => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        Some((_, false)) => {
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
             client_no_context_takeover\r\n"
        }
    };
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{extensions}\r\n"
    )
    .into_bytes();
    answer.extend_from_slice(&plan.early);
    stream.write_all(&answer).await.ok()?;
    Some(stream)
}

fn run(builder: ClientBuilder, url: String) {
    tokio::spawn(async move {
        let handler = async |State(page): State<Arc<Page>>, socket: Socket| act(page, socket).await;
        // What becomes of it, the observer is told.
        if let Ok(client) = builder.build() {
            let _ = client.run(url, handler).await;
        }
    });
}

/// Writes down what a client's observers are told.
struct Watcher {
    page: Arc<Page>,
    path: &'static str,
}

impl Observer for Watcher {
    fn upgraded(&self, session: &SessionInfo) {
        assert!(session.route().ends_with(self.path), "{}", session.route());
        self.page.hear(&Told::Upgraded(self.path));
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        self.page.hear(&Told::Rejected(rejection.status.as_u16()));
    }

    fn closed(&self, _: &SessionInfo, closed: &Closed<'_>) {
        self.page.hear(&Told::Closed(closed));
    }

    fn failed(&self, _: &SessionInfo, error: &Error) {
        self.page.hear(&Told::Failed(error));
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use tokio::io::{copy, split};

    use super::*;
    use crate::{
        client::{RSV1, opcode},
        differential::{Arena, Difference, Differential},
    };

    /// A connection on which every frame of the client is spoilt.
    pub(super) fn spoilt(stream: Box<dyn Stream>, spoil: Spoil) -> Box<dyn Stream> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (mut from_client, mut to_client) = split(stream);
        let (mut from_server, mut to_server) = split(near);
        tokio::spawn(async move {
            let mut inbound = BytesMut::new();
            while let Ok(1..) = from_client.read_buf(&mut inbound).await {
                while let Some(mut frame) = Frame::parse(&mut inbound) {
                    let mask = frame.mask;
                    frame.unmask();
                    frame.mask = mask;
                    spoil(&mut frame);
                    let _ = to_server.write_all(&frame.to_bytes()).await;
                }
            }
            let _ = to_server.shutdown().await;
        });
        tokio::spawn(async move {
            let _ = copy(&mut from_server, &mut to_client).await;
            let _ = to_client.shutdown().await;
        });
        Box::new(far)
    }

    fn run(spoil: Spoil) -> Result<(), Difference> {
        // One each: what a failed round leaves open ends with it.
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let rounds = Differential::new().seed(1).rounds(200);
        let arena = Arena::of_clients(&[Way::Spoilt(spoil)]);
        runtime.block_on(rounds.run_in(arena))
    }

    /// What each of these does to a client's frames, rounds notice.
    #[test]
    fn broken_clients_are_noticed() {
        run(|_| {}).expect("nothing is spoilt");
        let faults: [(&str, Spoil); 5] = [
            ("does not mask", |frame| frame.mask = None),
            ("hides its compression", |frame| frame.rsv = 0),
            ("damages what it compressed", |frame| {
                if frame.rsv == RSV1 {
                    let mut payload = frame.payload.to_vec();
                    let middle = payload.len() / 2;
                    payload[middle] ^= 4;
                    frame.payload = payload.into();
                }
            }),
            ("changes its pongs", |frame| {
                if frame.opcode == opcode::PONG {
                    frame.payload = "another".into();
                }
            }),
            ("changes its closes", |frame| {
                if frame.opcode == opcode::CLOSE {
                    frame.payload = Frame::close(1008, "").payload;
                }
            }),
        ];
        for (fault, spoil) in faults {
            let report = run(spoil).expect_err(fault).report;
            assert!(
                report.contains("spoilt client") && report.contains("the smallest part"),
                "{fault}: {report}"
            );
        }
    }
}
