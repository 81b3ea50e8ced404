//! A selection of the contract over TLS, on the servers of the frameworks: what a connection is made
//! of shows where it begins, where it ends and where it is full. hyper's own has all cases.
#![cfg(all(feature = "axum", feature = "actix"))]

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use wharf_conformance::{
    ActixTlsHost, AxumTlsHost, Request, Running, TcpServer, cases, check, client::PATIENCE, fixture,
};

macro_rules! over_tls {
    ($($section:ident { $($case:ident)* })*) => {
        mod axum {
            $(mod $section { use super::super::*; $(
                #[test]
                fn $case() {
                    check(&AxumTlsHost, |host| Box::pin(cases::$section::$case(host)));
                }
            )* })*
        }

        mod actix {
            $(mod $section { use super::super::*; $(
                #[test]
                fn $case() {
                    check(&ActixTlsHost, |host| Box::pin(cases::$section::$case(host)));
                }
            )* })*
        }
    };
}

over_tls! {
    handshake { accepted order_of_checks full_app not_an_upgrade }
    bad_input { body oversized_headers garbage }
    origin { same_origin }
    plain { events_over_http with_a_body shutdown_over_http }
    message { lengths order byte_by_byte frames_behind_the_request }
    control { pong_overtakes_data }
    violation { violation_is_observed violator_does_not_answer }
    size { by_announcement }
    write { order flushed_when_the_handler_returns }
    fairness { writing_without_a_pause floods_of_control_frames }
    peer_close { answered_with_its_code vanished vanished_half_way server_ends_the_connection }
    close { flushes_and_waits unanswered answered_with_the_end }
    heartbeat { unanswered while_a_write_is_stuck slow_transfer_survives }
    queue { write_deadline flood_is_held_back }
    shutdown { closes_everyone aborts_at_the_deadline finishes_the_message }
    release { after_a_storm given_up_handshakes }
    event_stream { texts_are_events }
    compression { both_ways bombs }
    native { reaches_the_frameworks_socket }
    extended_connect { offered same_checks }
}

async fn servers() -> [TcpServer; 2] {
    let app = || fixture::app(None).expect("valid").app;
    [
        AxumTlsHost.start(app()).await,
        ActixTlsHost.start(app()).await,
    ]
}

#[tokio::test]
async fn plain_http_is_told_that_this_is_tls() {
    for server in servers().await {
        let plain = TcpServer::at(server.address());
        let told = plain.request(Request::upgrade("/echo")).await;
        told.expect_problem(400, "WHARF_TLS_REQUIRED");
    }
}

/// Nothing; the head of a record; something else altogether.
#[tokio::test]
async fn handshakes_have_a_deadline() {
    let servers = servers().await;
    let held = servers.iter().flat_map(|server| {
        [&b""[..], b"\x16\x03\x01\x02", b"\x00\x01"].map(|sent| async {
            let mut stream = TcpStream::connect(server.address()).await?;
            stream.write_all(sent).await?;
            let mut said = [0; 64];
            // A reset is an end too.
            while stream.read(&mut said).await.is_ok_and(|count| count > 0) {}
            std::io::Result::Ok(())
        })
    });
    let ended = timeout(PATIENCE, join_all(held)).await;
    assert!(ended.expect("an end in time").iter().all(Result::is_ok));
}

/// The router around the app has its own paths on the same server.
#[tokio::test]
async fn a_router_is_served_whole() {
    let [server, _] = servers().await;
    let said = server.request(Request::plain("GET", "/neighbour")).await;
    assert_eq!(said.expect(200).text(), "undisturbed");
}
