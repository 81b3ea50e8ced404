//! One who watches, over a socket.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval},
};
#[cfg(feature = "hub")]
use wharf_hub::Hub;
use wharf_sdk::{AppHandle, Message, Principal, Result, Socket};

use crate::{
    action::{Acted, Action, Told},
    look::{EVERY, Look, Looks, View},
    tell::Tell,
};

/// How many events a watcher is sent between two looks; the others are counted.
const EVENTS_A_LOOK: usize = 100;

/// How long the sessions of a drained app have.
const DRAIN: Duration = Duration::from_secs(30);

/// What all watchers share.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) tell: Tell,
    pub(crate) looks: Arc<Looks>,
    pub(crate) actions: Arc<[Action]>,
    pub(crate) told: Option<Told>,
    #[cfg(feature = "hub")]
    pub(crate) hub: Option<Hub>,
}

/// What a page asks for.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wish {
    /// To see these sessions.
    View(View),
    /// To follow this one, or none.
    Follow(Option<String>),
    /// To do something.
    Act {
        action: Action,
        on: String,
        text: Option<String>,
    },
}

pub(crate) async fn run(
    watch: Watch,
    app: AppHandle,
    principal: Principal,
    mut socket: Socket,
) -> Result<()> {
    let _seat = watch.looks.sit_down();
    let mut events = watch.tell.listen();
    let mut clock = interval(EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut view = View::default();
    let mut followed: Option<String> = None;
    let mut room_for_events = EVENTS_A_LOOK;
    let mut missed = 0;
    let mut look = watch.looks.look(&app, watch.tell.counters());
    let hello = json!({
        "kind": "hello",
        "who": &*principal.id,
        "driver": socket.info().driver,
        "actions": &*watch.actions,
        "serial": look.serial,
        "history": watch.looks.history(),
    });
    socket.write(hello.to_string()).await?;
    loop {
        tokio::select! {
            message = socket.read() => {
                let Some(message) = message? else { return Ok(()) };
                let Some(wish) = wish(&message) else {
                    return socket.close(1007, "not a wish that the inspector knows").await;
                };
                match wish {
                    Wish::View(wanted) => view = wanted,
                    Wish::Follow(wanted) => followed = wanted,
                    Wish::Act { action, on, text } => {
                        let answer = watch.act(&app, &principal, action, &on, text).await;
                        socket.write(answer.to_string()).await?;
                        continue;
                    }
                }
                socket.write(watch.shown(&look, &view, followed.as_deref()).to_string()).await?;
            }
            _ = clock.tick() => {
                look = watch.looks.look(&app, watch.tell.counters());
                let mut shown = watch.shown(&look, &view, followed.as_deref());
                shown["missed"] = std::mem::take(&mut missed).into();
                room_for_events = EVENTS_A_LOOK;
                socket.write(shown.to_string()).await?;
            }
            event = events.recv() => match event {
                Ok(_) if room_for_events == 0 => missed += 1,
                Ok(event) => {
                    room_for_events -= 1;
                    socket.write(json!({ "kind": "event", "event": &*event }).to_string()).await?;
                }
                Err(RecvError::Lagged(events)) => missed += events,
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
}

fn wish(message: &Message) -> Option<Wish> {
    match message {
        Message::Text(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

impl Watch {
    fn shown(&self, look: &Look, view: &View, followed: Option<&str>) -> Value {
        #[cfg(feature = "hub")]
        let hub = self.hub.as_ref().map(|hub| json!(hub.stats()));
        #[cfg(not(feature = "hub"))]
        let hub = Value::Null;
        json!({
            "kind": "look",
            "serial": look.serial,
            "point": look.point,
            "sessions": look.show(view),
            "followed": followed.and_then(|id| look.row_of(id)),
            "hub": hub,
        })
    }

    /// Does what is allowed, and tells everybody who did it.
    async fn act(
        &self,
        app: &AppHandle,
        who: &Principal,
        action: Action,
        on: &str,
        text: Option<String>,
    ) -> Value {
        if !self.actions.contains(&action) {
            return json!({ "kind": "refused", "why": "the app does not allow this action" });
        }
        let text = text.unwrap_or_default();
        let done = match action {
            Action::CloseSession => self.close(app, on, &text),
            Action::DisconnectPrincipal => app.disconnect_principal(on, 1008, &text),
            Action::Drain => {
                let (app, sessions) = (app.clone(), app.connections());
                tokio::spawn(async move { app.shutdown(DRAIN).await });
                Ok(sessions)
            }
            Action::Publish => self.publish(on, text).await,
        };
        let sessions = match done {
            Ok(sessions) => sessions,
            Err(error) => return json!({ "kind": "refused", "why": error.message() }),
        };
        let acted = Acted {
            action,
            by: who.id.to_string(),
            on: on.to_owned(),
            sessions,
        };
        tracing::warn!(action = ?acted.action, by = acted.by, on = acted.on, "acted from the inspector");
        if let Some(told) = &self.told {
            told(&acted);
        }
        self.tell
            .event(|| json!({ "event": "acted", "acted": &acted }));
        json!({ "kind": "done", "acted": acted })
    }

    fn close(&self, app: &AppHandle, id: &str, reason: &str) -> Result<usize> {
        let look = self.looks.look(app, self.tell.counters());
        match look.find(id) {
            Some(session) => Ok(usize::from(app.disconnect(session.id(), 1008, reason)?)),
            None => Ok(0),
        }
    }

    #[cfg(feature = "hub")]
    async fn publish(&self, room: &str, text: String) -> Result<usize> {
        let Some(hub) = &self.hub else { return Ok(0) };
        hub.room(room)?.publish(text).await?;
        Ok(hub.stats().members)
    }

    #[cfg(not(feature = "hub"))]
    #[allow(clippy::unused_async, reason = "with a hub it waits")]
    async fn publish(&self, _: &str, _: String) -> Result<usize> {
        Ok(0)
    }
}
