//! A handler on the trait, which names no type of Wharf's own but what it is: a `WebSocket`. And
//! subprotocols, and an HTTP answer for who is no WebSocket client.

use wharf::{
    App, Context, Response, Result, Route, Subprotocols, WebSocket, http::StatusCode, prelude::*,
    response,
};

async fn chat(socket: &mut dyn WebSocket) -> Result<()> {
    let subprotocol = socket.subprotocol().unwrap_or("none").to_owned();
    socket.write(subprotocol).await?;
    while let Some(message) = socket.read().await? {
        if message.as_text() == Some("bye") {
            return socket.close(4000, "as you wish").await;
        }
        socket.write(message).await?;
    }
    Ok(())
}

async fn explain(context: Context) -> Response {
    response::text(
        StatusCode::OK,
        format!("connect to {} with a WebSocket client", context.path()),
    )
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = App::builder()
        .route(
            Route::new("/chat", chat)
                .subprotocols(Subprotocols::optional(["chat.v2", "chat.v1"]))
                .fallback(explain),
        )
        .build()?;
    wharf_examples::serve(app).await
}
