//! Where a server may lead, and what goes along.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf_client::{Client, Request};
use wharf_sdk::{Configure, Subprotocols, WebSocketExt};

use crate::servers::{accepting, answering, head, serve, value};

/// Says over the socket which credential came along.
async fn tell_credential() -> std::net::SocketAddr {
    serve(|mut stream| async move {
        let head = head(&mut stream).await;
        if head.starts_with("GET /away") {
            let there = "HTTP/1.1 307 There\r\nLocation: /here\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(there.as_bytes()).await.unwrap();
            return;
        }
        let told = format!(
            "{}|{}|{}|{}",
            value(&head, "authorization"),
            value(&head, "x-key"),
            value(&head, "cookie"),
            value(&head, "sec-websocket-protocol"),
        );
        stream
            .write_all(accepting(&head, "").as_bytes())
            .await
            .unwrap();
        stream.write_all(&[0x81, told.len() as u8]).await.unwrap();
        stream.write_all(told.as_bytes()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

fn leading_to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

async fn follow(url: String, most: u8) -> wharf_sdk::Result<String> {
    let mut socket = Client::builder()
        .redirects(most)
        .header("x-key", "secret")
        .offer(["chat", "bearer.secret"])
        .connect(Request::to(url).cookie("session", "secret")?)
        .await?;
    Ok(socket.read_text().await?.unwrap().to_string())
}

#[tokio::test]
async fn redirects_are_followed_where_asked_for() {
    let server = tell_credential().await;
    let here = follow(format!("ws://user:pass@{server}/away"), 1)
        .await
        .unwrap();
    assert_eq!(
        here,
        "Basic dXNlcjpwYXNz|secret|session=secret|chat, bearer.secret"
    );
    let error = follow(format!("ws://{server}/away"), 0).await.unwrap_err();
    assert_eq!(
        (error.code(), error.status().as_u16()),
        ("WHARF_CLIENT_REJECTED", 307)
    );
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let server = tell_credential().await;
    let elsewhere = answering(leading_to(&format!("http://{server}/"))).await;
    let told = follow(format!("ws://user:pass@{elsewhere}/"), 3)
        .await
        .unwrap();
    assert_eq!(told, "|||");
}

#[tokio::test]
async fn a_required_subprotocol_does_not_leave_its_origin() {
    let server = tell_credential().await;
    let elsewhere = answering(leading_to(&format!("http://{server}/"))).await;
    let required = Client::builder()
        .redirects(1)
        .subprotocols(Subprotocols::required(["chat", "bearer.secret"]));
    let error = required
        .connect(format!("ws://{elsewhere}/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "WHARF_CLIENT_REDIRECT");
}

#[tokio::test]
async fn circles_and_nonsense_end() {
    let circle = answering(leading_to("/again")).await;
    let error = follow(format!("ws://{circle}/"), 5).await.unwrap_err();
    assert_eq!(error.code(), "WHARF_CLIENT_REJECTED");
    for location in ["ftp://elsewhere/", "ws://", "/a#b"] {
        let address = answering(leading_to(location)).await;
        let error = follow(format!("ws://{address}/"), 5).await.unwrap_err();
        assert_eq!(error.code(), "WHARF_CLIENT_REDIRECT", "{location}");
    }
}
