//! The hub's rooms on the page.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod site;

use serde_json::json;
use site::{MARKUP, app, look_where, mount, next, watcher};
use wharf_hub::{Hub, RoomOptions};
use wharf_inspector::{Action, Inspector};
use wharf_sdk::{Path, Principal, Result, Route, Socket, State, WebSocketExt, middleware::bearer};

async fn chat(Path(name): Path<String>, State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
    let room = hub.room_with(name, RoomOptions::default().with_presence())?;
    let _seat = room.join(&socket).with(json!({ "nick": MARKUP })).await?;
    while let Some(line) = socket.read_text().await? {
        room.publish(line).await?;
    }
    Ok(())
}

async fn anybody(token: String) -> Result<Option<Principal>> {
    Ok(Some(Principal::new(token)))
}

#[tokio::test(start_paused = true)]
async fn rooms_are_shown_with_their_members_and_published_to() {
    let hub = Hub::local();
    let inspector = Inspector::new("/inspect")
        .hub(hub.clone())
        .allow(Action::Publish);
    let route = Route::new("/rooms/{room}", chat).middleware(bearer(anybody));
    let host = mount(inspector, app().state(hub).route(route));
    let mut carol = host.connect("/rooms/harbour").bearer("carol").await;
    let _dave = host.connect("/rooms/yard").bearer("dave").await;
    let mut watcher = watcher(&host).await;
    let wish = json!({ "rooms": { "sort": "name", "prefix": "" } });
    watcher.send_json(&wish).await;
    let look = look_where(&mut watcher, |look| look["rooms"]["found"] == 2).await;
    let names = [0, 1].map(|at| look["rooms"]["rows"][at]["name"].clone());
    assert_eq!(names, ["harbour", "yard"]);

    watcher
        .send_json(&json!({ "rooms": { "prefix": "har" } }))
        .await;
    look_where(&mut watcher, |look| look["rooms"]["found"] == 1).await;
    watcher.send_json(&json!({ "room": "harbour" })).await;
    let look = look_where(&mut watcher, |look| !look["rooms"]["open"].is_null()).await;
    let member = &look["rooms"]["open"]["members"][0];
    assert_eq!(
        (&member["principal"], &member["metadata"]["nick"]),
        (&json!("carol"), &json!(MARKUP))
    );

    let wish = json!({ "act": { "action": "publish", "on": "harbour", "text": "storm ahead" } });
    watcher.send_json(&wish).await;
    assert_eq!(next(&mut watcher, "done").await["sessions"], 1);
    carol.expect_text("storm ahead").await;
    let busy = look_where(&mut watcher, |look| {
        look["rooms"]["rows"][0]["rate"].as_f64() > Some(0.5)
    })
    .await;
    assert_eq!(busy["rooms"]["rows"][0]["messages"], 1);
}
