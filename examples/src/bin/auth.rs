//! Bearer tokens and scopes. Browsers, which cannot send the header, offer the token as a
//! subprotocol: `new WebSocket(url, ["chat", "bearer.letmein"])`.

use wharf::{
    App, Result, Route, Subprotocols,
    middleware::{bearer, subprotocol_token},
    prelude::*,
};

async fn verify(token: String) -> Result<Option<Principal>> {
    Ok(match token.as_str() {
        "letmein" => Some(Principal::new("alice").with_scopes(["chat"])),
        "letmein-noscope" => Some(Principal::new("bob")),
        _ => None,
    })
}

async fn private(principal: Principal, mut socket: Socket) -> Result<()> {
    socket.write(format!("hello {}", principal.id)).await?;
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = App::builder()
        .middleware(bearer(verify))
        .middleware(subprotocol_token("bearer.", verify))
        .route(
            Route::new("/private", private)
                .require_scopes(["chat"])
                .subprotocols(Subprotocols::optional(["chat"])),
        )
        .build()?;
    wharf_examples::serve(app).await
}
