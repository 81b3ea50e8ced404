//! Sends every message back as it came.

use wharf::prelude::*;

#[tokio::main]
async fn main() -> Result<()> {
    let app = App::builder()
        .route(Route::new("/echo", echo).max_message_bytes(64 * 1024 * 1024))
        .build()?;
    wharf_examples::serve(app).await
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}
