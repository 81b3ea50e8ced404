//! What things cost in time, on a calm machine: `cargo bench -p wharf-sdk --bench time`.

mod parts;

use bytes::BytesMut;
use divan::{Bencher, black_box, counter::ItemsCount};
use parts::{
    connection::{Connection, Delivery, Settings},
    events::{self, Way},
    site::Site,
};
use tokio::runtime::Builder;
use wharf_sdk::{
    App, Configure, Route, Socket, WebSocketExt,
    driver::{Decoder, WireLimits, encode_client_frame},
    testing::TestHost,
};

fn main() {
    divan::main();
}

/// A session over memory that echoes, by messages in flight.
#[divan::bench(args = [1, 16, 64])]
fn echo(bencher: Bencher, in_flight: usize) {
    let mut connection = Connection::open(Settings::Everything, in_flight);
    bencher
        .counter(ItemsCount::new(in_flight))
        .bench_local(|| connection.echo(1));
}

/// Events with a reply, 64 in flight.
#[divan::bench(args = [Way::Channel, Way::ByHand])]
fn reply(bencher: Bencher, way: Way) {
    let mut connection = events::open(way, 64);
    bencher
        .counter(ItemsCount::new(64_usize))
        .bench_local(|| connection.echo(1));
}

/// A message through a `Sender`, through the queue, to the wire.
#[divan::bench(args = [Settings::Bare, Settings::Compressible, Settings::Observed, Settings::Everything])]
fn deliver(bencher: Bencher, settings: Settings) {
    let mut delivery = Delivery::open(settings);
    bencher.bench_local(|| delivery.deliver(1));
}

/// A message while so many tasks wait in `send` of the same session: what it costs does not depend
/// on them.
#[divan::bench(args = [1, 1_000, 16_000])]
fn waiting(bencher: Bencher, tasks: usize) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let busy = move |socket: Socket| async move {
        for _ in 0..tasks {
            let sender = socket.sender();
            socket.spawn(async move { while sender.send("text").await.is_ok() {} });
        }
        socket.closed().await;
    };
    let route = Route::new("/", busy).queue_messages(4);
    let app = App::builder().route(route).build().expect("an app");
    let mut client = runtime.block_on(async {
        let mut client = TestHost::new(app).connect("/").await;
        for _ in 0..1_000 {
            client.expect_text("text").await;
        }
        client
    });
    bencher.bench_local(|| runtime.block_on(client.expect_text("text")));
}

/// A whole upgrade, by the number of the app's routes.
#[divan::bench(args = [10, 1_000, 10_000])]
fn decide(bencher: Bencher, routes: usize) {
    let site = Site::with_routes(routes);
    bencher.bench_local(|| site.decide(black_box(&["/rooms/00004/lobby"])));
}

/// A request to a path where there is no route.
#[divan::bench(args = [10, 1_000, 10_000])]
fn refuse(bencher: Bencher, routes: usize) {
    let site = Site::with_routes(routes);
    bencher.bench_local(|| site.refuse(black_box("/rooms/00004")));
}

/// Sixteen frames out of one buffer, by the size of their payloads.
#[divan::bench(args = [16, 64, 1024, 16 * 1024])]
fn decode(bencher: Bencher, payload_bytes: usize) {
    let mut frames = BytesMut::new();
    for _ in 0..16 {
        encode_client_frame(&mut frames, 0x81, [1, 2, 3, 4], &vec![b'x'; payload_bytes]);
    }
    let limits = WireLimits {
        max_message_bytes: 1 << 20,
        max_fragments: 1,
    };
    bencher
        .counter(ItemsCount::new(16usize))
        .with_inputs(|| (Decoder::new(limits), BytesMut::from(&frames[..])))
        .bench_local_values(|(mut decoder, mut buffer)| {
            while let Some(message) = decoder.decode(&mut buffer).expect("no violation") {
                black_box(message);
            }
        });
}
