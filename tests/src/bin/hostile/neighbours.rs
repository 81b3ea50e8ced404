//! What a socket waits beside eight flooders, on a server with one worker and one core.

use std::{
    convert::Infallible,
    io,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::timeout_at,
};
use wharf_conformance::client::Frame;

use crate::{honest, keep, keep::Target, server::Server, verdict::percentile};

pub(crate) const NAME: &str = "neighbours";

const FLOODERS: usize = 8;

/// How many turns both kinds of flooders get.
const ROUNDS: u32 = 2;

/// How often longer a neighbour of pings may wait than one of texts.
const AT_MOST: f64 = 3.0;

/// Prints the comparison; whether it is fair.
pub(crate) fn run(driver: &str, duration: Duration) -> bool {
    let (mut texts, mut pings) = (Vec::new(), Vec::new());
    // By turns, so that what else the machine does meanwhile is beside both.
    for _ in 0..ROUNDS {
        let text = Frame::text("x".repeat(100));
        texts.extend(beside(driver, duration / ROUNDS, &text));
        let ping = Frame::ping(vec![7; 100]);
        pings.extend(beside(driver, duration / ROUNDS, &ping));
    }
    let (texts, pings) = (percentile(&texts, 50), percentile(&pings, 50));
    let ratio = pings.as_secs_f64() / texts.as_secs_f64();
    let is_fair = is_fair(texts, pings);
    println!(
        "{NAME}: p50 {:.1} ms beside {FLOODERS} who send texts, {:.1} ms beside {FLOODERS} who \
         ping: {ratio:.1} times as long, {}",
        texts.as_secs_f64() * 1000.0,
        pings.as_secs_f64() * 1000.0,
        if is_fair { "stood" } else { "unfair" },
    );
    is_fair
}

fn is_fair(texts: Duration, pings: Duration) -> bool {
    pings.as_secs_f64() <= AT_MOST * texts.as_secs_f64()
}

/// What echoes take beside senders of this frame.
fn beside(driver: &str, duration: Duration, frame: &Frame) -> Vec<Duration> {
    let server = Server::start_on_one_core(driver);
    let target = Target {
        address: server.address(),
        until: Instant::now() + duration,
    };
    let request = format!("{}\r\n", keep::upgrade("/echo"));
    let chunk = frame.to_bytes().repeat(500);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let flooding = std::thread::spawn(move || {
        runtime.block_on(futures::future::join_all(
            (0..FLOODERS).map(|_| flood(target, &request, &chunk)),
        ));
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let times = runtime.block_on(async {
        let mut stream = TcpStream::connect(target.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        keep::open(&mut stream, "/echo").await.unwrap();
        let mut times = Vec::new();
        while !target.is_over() {
            times.push(honest::echo(&mut stream).await.expect("an echo"));
        }
        times
    });
    flooding.join().unwrap();
    times
}

/// Opens a socket with this request, sends as much as is taken, and reads what comes back.
pub(crate) async fn flood(target: Target, request: &str, chunk: &[u8]) {
    while !target.is_over() {
        let flooding = async {
            let mut stream = TcpStream::connect(target.address).await?;
            stream.write_all(request.as_bytes()).await?;
            keep::read_head(&mut stream).await?;
            let (mut reader, mut writer) = stream.split();
            tokio::try_join!(write_on(&mut writer, chunk), read_on(&mut reader))
        };
        let _ = timeout_at(target.until.into(), flooding).await;
    }
}

async fn write_on(writer: &mut WriteHalf<'_>, chunk: &[u8]) -> io::Result<Infallible> {
    loop {
        writer.write_all(chunk).await?;
    }
}

async fn read_on(reader: &mut ReadHalf<'_>) -> io::Result<Infallible> {
    let mut buffer = vec![0; 64 * 1024];
    while reader.read(&mut buffer).await? > 0 {}
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_times_as_long_is_borne_and_no_more() {
        let texts = Duration::from_millis(10);
        assert!(is_fair(texts, 3 * texts));
        assert!(!is_fair(texts, 3 * texts + Duration::from_millis(1)));
    }
}
