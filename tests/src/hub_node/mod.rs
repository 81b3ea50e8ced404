//! A hub as an app, the same on every driver and every bus: what outside tests of rooms run against.
//!
//! Its texts are an interface: see the tables of the contract.

mod talk;

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use wharf_hub::{Event, Hub, HubBuilder, Member, Room, RoomOptions, Welcome};
use wharf_sdk::{
    App, Configure, Context, Error, Message, Next, Path, Policy, Principal, Query, Response,
    Result, Route, Socket, State,
    http::{Method, StatusCode},
    response,
};

/// Who comes without a name.
const STRANGER: &str = "stranger";

/// How many messages a room with history keeps, and for how long: as asked for, or always in rooms
/// whose name begins with `h-`.
const KEPT_MESSAGES: usize = 100;
const KEPT_FOR: Duration = Duration::from_secs(60);
const KEPT_ALWAYS_FOR: Duration = Duration::from_secs(3600);

/// Sets a hub up as the app needs it.
///
/// # Errors
///
/// The bus lacks history or presence.
pub fn hub(builder: HubBuilder) -> Result<Hub> {
    let present = RoomOptions::new().with_presence();
    builder
        .rooms(present)
        .rooms_beginning_with("h-", present.with_history(KEPT_MESSAGES, KEPT_ALWAYS_FOR))
        .render(render)
        .build()
}

/// The app: rooms at `/rooms/{room}`, figures at `/stats`.
///
/// # Errors
///
/// None: the app is valid.
pub fn app(hub: Hub) -> Result<App> {
    app_with(hub, Policy::new())
}

/// The same with limits of its own.
///
/// # Errors
///
/// The limits contradict each other.
pub fn app_with(hub: Hub, policy: Policy) -> Result<App> {
    let figures = hub.clone();
    let stats = Route::new("/stats", no_socket).fallback(move |context: Context| {
        let figures = figures.clone();
        async move {
            if *context.method() != Method::GET {
                return response::text(StatusCode::METHOD_NOT_ALLOWED, "get it");
            }
            response::json(StatusCode::OK, &stats(&figures))
        }
    });
    App::builder()
        .state(hub)
        .policy(policy)
        .route(Route::new("/rooms/{room}", visit).middleware(name_principal))
        .route(stats)
        .build()
}

/// Whoever says a name is who has it.
async fn name_principal(mut context: Context, next: Next) -> Result<Response> {
    let query: HashMap<String, String> = context.query_as()?;
    let name = query.get("name").map_or(STRANGER, String::as_str);
    context.set_principal(Principal::new(name));
    Ok(next.run(context).await)
}

async fn no_socket(mut socket: Socket) -> Result<()> {
    socket.close(4000, "figures are had over HTTP").await
}

fn stats(hub: &Hub) -> Value {
    let stats = hub.stats();
    json!({
        "node": stats.node,
        "sessions": stats.sessions,
        "rooms": stats.rooms,
        "members": stats.members,
        "published": stats.published,
        "delivered": stats.delivered,
        "dropped": stats.dropped,
        "gaps": stats.gaps,
        "bus": {
            "connected": stats.bus.connected,
            "subscriptions": stats.bus.subscriptions,
            "foreign": stats.foreign,
        },
    })
}

/// What sockets are sent of what happens in a room.
fn render(event: &Event) -> Option<Message> {
    let value = match event {
        Event::Message(delivery) => {
            // What is published is JSON text already.
            let text = delivery.message.as_text()?;
            let position = delivery.position.map_or_else(String::new, |position| {
                format!(r#","position":"{position}""#)
            });
            return Some(Message::text(format!(r#"{{"message":{text}{position}}}"#)));
        }
        Event::Joined(member) => json!({ "joined": brief(member) }),
        Event::Left(member) => json!({ "left": brief(member) }),
        Event::Changed(member) => json!({ "renamed": brief(member) }),
        Event::Gap(gap) => json!({ "gap": { "messages": gap.messages } }),
        _ => return None,
    };
    Some(Message::text(value.to_string()))
}

fn brief(member: &Member) -> Value {
    json!({ "session": member.session.to_string(), "name": member.metadata.get("name") })
}

fn greet(welcome: &Welcome, node: &str) -> Message {
    let mut fields = json!({ "session": welcome.session.to_string(), "node": node });
    if let Some(resumed) = welcome.resumed {
        fields["resumed"] = resumed.into();
    }
    if let Some(position) = welcome.position {
        fields["position"] = position.to_string().into();
    }
    Message::text(json!({ "welcome": fields }).to_string())
}

/// Says that something was not done; the id is JSON, as it was sent.
fn refuse(id: Option<&str>, error: &Error) -> String {
    let (id, code) = (id.unwrap_or("null"), error.code());
    format!(r#"{{"error":{{"id":{id},"code":"{code}"}}}}"#)
}

async fn visit(
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    State(hub): State<Hub>,
    who: Arc<Principal>,
    mut socket: Socket,
) -> Result<()> {
    let is_on = |key| query.get(key).is_some_and(|value| value == "1");
    let options = if is_on("history") {
        RoomOptions::new().with_history(KEPT_MESSAGES, KEPT_FOR)
    } else {
        RoomOptions::new()
    };
    let room = match hub.room_with(name, options) {
        Ok(room) => room,
        Err(error) => {
            socket.write(refuse(None, &error)).await?;
            return socket.close(1008, "not a room's name").await;
        }
    };
    let visit = Visit {
        hub,
        room,
        name: who.id.to_string(),
        recent: query.get("recent").and_then(|count| count.parse().ok()),
        tells_presence: is_on("presence"),
    };
    // A position that is none was never told here, so nothing can be resumed from it.
    let since = query.get("since").map(|since| since.parse().ok());
    visit.run(&mut socket, since).await
}

/// What a visitor asked for when it came.
struct Visit {
    hub: Hub,
    room: Room,
    name: String,
    /// How many of the latest messages.
    recent: Option<usize>,
    tells_presence: bool,
}
