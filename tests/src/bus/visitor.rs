//! A client of the app's rooms.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite};
use wharf_sdk::{Message, testing::TestSocket};

use super::PATIENCE;

/// A client of a room, in memory or over the network.
#[derive(Debug)]
pub struct Visitor {
    line: Line,
    /// What the node said first.
    pub welcome: Value,
}

#[derive(Debug)]
enum Line {
    Memory(Box<TestSocket>),
    Net(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
}

impl Visitor {
    pub(super) fn in_memory(socket: TestSocket) -> Self {
        Self {
            line: Line::Memory(Box::new(socket)),
            welcome: Value::Null,
        }
    }

    /// Visits a room of a node that listens at an address; takes the welcome.
    ///
    /// # Panics
    ///
    /// If the node does not let it in.
    pub async fn at(address: &str, room: &str) -> Self {
        let mut visitor = Self::knock_at(address, room).await;
        visitor.take_welcome().await;
        visitor
    }

    /// The same, and takes nothing.
    ///
    /// # Panics
    ///
    /// If the node does not accept a socket.
    pub async fn knock_at(address: &str, room: &str) -> Self {
        let url = format!("ws://{address}/rooms/{room}");
        let (socket, _) = tokio_tungstenite::connect_async(url)
            .await
            .expect("the node lets a visitor in");
        Self {
            line: Line::Net(Box::new(socket)),
            welcome: Value::Null,
        }
    }

    pub(super) async fn take_welcome(&mut self) {
        let mut first = self.next().await;
        self.welcome = first["welcome"].take();
        assert!(self.welcome.is_object(), "the welcome comes first");
    }

    /// Its session, as all nodes know it.
    pub fn session(&self) -> &str {
        self.welcome["session"].as_str().expect("a session")
    }

    /// Says something.
    ///
    /// # Panics
    ///
    /// If it cannot be sent.
    pub async fn say(&mut self, ask: &Value) {
        self.say_text(&ask.to_string()).await;
    }

    /// Says something that may be no JSON.
    ///
    /// # Panics
    ///
    /// If it cannot be sent.
    pub async fn say_text(&mut self, text: &str) {
        match &mut self.line {
            Line::Memory(socket) => socket.send_text(text).await,
            Line::Net(socket) => socket
                .send(tungstenite::Message::text(text))
                .await
                .expect("the node takes it"),
        }
    }

    /// Publishes a value, and returns the answer.
    pub async fn publish(&mut self, value: impl Into<Value>) -> Value {
        let value: Value = value.into();
        self.say(&json!({ "publish": value, "except_me": true, "id": 1 }))
            .await;
        self.until(|text| text.get("published").is_some() || text.get("error").is_some())
            .await
    }

    /// The next text as JSON; `null` once the node has closed.
    ///
    /// # Panics
    ///
    /// If nothing comes for long.
    pub async fn next(&mut self) -> Value {
        let text = self.next_text().await;
        text.map_or(Value::Null, |text| {
            serde_json::from_str(&text).expect("the node speaks JSON")
        })
    }

    /// The next text, as it came; `None` once the node has closed.
    ///
    /// # Panics
    ///
    /// If nothing comes for long.
    pub async fn next_text(&mut self) -> Option<String> {
        match &mut self.line {
            Line::Memory(socket) => match timeout(PATIENCE, socket.next_message()).await {
                Ok(Some(Message::Text(text))) => Some(text.to_string()),
                Ok(_) => None,
                Err(_) => panic!("nothing for {PATIENCE:?}"),
            },
            Line::Net(socket) => loop {
                match timeout(PATIENCE, socket.next()).await {
                    Ok(Some(Ok(tungstenite::Message::Text(text)))) => break Some(text.to_string()),
                    Ok(Some(Ok(tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_)))) => {
                    }
                    Ok(_) => break None,
                    Err(_) => panic!("nothing for {PATIENCE:?}"),
                }
            },
        }
    }

    /// Expects this next.
    ///
    /// # Panics
    ///
    /// If something else comes.
    pub async fn expect(&mut self, expected: &Value) {
        let came = self.next().await;
        assert_eq!(came, *expected, "something else came");
    }

    /// Passes over what comes until something fits.
    ///
    /// # Panics
    ///
    /// If the node closes before.
    pub async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let text = self.next().await;
            assert!(!text.is_null(), "the node closed");
            if fits(&text) {
                return text;
            }
        }
    }

    /// Expects nothing for so long.
    ///
    /// # Panics
    ///
    /// If something comes.
    pub async fn expect_silence(&mut self, duration: Duration) {
        if let Ok(came) = timeout(duration, self.next()).await {
            panic!("{came} came");
        }
    }

    /// The names of who is there, sorted: some may have come in the same millisecond.
    ///
    /// # Panics
    ///
    /// If the answer is none.
    pub async fn members(&mut self) -> Vec<String> {
        self.say(&json!({ "members": true })).await;
        let answer = self.until(|text| text.get("members").is_some()).await;
        let members = answer["members"].as_array().expect("a list");
        let mut names: Vec<_> = members
            .iter()
            .map(|member| member["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort_unstable();
        names
    }
}
