//! A guessing game in JSON: `{"guess":50}` is answered with `{"verdict":"higher"}`.
//! <http://127.0.0.1:3000/asyncapi> says so too, to people and to programs.

use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf::{App, DecodeErrors, Result, Route, asyncapi::Info, prelude::*};

#[derive(Deserialize, JsonSchema)]
struct Guess {
    guess: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase", tag = "verdict")]
enum Verdict {
    Higher,
    Lower,
    Right { tries: u32 },
}

async fn game(mut socket: Typed<Guess, Verdict>) -> Result<()> {
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let secret = clock.subsec_nanos() % 100 + 1;
    let mut tries = 0;
    while let Some(Guess { guess }) = socket.read().await? {
        tries += 1;
        let verdict = match guess.cmp(&secret) {
            std::cmp::Ordering::Less => Verdict::Higher,
            std::cmp::Ordering::Greater => Verdict::Lower,
            std::cmp::Ordering::Equal => Verdict::Right { tries },
        };
        socket.write(&verdict).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = App::builder()
        // A player who mistypes is told so and may go on.
        .route(
            Route::documented("/game", game)
                .decode_errors(DecodeErrors::Answer)
                .summary("Guess a number between 1 and 100."),
        )
        .route(Route::asyncapi(
            "/asyncapi",
            Info::new("A guessing game", "1.0.0"),
        ))
        .build()?;
    wharf_examples::serve(app).await
}
