//! The measured app on Wharf: one source, whatever carries it.

mod events;
mod fan;
mod rooms;

use wharf_hub::{Hub, HubBuilder};
use wharf_inspector::Inspector;
use wharf_sdk::{App, Compression, Configure as _, Result, Route, Socket};

use crate::messages::Prices;
use crate::serve::{MAX_MESSAGE_BYTES, ServeOptions};

/// Rooms that one socket may be in: a load opens many with few sockets.
const ROOMS_PER_SESSION: usize = 256;

/// Below this a message leaves as it is: what is measured is compressed.
const THRESHOLD_BYTES: usize = 64;

/// Makes the app over this process's own hub: an echo plain and compressed, and ways from one to
/// all.
///
/// # Errors
///
/// Never, unless the policies below contradict themselves.
pub fn app(options: &ServeOptions) -> Result<App> {
    app_over(Hub::builder(), options)
}

/// The same over any hub. What has a bus is a program of its own, so that the others are not built
/// with the buses' clients.
///
/// # Errors
///
/// The hub cannot be built.
pub fn app_over(hub: HubBuilder, options: &ServeOptions) -> Result<App> {
    let forget = Compression::new().threshold_bytes(THRESHOLD_BYTES);
    let takeover = forget.takeover(true);
    let builder = App::builder()
        .max_message_bytes(MAX_MESSAGE_BYTES)
        .state(fan::Members::default())
        .state(std::sync::Arc::new(Prices::default()))
        .state(hub.rooms_per_session(ROOMS_PER_SESSION).build()?)
        .route(Route::new("/echo", echo))
        .route(Route::new("/deflate", echo).compression(forget))
        .route(Route::new("/deflate-6", echo).compression(forget.level(6)))
        .route(Route::new("/takeover", echo).compression(takeover))
        .route(
            Route::new("/takeover-12", echo).compression(takeover.window_bits(12).memory_level(5)),
        )
        .route(Route::new("/fan", fan::shared))
        .route(Route::new("/fan-copies", fan::copies))
        .route(Route::new("/fan-deflate", fan::shared).compression(forget))
        .route(Route::new("/fan-deflate-copies", fan::copies).compression(forget))
        .route(Route::new("/fan-deflate-6", fan::shared).compression(forget.level(6)))
        .route(Route::new("/fan-deflate-6-copies", fan::copies).compression(forget.level(6)))
        .route(Route::new("/value-once", fan::value_once))
        .route(Route::new("/value-each", fan::value_each))
        .route(Route::new("/hub", rooms::one_room))
        .route(Route::new("/rooms", rooms::many_rooms))
        .route(Route::new("/channel", events::channel()))
        .route(Route::new("/by-hand", events::by_hand))
        .route(Route::new("/farewell", farewell));
    match options.inspector {
        true => Inspector::new("/inspector")
            .dangerously_open()
            .mount(builder),
        false => builder,
    }
    .build()
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

/// Ends at once: for clients that come back.
async fn farewell(socket: Socket) -> Result<()> {
    drop(socket);
    Ok(())
}
