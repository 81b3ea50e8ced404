//! What the examples share: where to listen.

use wharf::{asyncapi::Info, prelude::*};

/// Serves an app at the address in `ADDR`, or at `127.0.0.1:3000`, on the driver that the feature
/// picks. With `PRINT_ASYNCAPI` set, prints what the app says of itself instead.
///
/// # Errors
///
/// The address cannot be bound.
pub async fn serve(app: App) -> Result<()> {
    if std::env::var_os("PRINT_ASYNCAPI").is_some() {
        println!("{:#}", app.asyncapi(&Info::new("An example", "1.0.0")));
        return Ok(());
    }
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let server = wharf::bind(app, &address).await?;
    println!("listening on {}", server.local_addr());
    server.run().await?;
    Ok(())
}
