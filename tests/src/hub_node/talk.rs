//! What a visitor says, and what it is answered.

use serde_json::{Value, json};
use wharf_hub::{Join, Position, Seat};
use wharf_sdk::{CloseFrame, Error, Result, Socket, WebSocketExt};

use super::{Visit, greet};

impl Visit {
    /// Lives a visit; `since` is what was asked for, the inner `None` what is no position.
    pub(super) async fn run(
        mut self,
        socket: &mut Socket,
        since: Option<Option<Position>>,
    ) -> Result<()> {
        let node = self.hub.node().to_string();
        // No history has this epoch.
        let nowhere = Position {
            epoch: 0,
            offset: 0,
        };
        let since = since.map(|since| since.unwrap_or(nowhere));
        let joining = self
            .join(socket)
            .since(since)
            .welcome(move |welcome| greet(welcome, &node));
        let mut seat = Some(joining.await?);
        while let Some(text) = socket.read_text().await? {
            let ask: Value = serde_json::from_str(&text).unwrap_or_default();
            if let Some(answer) = self.answer(&ask, &mut seat, socket).await? {
                socket.write(answer.to_string()).await?;
            }
        }
        Ok(())
    }

    fn join(&self, socket: &Socket) -> Join {
        self.room
            .join(socket)
            .with(json!({ "name": self.name }))
            .tell_gaps(true)
            .tell_presence(self.tells_presence)
    }

    async fn answer(
        &mut self,
        ask: &Value,
        seat: &mut Option<Seat>,
        socket: &Socket,
    ) -> Result<Option<Value>> {
        let id = ask.get("id");
        let is_asked = |key| ask.get(key) == Some(&Value::Bool(true));
        if let Some(value) = ask.get("publish") {
            return Ok(Some(self.publish(ask, value, seat.as_ref()).await));
        }
        if is_asked("members") {
            return Ok(Some(match self.room.members().await {
                Ok(members) => {
                    let members: Vec<_> = members
                        .iter()
                        .map(|member| {
                            json!({
                                "session": member.session.to_string(),
                                "name": member.metadata.get("name"),
                                "since": member.since_millis(),
                            })
                        })
                        .collect();
                    json!({ "members": members })
                }
                Err(error) => refuse(id, &error),
            }));
        }
        if let Some(name) = ask.get("rename").and_then(Value::as_str) {
            name.clone_into(&mut self.name);
            if let Some(seat) = seat
                && let Err(error) = seat.update(json!({ "name": name })).await
            {
                return Ok(Some(refuse(id, &error)));
            }
            return Ok(None);
        }
        if is_asked("leave") {
            *seat = None;
            return Ok(None);
        }
        if is_asked("join") {
            *seat = Some(self.join(socket).await?);
            return Ok(None);
        }
        if let Some(name) = ask.get("disconnect").and_then(Value::as_str) {
            let frame = CloseFrame::new(4000, "disconnected")?;
            return Ok(Some(match self.hub.disconnect(name, frame).await {
                // Other nodes do not say how many they had.
                Ok(closed) if !self.hub.capabilities().is_shared => {
                    json!({ "disconnected": closed })
                }
                Ok(_) => json!({ "disconnected": null }),
                Err(error) => refuse(id, &error),
            }));
        }
        let code = "HUB_NODE_UNKNOWN";
        Ok(Some(json!({ "error": { "id": id, "code": code } })))
    }

    async fn publish(&self, ask: &Value, value: &Value, seat: Option<&Seat>) -> Value {
        let id = ask.get("id");
        let mut publish = self.room.publish(value.to_string());
        if let (Some(Value::Bool(true)), Some(seat)) = (ask.get("except_me"), seat) {
            publish = publish.except(seat);
        }
        match publish.await {
            Ok(published) => {
                let mut fields = json!({ "id": id, "local": published.local });
                if let Some(position) = published.position {
                    fields["position"] = position.to_string().into();
                }
                json!({ "published": fields })
            }
            Err(error) => refuse(id, &error),
        }
    }
}

fn refuse(id: Option<&Value>, error: &Error) -> Value {
    json!({ "error": { "id": id, "code": error.code() } })
}
