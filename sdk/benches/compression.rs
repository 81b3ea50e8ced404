//! What compression costs and saves: `cargo bench -p wharf-sdk --bench compression`.
//!
//! One session in memory echoes JSON on one thread, the client's half included, which is the same
//! for all. Bytes are those of the connection.

#[path = "../tests/echo_site/mod.rs"]
mod echo_site;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use echo_site::{echo, request};
use http::{HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf_sdk::{
    App, Compression, Configure, Counts, Observer, Route, SessionInfo,
    driver::encode_client_frame,
    observer::Closed,
    testing::{Answer, TestHost},
};

/// How long each figure is measured.
const PERIOD: Duration = Duration::from_millis(400);

#[derive(Clone, Default)]
struct Last(Arc<Mutex<Counts>>);

impl Observer for Last {
    fn closed(&self, _: &SessionInfo, closed: &Closed<'_>) {
        *self.0.lock().expect("no panic") = closed.counts;
    }
}

/// Rows of a feed, each message with others.
fn feed(bytes: usize) -> Vec<String> {
    let mut seed = 1u64;
    let mut below = |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % end
    };
    let message = |n: usize| {
        let mut text = String::from("{\"channel\":\"prices\",\"rows\":[");
        let mut id = n * 1000;
        while text.len() < bytes - 2 {
            let (symbol, price, cents) = (below(37), below(1000), below(100));
            let (volume, side) = (below(100_000), ["buy", "sell"][below(2) as usize]);
            text.push_str(&format!(
                "{{\"id\":{id},\"symbol\":\"ACME{symbol}\",\"price\":{price}.{cents:02},\
                 \"volume\":{volume},\"side\":\"{side}\"}},"
            ));
            id += 1;
        }
        text.truncate(bytes - 2);
        text + "]}"
    };
    (0..64).map(message).collect()
}

/// Microseconds of an echo, and the bytes in which it leaves.
async fn measure(bytes: usize, compression: Option<Compression>) -> (f64, f64) {
    let last = Last::default();
    let route = Route::new("/echo", echo).compression(compression);
    let app = App::builder().observer(last.clone()).route(route).build();
    let host = TestHost::new(app.expect("valid"));
    let mut request = request();
    let offer = HeaderValue::from_static("permessage-deflate; client_max_window_bits");
    request.headers.insert(SEC_WEBSOCKET_EXTENSIONS, offer);
    let Answer::Upgraded(_, mut client) = host.request(request).await else {
        panic!("not upgraded");
    };
    let frames: Vec<BytesMut> = feed(bytes)
        .iter()
        .map(|text| {
            let mut frame = BytesMut::new();
            encode_client_frame(&mut frame, 0x81, [1, 2, 3, 4], text.as_bytes());
            frame
        })
        .collect();
    let mut read = vec![0; 64 * 1024];
    let mut echoes = 0u32;
    let started = Instant::now();
    while started.elapsed() < PERIOD {
        for frame in &frames {
            client.write_all(frame).await.expect("it is open");
            let head = client.read(&mut read).await.expect("it is open");
            let (head_bytes, payload_bytes) = match read[1] {
                126 => (4, usize::from(u16::from_be_bytes([read[2], read[3]]))),
                short => (2, usize::from(short)),
            };
            let rest = head_bytes + payload_bytes - head;
            client
                .read_exact(&mut read[..rest])
                .await
                .expect("it is open");
            echoes += 1;
        }
    }
    let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(echoes);
    drop(client);
    while host.app().handle().connections() > 0 {
        tokio::task::yield_now().await;
    }
    let counts = *last.0.lock().expect("no panic");
    (micros, counts.wire_bytes_out as f64 / f64::from(echoes))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let on = Compression::new().threshold_bytes(64);
    let small = on.takeover(true).window_bits(12).memory_level(5);
    println!("JSON bytes, how: microseconds of an echo, bytes in which it leaves");
    for bytes in [300, 2 * 1024, 20 * 1024] {
        for (how, compression) in [
            ("plain", None),
            ("level 1", Some(on.level(1))),
            ("level 2", Some(on)),
            ("level 6", Some(on.level(6))),
            ("level 2, takeover, 12 bits", Some(small)),
            ("level 2, takeover, 15 bits", Some(on.takeover(true))),
        ] {
            let (micros, sent) = measure(bytes, compression).await;
            println!("{bytes:6}, {how:28} {micros:8.1} µs {sent:8.0} bytes");
        }
    }
}
