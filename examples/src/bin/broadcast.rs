//! One source, many listeners: who is too slow loses the oldest values and is told so.

use std::time::Duration;

use tokio::{sync::watch, time::interval};
use wharf::{App, Result, Route, SlowClient, State, prelude::*};

type Ticks = watch::Receiver<u64>;

async fn ticker(State(mut ticks): State<Ticks>, mut socket: Socket) -> Result<()> {
    loop {
        tokio::select! {
            changed = ticks.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let tick = *ticks.borrow_and_update();
                if let Some(gap) = socket.take_gap() {
                    socket.write(format!("missed {}", gap.messages)).await?;
                }
                socket.write(format!("tick {tick}")).await?;
            }
            message = socket.read() => {
                // Listeners have nothing to say; that they leave is worth knowing.
                if message?.is_none() {
                    return Ok(());
                }
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let (source, ticks) = watch::channel(0_u64);
    tokio::spawn(async move {
        let mut clock = interval(Duration::from_millis(100));
        loop {
            clock.tick().await;
            source.send_modify(|tick| *tick += 1);
        }
    });
    let app = App::builder()
        .state(ticks)
        .route(
            Route::new("/ticks", ticker)
                .slow_client(SlowClient::DropOldest)
                .queue_messages(16),
        )
        .build()?;
    wharf_examples::serve(app).await
}
