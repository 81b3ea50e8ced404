//! The answer to the handshake, line by line: what is right in an odd way is taken, and each lie is a
//! typed error.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wharf_client::{Client, Timeouts};
use wharf_sdk::{Compression, Configure, Result, Socket};

use crate::servers::{accepting, head, serve};

/// What is answered to a request's head.
type Answer = fn(&str) -> String;

/// How an answer comes.
#[derive(Clone, Copy)]
enum Pace {
    AtOnce,
    /// A byte, and a turn for others.
    ByteByByte,
}

async fn send(stream: &mut TcpStream, bytes: &[u8], pace: Pace) {
    let _ = stream.set_nodelay(true);
    let pieces = match pace {
        Pace::AtOnce => bytes.chunks(bytes.len().max(1)),
        Pace::ByteByByte => bytes.chunks(1),
    };
    for piece in pieces {
        if stream.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Offers subprotocols and compression, so that there is something to lie about.
async fn connect(answer: Answer, pace: Pace) -> Result<Socket> {
    let address = serve(move |mut stream| async move {
        let head = head(&mut stream).await;
        send(&mut stream, answer(&head).as_bytes(), pace).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let timeouts = Timeouts {
        handshake: Duration::from_secs(5),
        ..Timeouts::default()
    };
    Client::builder()
        .timeouts(timeouts)
        .offer(["chat", "news"])
        .compression(Compression::new())
        .connect(format!("ws://{address}/"))
        .await
}

/// The right answer, with one thing replaced that must be in it.
fn but(head: &str, this: &str, that: &str) -> String {
    let right = accepting(head, "");
    assert!(right.contains(this), "{this:?} is not in it");
    right.replace(this, that)
}

fn accept_of(head: &str) -> String {
    let right = accepting(head, "");
    let (_, behind) = right.split_once("Accept: ").unwrap();
    behind.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn odd_but_right_answers_are_taken() {
    let answers: &[(&str, Answer)] = &[
        ("as it is", |head| accepting(head, "")),
        ("names and values in another case", |head| {
            but(head, "Upgrade: websocket", "uPGRADE:WebSocket")
                .replace("Sec-WebSocket-Accept", "sec-websocket-accept")
        }),
        ("Connection as a list", |head| {
            but(
                head,
                "Connection: Upgrade",
                "Connection: keep-alive, UPGRADE",
            )
        }),
        ("Connection in two lines", |head| {
            but(
                head,
                "Connection: Upgrade",
                "Connection: keep-alive\r\nConnection: upgrade",
            )
        }),
        ("white space around values", |head| {
            but(head, "Upgrade: websocket", "Upgrade: \t websocket \t")
        }),
        ("an empty reason", |head| {
            but(head, "Switching Protocols", "")
        }),
        ("no reason at all", |head| {
            but(head, " Switching Protocols", "")
        }),
        ("headers that mean nothing here", |head| {
            accepting(
                head,
                "Content-Length: 5\r\nServer: x\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n",
            )
        }),
        ("interim answers before it", |head| {
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{}",
                accepting(head, "")
            )
        }),
        ("a subprotocol that was offered", |head| {
            accepting(head, "Sec-WebSocket-Protocol: news\r\n")
        }),
        ("compression as it was offered", |head| {
            accepting(
                head,
                "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                 client_no_context_takeover\r\n",
            )
        }),
    ];
    for (name, answer) in answers {
        for pace in [Pace::AtOnce, Pace::ByteByByte] {
            let socket = connect(*answer, pace).await;
            assert!(socket.is_ok(), "{name}: {socket:?}");
        }
    }
}

#[tokio::test]
async fn frames_right_behind_the_answer_are_read() {
    for pace in [Pace::AtOnce, Pace::ByteByByte] {
        let address = serve(move |mut stream| async move {
            let head = head(&mut stream).await;
            let mut bytes = accepting(&head, "").into_bytes();
            bytes.extend(b"\x81\x05hello\x88\x02\x03\xe8");
            send(&mut stream, &bytes, pace).await;
            let _ = stream.read_exact(&mut [0; 8]).await;
        })
        .await;
        let mut socket = wharf_client::connect(format!("ws://{address}/"))
            .await
            .unwrap();
        assert_eq!(socket.read().await.unwrap(), Some("hello".into()));
        assert_eq!(socket.read().await.unwrap(), None);
        socket.closed().await;
        assert!(socket.outcome().unwrap().clean);
    }
}

#[tokio::test]
async fn each_lie_is_a_typed_error() {
    let lies: &[(&str, Answer)] = &[
        // The status line.
        ("another protocol", |_| "SSH-2.0-OpenSSH_9.2\r\n\r\n".into()),
        ("nothing", |_| String::new()),
        ("half a status line", |_| "HTTP/1.1 101".into()),
        ("half a head", |head| accepting(head, "").trim_end().into()),
        ("HTTP/1.0", |head| but(head, "HTTP/1.1", "HTTP/1.0")),
        ("HTTP/2", |head| but(head, "HTTP/1.1", "HTTP/2")),
        ("a status of two digits", |head| but(head, "101", "10")),
        ("a status of four digits", |head| but(head, "101", "1010")),
        ("a status of letters", |head| but(head, "101", "1o1")),
        // Upgrade.
        ("no Upgrade", |head| but(head, "Upgrade: websocket\r\n", "")),
        ("an empty Upgrade", |head| {
            but(head, "Upgrade: websocket", "Upgrade:")
        }),
        ("another Upgrade", |head| {
            but(head, "Upgrade: websocket", "Upgrade: h2c")
        }),
        ("two in one Upgrade", |head| {
            but(head, "Upgrade: websocket", "Upgrade: websocket, h2c")
        }),
        ("Upgrade twice", |head| {
            accepting(head, "Upgrade: websocket\r\n")
        }),
        ("two Upgrades", |head| accepting(head, "Upgrade: h2c\r\n")),
        // Connection.
        ("no Connection", |head| {
            but(head, "Connection: Upgrade\r\n", "")
        }),
        ("another Connection", |head| {
            but(head, "Connection: Upgrade", "Connection: close")
        }),
        ("a Connection that is only like it", |head| {
            but(head, "Connection: Upgrade", "Connection: Upgraded")
        }),
        // Sec-WebSocket-Accept.
        ("no accept", |head| {
            but(
                head,
                &format!("Sec-WebSocket-Accept: {}\r\n", accept_of(head)),
                "",
            )
        }),
        ("an empty accept", |head| but(head, &accept_of(head), "")),
        ("another accept", |_| accepting("", "")),
        ("an accept in small letters", |head| {
            let accept = accept_of(head);
            but(head, &accept, &accept.to_lowercase())
        }),
        ("an accept that goes on", |head| {
            let accept = accept_of(head);
            but(head, &accept, &format!("{accept}="))
        }),
        ("the key itself", |head| {
            let key = crate::servers::value(head, "sec-websocket-key");
            but(head, &accept_of(head), key)
        }),
        ("accept twice", |head| {
            accepting(
                head,
                &format!("Sec-WebSocket-Accept: {}\r\n", accept_of(head)),
            )
        }),
        // Sec-WebSocket-Protocol.
        ("a subprotocol that was not offered", |head| {
            accepting(head, "Sec-WebSocket-Protocol: other\r\n")
        }),
        ("one in another case", |head| {
            accepting(head, "Sec-WebSocket-Protocol: Chat\r\n")
        }),
        ("both", |head| {
            accepting(head, "Sec-WebSocket-Protocol: chat, news\r\n")
        }),
        ("both, in two lines", |head| {
            accepting(
                head,
                "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: news\r\n",
            )
        }),
        ("an empty one", |head| {
            accepting(head, "Sec-WebSocket-Protocol:\r\n")
        }),
        // Sec-WebSocket-Extensions.
        ("an extension that was not offered", |head| {
            accepting(head, "Sec-WebSocket-Extensions: x-other\r\n")
        }),
        ("an empty one", |head| {
            accepting(head, "Sec-WebSocket-Extensions:\r\n")
        }),
        ("compression twice", |head| {
            accepting(
                head,
                "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n",
            )
        }),
        ("a parameter that nobody knows", |head| {
            accepting(
                head,
                "Sec-WebSocket-Extensions: permessage-deflate; x=1\r\n",
            )
        }),
        ("a window out of range, small (CVE-2026-2229)", |head| {
            accepting(
                head,
                "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n",
            )
        }),
        ("a window out of range, large (CVE-2026-2229)", |head| {
            accepting(
                head,
                "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=1000\r\n",
            )
        }),
        // The other lines.
        ("a line without a colon", |head| {
            accepting(head, "nonsense\r\n")
        }),
        ("a line that goes on", |head| {
            accepting(head, "A: b\r\n c\r\n")
        }),
        ("a line with a control character", |head| {
            accepting(head, "A: b\u{1}\r\n")
        }),
        ("a name with a space", |head| accepting(head, "A b: c\r\n")),
        ("no name", |head| accepting(head, ": c\r\n")),
        ("more lines than anyone needs", |head| {
            accepting(head, &"A: b\r\n".repeat(200))
        }),
        ("a line without an end", |head| {
            accepting(head, &format!("A: {}\r\n", "b".repeat(1_000_000)))
        }),
        ("lines without an end", |head| {
            accepting(head, &"A: b\r\n".repeat(100_000))
        }),
        ("interim answers without an end", |_| {
            "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(10_000)
        }),
    ];
    for (name, lie) in lies {
        let error = connect(*lie, Pace::AtOnce).await.unwrap_err();
        assert_eq!(error.code(), "WHARF_CLIENT_ANSWER", "{name}: {error:?}");
        assert!(
            error.message().contains(';') || error.message().contains(':'),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn other_statuses_are_refusals() {
    let answers: &[(u16, Answer)] = &[
        (200, |_| {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".into()
        }),
        (302, |_| {
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".into()
        }),
        (426, |head| {
            but(head, "101 Switching Protocols", "426 Upgrade Required")
        }),
        (999, |_| "HTTP/1.1 999 Odd\r\n\r\n".into()),
    ];
    for (status, answer) in answers {
        for pace in [Pace::AtOnce, Pace::ByteByByte] {
            let error = connect(*answer, pace).await.unwrap_err();
            assert_eq!(error.code(), "WHARF_CLIENT_REJECTED", "{error:?}");
            assert_eq!(error.status().as_u16(), *status);
        }
    }
}

/// A head that drips, and interim answers that never come to the point, end with the deadline.
#[tokio::test]
async fn a_head_without_an_end_has_a_deadline() {
    for drip in ["a", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let address = serve(move |mut stream| async move {
            head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
            if drip == "a" {
                let _ = stream
                    .write_all(b"HTTP/1.1 101 Switching Protocols\r\nA: ")
                    .await;
            }
            while stream.write_all(drip.as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let timeouts = Timeouts {
            handshake: Duration::from_millis(200),
            ..Timeouts::default()
        };
        let client = Client::builder().timeouts(timeouts).build().unwrap();
        let error = client
            .connect(format!("ws://{address}/"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "WHARF_HANDSHAKE_TIMEOUT");
    }
}
