//! Wharf's own client against every driver's server: both roles of one session over a network.

#![cfg(any(feature = "axum", feature = "actix", feature = "hyper"))]
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use wharf_client::{Client, Rejected};
use wharf_conformance::{TcpServer, fixture};
use wharf_sdk::{App, Bytes, CloseCode, Configure, Result, Socket};

fn app() -> App {
    fixture::app(None).expect("valid").app
}

/// Starts the fixture on a driver.
macro_rules! start {
    ($driver:ident) => {{
        let start = async move || {
            let server = $driver::bind(app(), "127.0.0.1:0").await.unwrap();
            (server.local_addr(), server.run())
        };
        TcpServer::start(start).await
    }};
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn on_axum() {
    gets_along_with(&start!(wharf_axum)).await;
}

#[cfg(feature = "actix")]
#[tokio::test]
async fn on_actix() {
    gets_along_with(&start!(wharf_actix)).await;
}

#[cfg(feature = "hyper")]
#[tokio::test]
async fn on_hyper() {
    gets_along_with(&start!(wharf_hyper)).await;
}

async fn gets_along_with(server: &TcpServer) {
    let base = format!("ws://{}", server.address());
    let client = Client::builder()
        .max_message_bytes(4 * 1024 * 1024)
        .build()
        .unwrap();

    let mut socket = client.connect(format!("{base}/echo")).await.unwrap();
    for size in [0, 125, 126, 65_536, 1024 * 1024] {
        let payload = Bytes::from(vec![7; size]);
        socket.write(payload.clone()).await.unwrap();
        assert_eq!(socket.read().await.unwrap(), Some(payload.into()));
    }
    socket.close(4000, "bye").await.unwrap();
    let outcome = socket.outcome().unwrap();
    assert_eq!((outcome.code, outcome.clean), (CloseCode::new(4000), true));

    // Many in flight, in the session's own task.
    async fn pipeline(mut socket: Socket) -> Result<()> {
        for number in 0..1000_u32 {
            socket.write(number.to_string()).await?;
            if number >= 64 {
                assert_eq!(socket.read().await?, Some((number - 64).to_string().into()));
            }
        }
        Ok(())
    }
    let outcome = client.run(format!("{base}/echo"), pipeline).await.unwrap();
    assert_eq!((outcome.code, outcome.clean), (CloseCode::NORMAL, true));

    let error = client.connect(format!("{base}/nowhere")).await.unwrap_err();
    assert_eq!(Rejected::of(&error).unwrap().status(), 404);
}
