//! Sends every message back as it came.

use wharf::{App, Result, Route, prelude::*};

#[tokio::main]
async fn main() -> Result<()> {
    // Larger messages than by default, and in more pieces: the Autobahn suite, which tests this
    // example, sends 4 MiB in fragments of 64 bytes.
    let echo = Route::new("/echo", echo)
        .max_message_bytes(64 * 1024 * 1024)
        .max_fragments(100_000);
    let app = App::builder().route(echo).build()?;
    wharf_examples::serve(app).await
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}
