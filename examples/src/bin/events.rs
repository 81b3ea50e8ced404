//! Event style, with a count for each connection.

use std::sync::atomic::{AtomicU64, Ordering};

use wharf::{App, Result, Route, prelude::*};

#[tokio::main]
async fn main() -> Result<()> {
    let counter = Events::with_state(async |_| Ok(AtomicU64::new(0)))
        .on_open(|peer, ()| async move { peer.send("count me in").await })
        .on_message(|peer, _| async move {
            let count = peer.state().fetch_add(1, Ordering::Relaxed) + 1;
            peer.send(count.to_string()).await
        })
        .on_close(|peer, outcome| async move {
            println!("{} left with {}", peer.id(), outcome.code);
        });
    let app = App::builder()
        .route(Route::new("/count", counter))
        .build()?;
    wharf_examples::serve(app).await
}
