//! What a visitor says, and what it is answered.

use std::collections::HashMap;

use serde_json::{json, value::RawValue};
use wharf_hub::{Join, Position, Seat};
use wharf_sdk::{CloseFrame, Result, Socket, WebSocketExt};

use super::{Visit, greet, refuse};

/// What a visitor says: values as they were written, so that what is published is not touched.
type Ask = HashMap<String, Box<RawValue>>;

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
            .recent(self.recent.unwrap_or_default())
            .welcome(move |welcome| greet(welcome, &node));
        let mut seat = match joining.await {
            Ok(seat) => Some(seat),
            Err(error) => {
                socket.write(refuse(None, &error)).await?;
                return socket.close(1008, "there is no seat").await;
            }
        };
        while let Some(text) = socket.read_text().await? {
            let ask: Ask = serde_json::from_str(&text).unwrap_or_default();
            let id = ask.get("id").map(|id| id.get());
            let answer = self.answer(&ask, id, &mut seat, socket).await;
            if let Some(answer) = answer.unwrap_or_else(|error| Some(refuse(id, &error))) {
                socket.write(answer).await?;
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
        ask: &Ask,
        id: Option<&str>,
        seat: &mut Option<Seat>,
        socket: &Socket,
    ) -> Result<Option<String>> {
        let is_asked = |key| ask.get(key).is_some_and(|value| value.get() == "true");
        let text = |key| -> Option<String> { serde_json::from_str(ask.get(key)?.get()).ok() };
        if let Some(value) = ask.get("publish") {
            let except = seat.as_ref().filter(|_| is_asked("except_me"));
            return self.publish(value.get(), id, except).await.map(Some);
        }
        if is_asked("members") {
            return self.members().await.map(Some);
        }
        if let Some(name) = text("rename") {
            if let Some(seat) = seat {
                seat.update(json!({ "name": name })).await?;
            }
            self.name = name;
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
        if let Some(name) = text("disconnect") {
            let frame = CloseFrame::new(4000, "disconnected")?;
            let closed = self.hub.disconnect(&name, frame).await?;
            // Other nodes do not say how many they had.
            let closed = (!self.hub.capabilities().is_shared).then_some(closed);
            return Ok(Some(json!({ "disconnected": closed }).to_string()));
        }
        let (id, code) = (id.unwrap_or("null"), "HUB_NODE_UNKNOWN");
        Ok(Some(format!(
            r#"{{"error":{{"id":{id},"code":"{code}"}}}}"#
        )))
    }

    async fn publish(
        &self,
        value: &str,
        id: Option<&str>,
        except: Option<&Seat>,
    ) -> Result<String> {
        let mut publish = self.room.publish(value);
        if let Some(seat) = except {
            publish = publish.except(seat);
        }
        let published = publish.await?;
        let position = published.position.map_or_else(String::new, |position| {
            format!(r#","position":"{position}""#)
        });
        let (id, local) = (id.unwrap_or("null"), published.local);
        Ok(format!(
            r#"{{"published":{{"id":{id},"local":{local}{position}}}}}"#
        ))
    }

    async fn members(&self) -> Result<String> {
        let members = self.room.members().await?;
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
        Ok(json!({ "members": members }).to_string())
    }
}
