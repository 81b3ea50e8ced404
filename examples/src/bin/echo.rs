//! Sends every message back as it came.
//!
//! `ADDR` says where to listen; the default is `127.0.0.1:3000`.

use wharf::prelude::*;

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let app = App::builder()
        .route(Route::new("/echo", echo).max_message_bytes(64 * 1024 * 1024))
        .build()?;
    let server = wharf::bind(app, &address).await?;
    println!("listening on {}", server.local_addr());
    server.run().await?;
    Ok(())
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}
