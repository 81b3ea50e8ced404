//! One who watches, over a socket.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval},
};
use wharf_sdk::{AppHandle, Message, Principal, Result, Socket, observer::Intervention};

use crate::{
    action::Action,
    contents::Contents,
    follow::{self, Followed},
    look::{EVERY, Look, Looks},
    rooms::{self, Rooms, RoomsView, RoomsWatch},
    tell::Tell,
    view::View,
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
    pub(crate) contents: Option<Contents>,
    pub(crate) rooms: Rooms,
}

/// What a page asks for.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wish {
    /// To see these sessions.
    View(View),
    /// To follow this one, or none.
    Follow(Option<String>),
    /// To see these rooms.
    Rooms(RoomsView),
    /// To see who is in this one, or in none.
    Room(Option<String>),
    /// To do something.
    Act {
        action: Action,
        on: String,
        text: Option<String>,
    },
}

/// What one watcher wants to see.
#[derive(Default)]
struct Wanted {
    view: View,
    followed: Option<Followed>,
    rooms: RoomsWatch,
    /// The last second that was shown.
    until: u64,
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
    let mut follow_clock = interval(follow::EVERY);
    follow_clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wanted = Wanted::default();
    let mut room_for_events = EVENTS_A_LOOK;
    let mut missed = 0;
    let mut look = watch.look(&app);
    let hello = json!({
        "kind": "hello",
        "who": &*principal.id,
        "driver": socket.info().driver(),
        "actions": &*watch.actions,
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
                    Wish::View(view) => wanted.view = view,
                    Wish::Follow(id) => {
                        let contents = watch.contents.as_ref();
                        wanted.followed = id.and_then(|id| Followed::begin(&app, &id, contents));
                    }
                    Wish::Rooms(view) => wanted.rooms.set_view(view),
                    Wish::Room(room) => wanted.rooms.open(room),
                    Wish::Act { action, on, text } => {
                        let answer = watch.act(&app, &principal, action, &on, text).await;
                        socket.write(answer.to_string()).await?;
                        continue;
                    }
                }
                socket.write(watch.shown(&look, &mut wanted).to_string()).await?;
            }
            _ = clock.tick() => {
                look = watch.look(&app);
                let mut shown = watch.shown(&look, &mut wanted);
                shown["missed"] = std::mem::take(&mut missed).into();
                room_for_events = EVENTS_A_LOOK;
                socket.write(shown.to_string()).await?;
            }
            _ = follow_clock.tick(), if wanted.followed.is_some() => {
                let passed = wanted.followed.as_ref().and_then(Followed::passed);
                if let Some(passed) = passed {
                    socket.write(passed.to_string()).await?;
                }
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
    fn look(&self, app: &AppHandle) -> Arc<Look> {
        self.looks.look(app, self.tell.rates())
    }

    fn shown(&self, look: &Look, wanted: &mut Wanted) -> Value {
        let seconds = self.tell.rates().since(wanted.until);
        if let Some(last) = seconds.last() {
            wanted.until = last.at;
        }
        json!({
            "kind": "look",
            "seconds": seconds,
            "sessions": look.show(&wanted.view),
            "followed": wanted.followed.as_ref().and_then(|followed| followed.row(look)),
            "rooms": wanted.rooms.show(&self.rooms),
        })
    }

    /// Does what is allowed, and tells the app's observers who did it.
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
            Action::CloseSession => close(app, on, &text),
            Action::DisconnectPrincipal => app.disconnect_principal(on, 1008, &text),
            Action::Publish => rooms::publish(&self.rooms, on, text).await,
            Action::Drain => Ok(app.connections()),
        };
        let sessions = match done {
            Ok(sessions) => sessions,
            Err(error) => return json!({ "kind": "refused", "why": error.message() }),
        };
        let action_name = action.as_str();
        app.tell(&Intervention::new(action_name, &who.id, on, sessions));
        if action == Action::Drain {
            let app = app.clone();
            tokio::spawn(async move { app.shutdown(DRAIN).await });
        }
        json!({ "kind": "done", "action": action_name, "on": on, "sessions": sessions })
    }
}

fn close(app: &AppHandle, id: &str, reason: &str) -> Result<usize> {
    match id.parse() {
        Ok(id) => app.disconnect(id, 1008, reason).map(usize::from),
        Err(_) => Ok(0),
    }
}
