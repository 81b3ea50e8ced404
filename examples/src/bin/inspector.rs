//! A chat, and a page for whoever runs it: sessions, rooms, rates and events as they happen.
//!
//!     cargo run -p wharf-examples --bin inspector
//!
//! The page is at <http://127.0.0.1:3000/inspect>, its token is `letmein`. Who chats says their name:
//! `ws://127.0.0.1:3000/rooms/harbour?name=carol`.

use wharf::{
    App, Context, Next, Path, Response, Result, Route, State,
    hub::{Hub, RoomOptions},
    inspector::{Action, Contents, Inspector},
    middleware::authenticator,
    prelude::*,
};

#[derive(serde::Deserialize)]
struct Visitor {
    name: String,
}

/// Believes everybody. A real chat would not.
async fn by_name(mut context: Context, next: Next) -> Result<Response> {
    if let Ok(Visitor { name }) = context.query_as() {
        context.set_principal(Principal::new(name));
    }
    Ok(next.run(context).await)
}

async fn visit(Path(name): Path<String>, State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
    let room = hub.room_with(name, RoomOptions::new().with_presence())?;
    let _seat = room.join(&socket).await?;
    while let Some(line) = socket.read_text().await? {
        room.publish(line).await?;
    }
    Ok(())
}

async fn operators(token: String) -> Result<Option<Principal>> {
    Ok((token == "letmein").then(|| Principal::new("olivia").with_scopes(["operate"])))
}

#[tokio::main]
async fn main() -> Result<()> {
    let hub = Hub::local();
    let inspector = Inspector::new("/inspect")
        .verified_by(operators)
        .require_scopes(["operate"])
        .hub(hub.clone())
        .show_contents(Contents::of_routes(["/rooms/{room}"]))
        .allow(Action::CloseSession)
        .allow(Action::DisconnectPrincipal)
        .allow(Action::Publish);
    let rooms = Route::new("/rooms/{room}", visit)
        .middleware(authenticator(by_name))
        .require_auth();
    let app = inspector
        .mount(App::builder().state(hub).route(rooms))
        .build()?;
    wharf_examples::serve(app).await
}
