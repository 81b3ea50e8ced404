//! A small app over a hub: what is sent is published, what is asked for is in the query.

use std::{ops::Deref, time::Duration};

use serde::Deserialize;
use wharf_hub::{Event, Hub, HubBuilder, RoomOptions};
use wharf_sdk::{
    App, Configure, Message, Path, Principal, Query, Result, Route, Socket, State, WebSocketExt,
    testing::{TestHost, TestSocket},
};

#[derive(Deserialize)]
pub(crate) struct Asks {
    #[serde(default)]
    gaps: bool,
    #[serde(default)]
    presence: bool,
    #[serde(default)]
    recent: usize,
    #[serde(default)]
    since: Option<String>,
}

/// `h-` rooms keep the last 5 messages; `p-` rooms know who is there.
pub(crate) fn settings(builder: HubBuilder) -> HubBuilder {
    builder
        .rooms_beginning_with(
            "h-",
            RoomOptions::new().with_history(5, Duration::from_secs(60)),
        )
        .rooms_beginning_with("p-", RoomOptions::new().with_presence())
        .render(|event| match event {
            Event::Message(delivery) => {
                let text = delivery.message.as_text().unwrap_or_default();
                Some(Message::text(match delivery.position {
                    Some(position) => format!("{position} {text}"),
                    None => text.to_owned(),
                }))
            }
            Event::Joined(member) => Some(Message::text(format!("+{}", member.metadata))),
            Event::Left(member) => Some(Message::text(format!("-{}", member.metadata))),
            Event::Gap(gap) => Some(Message::text(format!("gap {:?}", gap.messages))),
            other => other.to_message(),
        })
}

async fn handler(
    Path(name): Path<String>,
    Query(asks): Query<Asks>,
    State(hub): State<Hub>,
    who: Option<Principal>,
    mut socket: Socket,
) -> Result<()> {
    let room = hub.room(name)?;
    let since = asks.since.as_deref().map(str::parse).transpose()?;
    let seat = room
        .join(&socket)
        .with(who.map_or_else(String::new, |who| who.id.to_string()))
        .tell_gaps(asks.gaps)
        .tell_presence(asks.presence)
        .since(since)
        .recent(asks.recent)
        .welcome(|welcome| {
            let position = welcome.position.map(|position| position.to_string());
            Message::text(format!(
                "welcome {:?} {}",
                welcome.resumed,
                position.unwrap_or_default()
            ))
        })
        .await?;
    while let Some(line) = socket.read_text().await? {
        match &*line {
            "who" => {
                let members = room.members().await?;
                let mut names: Vec<_> = members
                    .iter()
                    .map(|member| member.metadata.as_str().unwrap_or_default())
                    .collect();
                // They may have come in the same millisecond.
                names.sort_unstable();
                socket.write(format!("who {}", names.join(","))).await?;
            }
            _ => match room.publish(line).except(&seat).await {
                Ok(published) => socket.write(format!("told {}", published.local)).await?,
                Err(error) => socket.write(error.code().to_owned()).await?,
            },
        }
    }
    Ok(())
}

pub(crate) struct Node {
    pub(crate) hub: Hub,
    host: TestHost,
}

impl Node {
    pub(crate) fn new(builder: HubBuilder) -> Self {
        let hub = settings(builder).build().expect("a valid hub");
        let app = App::builder()
            .state(hub.clone())
            // Clients here do not read while they wait for others.
            .no_heartbeat()
            .middleware(wharf_sdk::middleware::bearer(async |token: String| {
                Ok(Some(Principal::new(token)))
            }))
            .route(Route::new("/{name}", handler))
            .build()
            .expect("a valid app");
        Self {
            hub,
            host: TestHost::new(app),
        }
    }

    pub(crate) async fn join(&self, who: &str, path: &str) -> (TestSocket, String) {
        let mut socket = self.host.connect(path).bearer(who).await;
        let welcome = text(&mut socket).await;
        (socket, welcome)
    }
}

impl Deref for Node {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}

pub(crate) async fn text(socket: &mut TestSocket) -> String {
    match socket.next_message().await {
        Some(message) => message.as_text().expect("text").to_owned(),
        None => panic!("the session ended"),
    }
}

/// Lets everything happen that happens without waiting for long.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
