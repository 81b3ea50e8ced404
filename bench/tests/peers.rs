//! Every hand-written server answers every load that it is measured with.

use std::path::Path;
use std::time::Duration;

use std::sync::Arc;

use wharf_bench::load::{
    Before, Content, Door, EchoLoad, FanOutContent, FanOutLoad, Frame, HandshakeLoad, IdleLoad,
    Kind, Pacing, Target, Window, expect_answer,
};
use wharf_bench::process::ServerProcess;

const KINDS: [&str; 5] = [
    "axum",
    "actix",
    "tokio-tungstenite",
    "tokio-websockets",
    "fastwebsockets",
];

const PATH: &str = "/echo";

const WINDOW: Window = Window {
    warm_up: Duration::from_millis(20),
    measured: Duration::from_millis(100),
};

fn start(kind: &str, path: &str) -> (ServerProcess, Target) {
    let args = [kind, "127.0.0.1:0", "--nodelay", "--max-seconds", "60"].map(str::to_owned);
    let server = ServerProcess::start(Path::new(env!("CARGO_BIN_EXE_peer")), &args);
    let server = server.expect("the peer starts");
    let target = Target {
        door: Arc::new(Door::tcp(server.addr(), path)),
        pid: server.pid(),
    };
    (server, target)
}

#[tokio::test]
async fn every_peer_echoes_small_and_large_messages() {
    for kind in KINDS {
        let (_server, target) = start(kind, PATH);
        let mut wire = target.door.connect().await.expect(kind).wire;
        for payload_bytes in [0, 16, 64 << 10, 5 << 20] {
            // tokio-websockets cuts what is above 4 MiB into frames, as it may.
            if kind == "tokio-websockets" && payload_bytes > 4 << 20 {
                continue;
            }
            for message in [Kind::Text, Kind::Binary] {
                let frame = Frame::new(message, payload_bytes);
                expect_answer(&mut wire, &frame).await.expect(kind);
            }
        }
    }
}

#[tokio::test]
async fn every_peer_bears_an_echo_load_at_either_pace() {
    for kind in KINDS {
        let (_server, target) = start(kind, PATH);
        for pacing in [Pacing::Rounds, Pacing::Sliding] {
            let load = EchoLoad {
                connections: 4,
                in_flight: 8,
                content: Content::Bytes(Kind::Text, 300),
                pacing,
            };
            let sample = load.run(&target, WINDOW).await.expect(kind);
            assert!(
                sample.operations > 8.0 && sample.latency.total() > 8,
                "{kind}: {sample:?}"
            );
            assert!(sample.server_micros() > 0.0, "{kind}: {sample:?}");
        }
    }
}

#[tokio::test]
async fn a_fan_out_reaches_everybody_despite_the_stalled() {
    for kind in ["axum", "actix"] {
        let (_server, target) = start(kind, "/fan");
        let load = FanOutLoad {
            receivers: 20,
            stalled: 2,
            content: FanOutContent::Letters(64),
        };
        let sample = load.run(&target, WINDOW).await.expect(kind);
        assert!(sample.operations >= 20.0, "{kind}: {sample:?}");
    }
}

#[tokio::test]
async fn handshakes_and_idle_connections_are_measured() {
    let (_server, target) = start("axum", PATH);
    let load = IdleLoad {
        connections: 50,
        before: Before::OneMessage(1024),
    };
    let bytes = load.run(&target).await.expect("stays up");
    // axum's read buffer alone takes 128 KiB.
    assert!(bytes > 100_000.0, "{bytes}");
    let sample = HandshakeLoad { concurrency: 8 }
        .run(&target, WINDOW)
        .await
        .expect("stays up");
    assert!(sample.operations >= 2000.0, "{sample:?}");
}

#[tokio::test]
async fn a_wrong_path_is_an_error_and_not_a_hang() {
    let (_server, target) = start("axum", "/nowhere");
    let error = target.door.connect().await.expect_err("is not there");
    assert!(error.to_string().contains("404"), "{error}");
}
