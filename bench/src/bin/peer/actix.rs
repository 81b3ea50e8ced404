//! actix-web as the documentation of actix-ws teaches it: `handle`, a spawned loop, a `Session`.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, rt, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, MessageStream, Session};
use bytestring::ByteString;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use wharf_bench::serve::{MAX_MESSAGE_BYTES, ServeOptions, WORKER_THREADS, announce};

pub(crate) fn serve(options: &ServeOptions) -> io::Result<()> {
    rt::System::new().block_on(async move {
        let members = web::Data::new(Members::default());
        let mut server = HttpServer::new(move || {
            App::new()
                .app_data(members.clone())
                .route("/echo", web::get().to(echo))
                .route("/fan", web::get().to(fan))
        })
        .workers(WORKER_THREADS);
        if options.nodelay {
            server = server.tcp_nodelay(true);
        }
        let server = server.bind(options.addr)?;
        let addr = server.addrs().first().copied();
        announce(addr.ok_or_else(|| io::Error::other("bound to no address"))?)?;
        server.run().await
    })
}

async fn echo(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, stream) = actix_ws::handle(&request, body)?;
    let mut stream = with_limits(stream);
    rt::spawn(async move {
        while let Some(Ok(message)) = stream.recv().await {
            let sent = match message {
                AggregatedMessage::Text(text) => session.text(text).await,
                AggregatedMessage::Binary(bytes) => session.binary(bytes).await,
                AggregatedMessage::Ping(payload) => session.pong(&payload).await,
                AggregatedMessage::Pong(_) => Ok(()),
                AggregatedMessage::Close(reason) => {
                    // The peer has what it wanted; there is nobody left to tell.
                    let _ = session.close(reason).await;
                    return;
                }
            };
            if sent.is_err() {
                break;
            }
        }
    });
    Ok(response)
}

/// Every socket of `/fan`, by a number of its own, and the way to write to it.
#[derive(Default)]
struct Members {
    next: AtomicU64,
    senders: Mutex<HashMap<u64, UnboundedSender<ByteString>>>,
}

async fn fan(
    request: HttpRequest,
    body: web::Payload,
    members: web::Data<Members>,
) -> Result<HttpResponse, Error> {
    let (response, session, stream) = actix_ws::handle(&request, body)?;
    rt::spawn(run_member(session, with_limits(stream), members));
    Ok(response)
}

async fn run_member(
    mut session: Session,
    mut stream: AggregatedMessageStream,
    members: web::Data<Members>,
) {
    let (sender, mut receiver) = unbounded_channel();
    let number = members.next.fetch_add(1, Ordering::Relaxed);
    members
        .senders
        .lock()
        .expect("nothing panics under this lock")
        .insert(number, sender);

    let mut writing = session.clone();
    let writer = rt::spawn(async move {
        while let Some(text) = receiver.recv().await {
            if writing.text(text).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(message)) = stream.recv().await {
        match message {
            AggregatedMessage::Text(text) => {
                let senders = members
                    .senders
                    .lock()
                    .expect("nothing panics under this lock");
                for sender in senders.values() {
                    // A member that is just leaving removes itself.
                    let _ = sender.send(text.clone());
                }
            }
            AggregatedMessage::Ping(payload) => {
                if session.pong(&payload).await.is_err() {
                    break;
                }
            }
            AggregatedMessage::Close(_) => break,
            AggregatedMessage::Binary(_) | AggregatedMessage::Pong(_) => {}
        }
    }
    members
        .senders
        .lock()
        .expect("nothing panics under this lock")
        .remove(&number);
    writer.abort();
    // The peer may be gone already; then there is nobody left to tell.
    let _ = session.close(None).await;
}

fn with_limits(stream: MessageStream) -> AggregatedMessageStream {
    stream
        .max_frame_size(MAX_MESSAGE_BYTES)
        .aggregate_continuations()
        .max_continuation_size(MAX_MESSAGE_BYTES)
}
