//! tokio-tungstenite as a client, as its users call it, against both drivers.
#![cfg(all(feature = "axum", feature = "actix"))]

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, Response, StatusCode},
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use wharf_conformance::{TcpServer, client::PATIENCE, fixture};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The fixture on one driver.
struct Site(TcpServer);

impl Site {
    async fn on_axum() -> Self {
        let app = fixture::app(None).expect("valid").app;
        let start = async move || {
            let server = wharf_axum::bind(app, "127.0.0.1:0").await.expect("a port");
            (server.local_addr(), server.run())
        };
        Self(TcpServer::start(start).await)
    }

    async fn on_actix() -> Self {
        let app = fixture::app(None).expect("valid").app;
        let start = async move || {
            let server = wharf_actix::bind(app, "127.0.0.1:0").await.expect("a port");
            (server.local_addr(), server.run())
        };
        Self(TcpServer::start(start).await)
    }

    fn url(&self, path: &str) -> String {
        let address: SocketAddr = self.0.address();
        format!("ws://{address}{path}")
    }

    async fn open(&self, path: &str) -> Client {
        connect_async(self.url(path)).await.expect("a socket").0
    }

    async fn open_speaking(
        &self,
        path: &str,
        protocols: &'static str,
    ) -> Result<(Client, Response<Option<Vec<u8>>>), Error> {
        let mut request = self.url(path).into_client_request().expect("a request");
        request.headers_mut().insert(
            "sec-websocket-protocol",
            HeaderValue::from_static(protocols),
        );
        connect_async(request).await
    }
}

async fn in_time(test: impl Future<Output = ()>) {
    timeout(PATIENCE, test).await.expect("an end in time");
}

async fn next(client: &mut Client) -> Message {
    client.next().await.expect("a message").expect("valid")
}

async fn expect_close(client: &mut Client, code: u16) -> String {
    match next(client).await {
        Message::Close(Some(frame)) if u16::from(frame.code) == code => frame.reason.to_string(),
        other => panic!("expected a close with {code}, got {other:?}"),
    }
}

async fn expect_end(client: &mut Client) {
    if let Some(more) = client.next().await {
        panic!("expected the end of the connection, got {more:?}");
    }
}

async fn echoes_text_and_binary(site: Site) {
    let mut client = site.open("/echo").await;
    for message in [
        Message::text("héllo \u{10FFFF}"),
        Message::text(""),
        Message::binary(vec![0, 159, 255]),
        Message::binary(vec![7; 70_000]),
    ] {
        client.send(message.clone()).await.expect("sent");
        assert_eq!(next(&mut client).await, message);
    }
}

async fn echoes_a_mebibyte(site: Site) {
    let mut client = site.open("/echo").await;
    let text = Message::text("x".repeat(1024 * 1024));
    let bytes = Message::binary(vec![0xA5; 1024 * 1024]);
    for message in [text, bytes] {
        client.send(message.clone()).await.expect("sent");
        assert_eq!(next(&mut client).await, message);
    }
}

async fn joins_fragments_around_a_ping(site: Site) {
    let mut client = site.open("/echo").await;
    let pieces = [
        (Data::Text, "sm\u{f6}", false),
        (Data::Continue, "rg\u{e5}s", false),
        (Data::Continue, "bord", true),
    ];
    for (index, (opcode, piece, is_last)) in pieces.into_iter().enumerate() {
        if index == 1 {
            client
                .send(Message::Ping("between".into()))
                .await
                .expect("sent");
        }
        let frame = Frame::message(piece, OpCode::Data(opcode), is_last);
        client.send(Message::Frame(frame)).await.expect("sent");
    }
    assert_eq!(next(&mut client).await, Message::Pong("between".into()));
    assert_eq!(
        next(&mut client).await,
        Message::text("sm\u{f6}rg\u{e5}sbord")
    );
}

async fn answers_pings(site: Site) {
    let mut client = site.open("/echo").await;
    for payload in ["", "hello"] {
        client
            .send(Message::Ping(payload.into()))
            .await
            .expect("sent");
        assert_eq!(next(&mut client).await, Message::Pong(payload.into()));
    }
}

/// The library fails connections whose server selects what was not offered, or nothing.
async fn selects_a_subprotocol(site: Site) {
    let (mut client, response) = site
        .open_speaking("/protocols", "other, chat.v1, chat.v2")
        .await
        .expect("a socket");
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v2");
    assert_eq!(next(&mut client).await, Message::text("chat.v2"));
    let refused = site.open_speaking("/protocols-required", "other").await;
    match refused.expect_err("nothing in common") {
        Error::Http(response) => assert_eq!(response.status(), StatusCode::BAD_REQUEST),
        other => panic!("expected a 400, got {other}"),
    }
}

async fn answers_the_clients_close(site: Site) {
    let mut client = site.open("/echo").await;
    client.send(Message::text("last")).await.expect("sent");
    let frame = CloseFrame {
        code: CloseCode::Library(4000),
        reason: "done".into(),
    };
    client.close(Some(frame)).await.expect("sent");
    assert_eq!(next(&mut client).await, Message::text("last"));
    expect_close(&mut client, 4000).await;
    expect_end(&mut client).await;
}

async fn closes_first(site: Site) {
    let mut client = site.open("/close/4001").await;
    assert_eq!(expect_close(&mut client, 4001).await, "bye");
    expect_end(&mut client).await;
}

async fn refuses_what_is_over_the_limit(site: Site) {
    let mut client = site.open("/limit").await;
    let fits = Message::binary(vec![1; 1024]);
    client.send(fits.clone()).await.expect("sent");
    assert_eq!(next(&mut client).await, fits);
    // Much more than fits: the close must not be lost to a reset.
    client
        .send(Message::binary(vec![1; 200_000]))
        .await
        .expect("sent");
    expect_close(&mut client, 1009).await;
    expect_end(&mut client).await;
}

macro_rules! on_both_drivers {
    ($($name:ident)*) => {
        mod axum {
            $(
                #[tokio::test]
                async fn $name() {
                    super::in_time(super::$name(super::Site::on_axum().await)).await;
                }
            )*
        }

        mod actix {
            $(
                #[tokio::test]
                async fn $name() {
                    super::in_time(super::$name(super::Site::on_actix().await)).await;
                }
            )*
        }
    };
}

on_both_drivers! {
    echoes_text_and_binary
    echoes_a_mebibyte
    joins_fragments_around_a_ping
    answers_pings
    selects_a_subprotocol
    answers_the_clients_close
    closes_first
    refuses_what_is_over_the_limit
}
