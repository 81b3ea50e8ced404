//! The client of a round.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use bytes::BytesMut;
use futures::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::timeout,
};

use super::{
    app::Page,
    plan::{Plan, Step},
    round::Side,
    transcript::{
        COMPRESSED, DATA, END, PINGS, PONGS, REASONS, TROUBLE, Transcript, describe_payload,
    },
};
use crate::{
    client::{Deflate, Frame, RSV1, opcode},
    host::{Request, Running, Stream},
};

/// Plays a round against a server and returns what happened on both sides.
pub(super) async fn play(
    running: &dyn Running,
    request: Request,
    plan: &Plan,
    page: &Page,
    patience: Duration,
) -> Transcript {
    let mut transcript = Transcript::default();
    let playing = AssertUnwindSafe(lead(running, request, plan, patience, &mut transcript));
    let panic = playing.catch_unwind().await.err();
    complete(transcript, panic, page, patience).await
}

/// Adds what the tested side saw.
pub(super) async fn complete(
    mut transcript: Transcript,
    panic: Option<Box<dyn Any + Send>>,
    page: &Page,
    patience: Duration,
) -> Transcript {
    if let Some(panic) = panic {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        transcript.add(TROUBLE, message.unwrap_or("a panic"));
    }
    match timeout(patience, page.when_over()).await {
        Ok(seen) => transcript.absorb(seen),
        Err(_) => {
            transcript.absorb(page.so_far());
            transcript.add(TROUBLE, "the observers were not told of a closed session");
        }
    }
    transcript
}

async fn lead(
    running: &dyn Running,
    request: Request,
    plan: &Plan,
    patience: Duration,
    transcript: &mut Transcript,
) {
    let answer = running
        .request(request.followed_by(plan.early.to_vec()))
        .await;
    let status = answer.status();
    let deflate = Deflate::accepted(&answer.headers);
    let Some(stream) = answer.stream else {
        transcript.add(TROUBLE, format!("no upgrade, but {status}"));
        return;
    };
    follow(stream, deflate, Side::Server, plan, patience, transcript).await;
}

/// Plays the steps over an open connection.
pub(super) async fn follow(
    stream: Box<dyn Stream>,
    deflate: Option<Deflate>,
    against: Side,
    plan: &Plan,
    patience: Duration,
    transcript: &mut Transcript,
) {
    let (reader, writer) = split(stream);
    let mut peer = Peer {
        reader: Some(reader),
        writer: Some(writer),
        inbound: BytesMut::new(),
        against,
        deflate,
        has_close: false,
        transcript,
    };
    for step in &plan.steps {
        if timeout(patience, peer.take(step)).await.is_err() {
            peer.transcript
                .add(TROUBLE, format!("waited in vain for {step:?}"));
            return;
        }
    }
    let ending = async {
        if against != Side::Server {
            // A client waits for its server to end the connection.
            peer.read_until(|peer| peer.has_close).await;
            peer.take(&Step::HalfClose).await;
        }
        peer.read_until(|_| false).await;
    };
    if timeout(patience, ending).await.is_err() {
        peer.transcript
            .add(TROUBLE, "the other side did not end the connection");
    }
}

/// A client that writes down what comes, legal or not.
struct Peer<'a> {
    /// `None` once the server has ended its direction.
    reader: Option<ReadHalf<Box<dyn Stream>>>,
    writer: Option<WriteHalf<Box<dyn Stream>>>,
    inbound: BytesMut,
    /// Whom it is the peer of.
    against: Side,
    /// Where compression was agreed on.
    deflate: Option<Deflate>,
    has_close: bool,
    transcript: &'a mut Transcript,
}

impl Peer<'_> {
    async fn take(&mut self, step: &Step) {
        match step {
            Step::Send(bytes) => self.send(bytes).await,
            Step::Turn => tokio::task::yield_now().await,
            Step::Sleep => tokio::time::sleep(Duration::from_millis(1)).await,
            Step::Await { data, pongs } => {
                self.read_until(|peer| {
                    let seen = &peer.transcript;
                    peer.has_close || seen.len(DATA) >= *data && seen.len(PONGS) >= *pongs
                })
                .await;
            }
            Step::AwaitClose => self.read_until(|peer| peer.has_close).await,
            Step::HalfClose => {
                if let Some(writer) = &mut self.writer {
                    let _ = writer.shutdown().await;
                }
            }
            Step::Vanish => {
                // What came was read; what comes is not waited for.
                self.writer = None;
                self.reader = None;
            }
        }
    }

    /// Sends, and reads meanwhile: a server that is held back need not read.
    async fn send(&mut self, mut bytes: &[u8]) {
        while let Some(writer) = &mut self.writer
            && !bytes.is_empty()
        {
            let Some(reader) = &mut self.reader else {
                // The server has ended its direction and may reset the other.
                return;
            };
            tokio::select! {
                written = writer.write(bytes) => match written {
                    Ok(count) => bytes = &bytes[count..],
                    Err(_) => self.writer = None,
                },
                read = reader.read_buf(&mut self.inbound) => self.note(&read),
            }
        }
        if let Some(writer) = &mut self.writer {
            let _ = writer.flush().await;
        }
    }

    /// Reads until this holds or the server ends the connection.
    async fn read_until(&mut self, is_enough: impl Fn(&Self) -> bool) {
        loop {
            if is_enough(self) {
                return;
            }
            let Some(reader) = &mut self.reader else {
                return;
            };
            let read = reader.read_buf(&mut self.inbound).await;
            self.note(&read);
        }
    }

    /// Writes down what was read.
    fn note(&mut self, read: &std::io::Result<usize>) {
        while let Some(mut frame) = Frame::parse(&mut self.inbound) {
            let is_masked = frame.unmask();
            self.inflate(&mut frame);
            self.note_frame(&frame, is_masked);
        }
        // A reset ends the connection like a FIN does.
        if !matches!(read, Ok(1..)) {
            self.reader = None;
            if !self.inbound.is_empty() {
                self.transcript.add(END, "in the middle of a frame");
            }
            self.transcript.add(END, "the end");
        }
    }

    /// Inflates a message that is compressed, where it may be.
    fn inflate(&mut self, frame: &mut Frame) {
        let is_message = matches!(frame.opcode, opcode::TEXT | opcode::BINARY);
        if let (true, RSV1, Some(deflate)) = (is_message, frame.rsv, &mut self.deflate) {
            // To how many bytes is up to what its lent compressor did before.
            let number = self.transcript.len(DATA) + 1;
            self.transcript.add(COMPRESSED, format!("message {number}"));
            frame.payload = deflate.inflate(&frame.payload).into();
            frame.rsv = 0;
        }
    }

    fn note_frame(&mut self, frame: &Frame, is_masked: bool) {
        let must_be_masked = self.against != Side::Server;
        let is_plain = frame.fin && frame.rsv == 0 && is_masked == must_be_masked;
        let (strand, kind) = match frame.opcode {
            _ if !is_plain || self.has_close => (END, "a frame that may not come:"),
            opcode::TEXT => (DATA, "text"),
            opcode::BINARY => (DATA, "binary"),
            opcode::PING => (PINGS, "ping"),
            opcode::PONG => (PONGS, "pong"),
            opcode::CLOSE => {
                self.has_close = true;
                let (code, reason) = frame.close_code_and_reason();
                self.transcript.add(END, format!("close {code}"));
                self.transcript.add(REASONS, format!("frame {reason:?}"));
                return;
            }
            _ => (END, "a frame that may not come:"),
        };
        let line = describe_payload(kind, &frame.payload);
        self.transcript.add(strand, line);
    }
}
