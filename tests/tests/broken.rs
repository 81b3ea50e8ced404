//! Hosts that are broken on purpose: the case that should notice does, and the others do not.

use std::panic::{AssertUnwindSafe, catch_unwind};

use async_trait::async_trait;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf_conformance::{
    Answer, Host, InProgress, MemoryHost, Request, Running, cases, check,
    client::{Frame, opcode},
    differential::Differential,
};
use wharf_sdk::{App, Configure, Result, Route, Socket, driver::Capabilities, http::HeaderValue};

/// What is wrong with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Pongs get lost.
    DropsPongs,
    /// The connection ends in place of a close frame.
    DropsCloses,
    /// Every close says 1000.
    NormalizesCloses,
    /// Text comes as binary.
    ForgetsText,
    /// Answers lose `Retry-After`.
    ForgetsRetryAfter,
    /// Every answer is 200 in place of an error.
    ForgivesErrors,
    /// Another app is served, with a limit twice as high.
    DoublesTheLimit,
    /// The subprotocol is not told.
    ForgetsSubprotocols,
    /// Headers that the application adds are lost.
    ForgetsAddedHeaders,
    /// Frames that come with the request are lost.
    ForgetsEarlyFrames,
    /// A slash at the end of a path makes no difference.
    TrimsSlashes,
    /// Something between client and server answers pings.
    AnswersPings,
    /// The connection stays when everything is said.
    KeepsConnectionsOpen,
    /// Compressed messages do not say that they are.
    HidesCompression,
    /// A bit of compressed messages is lost.
    DamagesCompressed,
    /// The answer says that every message stands by itself, where they refer to earlier ones.
    HidesTakeover,
}

struct BrokenHost(Fault);

#[async_trait]
impl Host for BrokenHost {
    fn capabilities(&self) -> Capabilities {
        MemoryHost.capabilities()
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        let app = match self.0 {
            Fault::DoublesTheLimit => {
                let route = Route::new("/limit", echo).max_message_bytes(2048);
                App::builder().route(route).build().expect("valid")
            }
            _ => app,
        };
        Box::new(Broken {
            fault: self.0,
            inner: MemoryHost.serve(app).await,
        })
    }

    fn can_pause_time(&self) -> bool {
        true
    }
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

struct Broken {
    fault: Fault,
    inner: Box<dyn Running>,
}

#[async_trait]
impl Running for Broken {
    async fn request(&self, mut request: Request) -> Answer {
        match self.fault {
            Fault::ForgetsEarlyFrames => request.behind.clear(),
            Fault::TrimsSlashes if request.target.len() > 1 => {
                request.target = request.target.trim_end_matches('/').to_owned();
            }
            _ => {}
        }
        let mut answer = self.inner.request(request).await;
        match self.fault {
            Fault::ForgetsRetryAfter => drop(answer.headers.remove("retry-after")),
            Fault::ForgetsSubprotocols => drop(answer.headers.remove("sec-websocket-protocol")),
            Fault::ForgetsAddedHeaders => drop(answer.headers.remove("x-stamp")),
            Fault::HidesTakeover => {
                if let Some(agreed) = answer.headers.get_mut("sec-websocket-extensions") {
                    *agreed =
                        HeaderValue::from_static("permessage-deflate; server_no_context_takeover");
                }
            }
            Fault::ForgivesErrors if answer.stream.is_none() => {
                answer.status = Some(wharf_sdk::http::StatusCode::OK);
            }
            _ => {}
        }
        answer.stream = answer.stream.map(|mut stream| {
            let (mut near, far) = tokio::io::duplex(64 * 1024);
            let fault = self.fault;
            tokio::spawn(async move {
                let (mut from_server, mut from_client) = (BytesMut::new(), BytesMut::new());
                let mut client_writes = true;
                loop {
                    tokio::select! {
                        read = stream.read_buf(&mut from_server) => if !matches!(read, Ok(1..)) {
                            if fault == Fault::KeepsConnectionsOpen {
                                std::future::pending::<()>().await;
                            }
                            return;
                        },
                        read = near.read_buf(&mut from_client), if client_writes => {
                            if !matches!(read, Ok(1..)) {
                                client_writes = false;
                                let _ = stream.shutdown().await;
                            }
                        },
                    }
                    while let Some(frame) = Frame::parse(&mut from_server) {
                        if fault == Fault::AnswersPings && frame.opcode == opcode::PING {
                            from_client.extend_from_slice(&Frame::pong(frame.payload).to_bytes());
                            continue;
                        }
                        match spoil(fault, frame) {
                            Some(frame) => drop(near.write_all(&frame.to_bytes()).await),
                            None if fault == Fault::DropsCloses => return,
                            None => {}
                        }
                    }
                    let _ = stream.write_all(&from_client.split()).await;
                }
            });
            Box::new(far) as Box<dyn wharf_conformance::host::Stream>
        });
        answer
    }
}

/// The frame as the broken host sends it, if it does.
fn spoil(fault: Fault, mut frame: Frame) -> Option<Frame> {
    match (fault, frame.opcode) {
        (Fault::DropsPongs, opcode::PONG) | (Fault::DropsCloses, opcode::CLOSE) => return None,
        (Fault::NormalizesCloses, opcode::CLOSE) => frame = Frame::close(1000, "").unmasked(),
        (Fault::ForgetsText, opcode::TEXT) => frame.opcode = opcode::BINARY,
        (Fault::HidesCompression, _) => frame.rsv = 0,
        (Fault::DamagesCompressed, _) if frame.rsv != 0 => {
            let mut payload = frame.payload.to_vec();
            let middle = payload.len() / 2;
            payload[middle] ^= 4;
            frame.payload = payload.into();
        }
        _ => {}
    }
    Some(frame)
}

/// Asserts that a case fails on the broken host, for the reason given.
#[track_caller]
fn expect_caught(
    fault: Fault,
    case: impl for<'a> FnOnce(&'a dyn Host) -> InProgress<'a>,
    reason: &str,
) {
    let caught = catch_unwind(AssertUnwindSafe(|| check(&BrokenHost(fault), case)));
    let panic = caught.expect_err("the case notices");
    let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(
        message.contains(reason),
        "caught for another reason: {message}"
    );
}

/// Asserts that a case that has nothing to do with the fault passes.
fn expect_unnoticed(fault: Fault, case: impl for<'a> FnOnce(&'a dyn Host) -> InProgress<'a>) {
    check(&BrokenHost(fault), case);
}

#[test]
fn lost_pongs_are_caught() {
    let fault = Fault::DropsPongs;
    expect_caught(
        fault,
        |host| Box::pin(cases::control::ping_is_answered(host)),
        "a pong",
    );
    expect_caught(
        fault,
        |host| Box::pin(cases::control::ping_while_busy(host)),
        "a pong",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::message::lengths(host)));
}

#[test]
fn connections_dropped_in_place_of_a_close_are_caught() {
    let fault = Fault::DropsCloses;
    let reason = "expected a close with 1002, the connection ended";
    expect_caught(
        fault,
        |host| Box::pin(cases::violation::unmasked(host)),
        reason,
    );
    let reason = "expected a close with 1011, the connection ended";
    expect_caught(
        fault,
        |host| Box::pin(cases::ends::handler_panics(host)),
        reason,
    );
    expect_unnoticed(fault, |host| Box::pin(cases::heartbeat::unanswered(host)));
}

#[test]
fn other_close_codes_are_caught() {
    let fault = Fault::NormalizesCloses;
    let reason = "another close code";
    expect_caught(
        fault,
        |host| Box::pin(cases::close::with_code_and_reason(host)),
        reason,
    );
    expect_caught(
        fault,
        |host| Box::pin(cases::shutdown::closes_everyone(host)),
        reason,
    );
    expect_unnoticed(fault, |host| Box::pin(cases::write::order(host)));
}

#[test]
fn text_as_binary_is_caught() {
    let fault = Fault::ForgetsText;
    expect_caught(
        fault,
        |host| Box::pin(cases::message::text_is_unicode(host)),
        "got binary",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::size::route_limit(host)));
}

#[test]
fn missing_headers_are_caught() {
    let fault = Fault::ForgetsRetryAfter;
    expect_caught(
        fault,
        |host| Box::pin(cases::handshake::full_app(host)),
        "Retry-After",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::handshake::version(host)));
    let fault = Fault::ForgetsSubprotocols;
    expect_caught(
        fault,
        |host| Box::pin(cases::subprotocol::preference(host)),
        "chat.v",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::subprotocol::malformed(host)));
}

#[test]
fn forgiven_errors_are_caught() {
    let fault = Fault::ForgivesErrors;
    expect_caught(
        fault,
        |host| Box::pin(cases::origin::other_origins(host)),
        "wrong status",
    );
    expect_caught(
        fault,
        |host| Box::pin(cases::handshake::key(host)),
        "wrong status",
    );
    expect_caught(
        fault,
        |host| Box::pin(cases::errors::problem_documents(host)),
        "wrong status",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::origin::same_origin(host)));
}

#[test]
fn lost_headers_of_the_applications_are_caught() {
    let fault = Fault::ForgetsAddedHeaders;
    expect_caught(
        fault,
        |host| Box::pin(cases::middleware::adds_headers(host)),
        "first,second",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::handshake::accepted(host)));
}

#[test]
fn lost_early_frames_are_caught() {
    let fault = Fault::ForgetsEarlyFrames;
    expect_caught(
        fault,
        |host| Box::pin(cases::message::frames_behind_the_request(host)),
        "expected the text \"early\"",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::message::order(host)));
}

#[test]
fn paths_that_are_tidied_are_caught() {
    let fault = Fault::TrimsSlashes;
    expect_caught(
        fault,
        |host| Box::pin(cases::path::trailing_slash(host)),
        "wrong status",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::path::literals(host)));
}

#[test]
fn pings_that_somebody_else_answers_are_caught() {
    let fault = Fault::AnswersPings;
    for case in [
        (|host| Box::pin(cases::heartbeat::unanswered(host)) as InProgress<'_>)
            as for<'a> fn(&'a dyn Host) -> InProgress<'a>,
        |host| Box::pin(cases::heartbeat::answered(host)),
        |host| Box::pin(cases::write::ping(host)),
    ] {
        expect_caught(fault, case, "nothing came for");
    }
    expect_unnoticed(fault, |host| Box::pin(cases::timers::idle(host)));
}

#[test]
fn connections_that_stay_are_caught() {
    let fault = Fault::KeepsConnectionsOpen;
    expect_caught(
        fault,
        |host| Box::pin(cases::peer_close::server_ends_the_connection(host)),
        "expected the end of the connection",
    );
    expect_caught(
        fault,
        |host| Box::pin(cases::close::unanswered(host)),
        "nothing came for",
    );
    expect_unnoticed(fault, |host| Box::pin(cases::observers::refusals(host)));
}

#[test]
fn another_limit_is_caught() {
    let reason = "expected a close with 1009";
    expect_caught(
        Fault::DoublesTheLimit,
        |host| Box::pin(cases::size::to_the_byte(host)),
        reason,
    );
}

/// Random rounds notice too, name what is different, and leave of the round what is needed for it.
#[test]
fn random_rounds_catch_what_they_can_see() {
    for (fault, different) in [
        (Fault::DropsPongs, "pongs"),
        (Fault::DropsCloses, "broken: end, line"),
        (Fault::NormalizesCloses, "broken: end, line"),
        (Fault::ForgetsText, "broken: data, line"),
        (Fault::HidesCompression, "broken: data, line"),
        (Fault::DamagesCompressed, "broken: "),
        (Fault::HidesTakeover, "broken: "),
    ] {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let rounds = Differential::new()
            .seed(1)
            .rounds(100)
            .patience(std::time::Duration::from_secs(3));
        let hosts: &[(&str, &dyn Host)] = &[("broken", &BrokenHost(fault))];
        let caught = runtime.block_on(rounds.run(hosts));
        let report = caught.expect_err("the rounds notice").report;
        assert!(
            report.contains(different) && report.contains("the smallest part"),
            "{fault:?} is caught for another reason: {report}"
        );
    }
}
