//! The fixture as a program: how it starts, what it says, and how it ends.
#![cfg(any(feature = "axum", feature = "actix", feature = "hyper"))]

mod program_under_test;

use std::{
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use program_under_test::{Program, fixture};
use tokio::time::timeout;
use wharf_conformance::{Request, Running, client::PATIENCE};

/// `POST /shutdown` is answered at once, closes everybody, and the process exits 0 with counts.
async fn shuts_down_on_request(driver: &str) {
    let program = Program::start(&["--driver", driver, "127.0.0.1:0"], driver).await;
    let mut client = program.open("/echo").await;
    client.expect_echo("hello").await;
    let request = Request::plain("POST", "/shutdown?deadline_ms=5000");
    program.server.request(request).await.expect(202);
    client.expect_close(1001).await;
    assert_eq!(
        program.end().await,
        "shut down: 1 sessions, 1 closed, 0 aborted\n"
    );
}

/// A session that does not answer is aborted at the deadline; the process exits 0 all the same.
async fn aborts_the_silent(driver: &str) {
    let program = Program::start(&["--driver", driver, "127.0.0.1:0"], driver).await;
    let mut client = program.open("/echo").await;
    client.expect_echo("hello").await;
    let request = Request::plain("POST", "/shutdown?deadline_ms=300");
    program.server.request(request).await.expect(202);
    assert_eq!(
        program.end().await,
        "shut down: 1 sessions, 0 closed, 1 aborted\n"
    );
}

/// SIGTERM and ctrl-c do the same as the request.
async fn shuts_down_on_signals(driver: &str) {
    for signal in ["-TERM", "-INT"] {
        let program = Program::start(&["127.0.0.1:0", "--driver", driver], driver).await;
        let mut client = program.open("/echo").await;
        client.expect_echo("hello").await;
        program.signal(signal).await;
        client.expect_close(1001).await;
        assert_eq!(
            program.end().await,
            "shut down: 1 sessions, 1 closed, 0 aborted\n",
            "after {signal}"
        );
    }
}

/// It can be stopped as soon as it says that it listens.
async fn stops_right_behind_its_line(driver: &str) {
    for _ in 0..5 {
        let program = Program::start(&["127.0.0.1:0", "--driver", driver], driver).await;
        program.signal("-TERM").await;
        assert_eq!(
            program.end().await,
            "shut down: 0 sessions, 0 closed, 0 aborted\n"
        );
    }
}

/// Who asks twice does not want to wait for peers that do not answer.
async fn second_signal_aborts(driver: &str) {
    let program = Program::start(&["127.0.0.1:0", "--driver", driver], driver).await;
    let mut client = program.open("/echo").await;
    client.expect_echo("hello").await;
    program.signal("-TERM").await;
    client.expect_close_frame(1001).await;
    let asked = Instant::now();
    program.signal("-TERM").await;
    assert_eq!(
        program.end().await,
        "shut down: 1 sessions, 0 closed, 1 aborted\n"
    );
    // The close handshake alone would have been given 5 s.
    assert!(asked.elapsed() < Duration::from_secs(4));
}

/// A connection that stays idle after plain HTTP does not hold the end up.
async fn idle_http_does_not_delay_the_end(driver: &str) {
    let program = Program::start(&["--driver", driver, "127.0.0.1:0"], driver).await;
    let idle = tokio::net::TcpStream::connect(program.server.address())
        .await
        .expect("accepted");
    let request = Request::plain("POST", "/shutdown?deadline_ms=1000");
    program.server.request(request).await.expect(202);
    let line = timeout(Duration::from_secs(20), program.end())
        .await
        .expect("in time");
    assert_eq!(line, "shut down: 0 sessions, 0 closed, 0 aborted\n");
    drop(idle);
}

macro_rules! programs {
    ($($driver:ident: $feature:literal)*) => {
        $(
            #[cfg(feature = $feature)]
            mod $driver {
                #[tokio::test]
                async fn shuts_down_on_request() {
                    super::shuts_down_on_request($feature).await;
                }

                #[tokio::test]
                async fn aborts_the_silent() {
                    super::aborts_the_silent($feature).await;
                }

                #[cfg(unix)]
                #[tokio::test]
                async fn shuts_down_on_signals() {
                    super::shuts_down_on_signals($feature).await;
                }

                #[cfg(unix)]
                #[tokio::test]
                async fn stops_right_behind_its_line() {
                    super::stops_right_behind_its_line($feature).await;
                }

                #[cfg(unix)]
                #[tokio::test]
                async fn second_signal_aborts() {
                    super::second_signal_aborts($feature).await;
                }

                #[tokio::test]
                async fn idle_http_does_not_delay_the_end() {
                    super::idle_http_does_not_delay_the_end($feature).await;
                }
            }
        )*
    };
}

programs! { axum: "axum" actix: "actix" hyper: "hyper" }

/// What it cannot make sense of ends it with exit code 2 and a line that helps; a port that is
/// taken, with 1.
#[tokio::test]
async fn wrong_arguments() {
    for arguments in [
        &[][..],
        &["--driver"],
        &["a", "b", "c", "d"],
        &["--tls", "cert.pem", "127.0.0.1:0"],
    ] {
        let output = output(arguments).await;
        assert_eq!(output.status.code(), Some(2), "for {arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: fixture"));
    }
    let unknown = output(&["--driver", "carrier-pigeon", "127.0.0.1:0"]).await;
    assert_eq!(unknown.status.code(), Some(2));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = output(&[&address]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("WHARF_BIND"));
}

async fn output(arguments: &[&str]) -> Output {
    let waiting = timeout(
        PATIENCE,
        fixture(arguments, Stdio::piped()).wait_with_output(),
    )
    .await;
    waiting.expect("the end in time").expect("output")
}
