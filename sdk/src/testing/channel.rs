//! What a test says to a [`Channel`](crate::Channel), and what it expects of one.

use serde::Serialize;
use serde_json::{Value, json};

use super::client::TestSocket;

/// In the default envelope.
impl TestSocket {
    /// Sends an event and waits for its reply: the data, or the error.
    ///
    /// # Errors
    ///
    /// The reply's error, an object with `code` and `message`.
    ///
    /// # Panics
    ///
    /// If no reply comes.
    pub async fn call(&mut self, event: &str, data: impl Serialize) -> Result<Value, Value> {
        self.events.last_id += 1;
        let id = format!("test-{}", self.events.last_id);
        self.send_value(&json!({ "event": event, "data": data, "id": id }))
            .await;
        let mut reply = self.take(|text| text["reply"] == id.as_str()).await;
        match reply.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(reply["data"].take()),
        }
    }

    /// Sends an event that wants no reply.
    pub async fn emit(&mut self, event: &str, data: impl Serialize) {
        self.send_value(&json!({ "event": event, "data": data }))
            .await;
    }

    /// Waits for an event of the server; its data.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub async fn expect_event(&mut self, event: &str) -> Value {
        let mut came = self.take(|text| text["event"] == event).await;
        came["data"].take()
    }

    /// Waits for a request of the server; its data, and what to answer it with.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub async fn expect_request(&mut self, event: &str) -> (Value, RequestId) {
        let is_request = |text: &Value| text["event"] == event && !text["id"].is_null();
        let mut came = self.take(is_request).await;
        (came["data"].take(), RequestId(came["id"].take()))
    }

    /// Answers a request of the server.
    pub async fn answer(&mut self, request: RequestId, data: impl Serialize) {
        self.send_value(&json!({ "reply": request.0, "data": data }))
            .await;
    }

    async fn send_value(&mut self, value: &Value) {
        self.send_text(&value.to_string()).await;
    }

    /// The first text that is wanted; the others stay for later.
    async fn take(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.events.set_aside.iter().position(&is_wanted) {
            return self.events.set_aside.remove(at).unwrap_or_default();
        }
        loop {
            let came: Value = self.expect_json().await;
            if is_wanted(&came) {
                return came;
            }
            self.events.set_aside.push_back(came);
        }
    }
}

/// A request of the server that waits for an answer.
#[derive(Debug)]
pub struct RequestId(Value);
