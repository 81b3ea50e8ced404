//! What the examples share: where to listen, and the chat.

use wharf::{
    App, Path, Response, Result, Route, State,
    asyncapi::Info,
    http::{HeaderValue, StatusCode, header},
    hub::Hub,
    prelude::*,
    response,
};

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

/// Chat rooms with a web page, on any hub.
///
/// # Errors
///
/// None: the app is valid.
pub fn chat(hub: Hub) -> Result<App> {
    App::builder()
        .state(hub)
        .max_message_bytes(4 * 1024)
        .route(
            Route::new("/", no_socket)
                .fallback(async |_| response::html(include_str!("rooms/page.html"))),
        )
        .route(browser_client())
        .route(Route::new("/rooms/{room}", visit))
        .build()
}

/// The browser's client, at `/wharf-client.js`, for pages that a server has itself.
pub fn browser_client() -> Route {
    Route::new("/wharf-client.js", no_socket).fallback(async |_| script())
}

fn script() -> Response {
    let source = include_str!("../../client-js/dist/wharf-client.js");
    let mut script = response::text(StatusCode::OK, source);
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    script.headers_mut().insert(header::CONTENT_TYPE, kind);
    script
}

async fn visit(Path(name): Path<String>, State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
    let room = hub.room(name)?;
    let _seat = room.join(&socket).await?;
    while let Some(line) = socket.read_text().await? {
        // An error says that the other nodes were not reached; the chat goes on here.
        let _ = room.publish(line).await;
    }
    Ok(())
}

/// Where pages are, there is nothing to connect to.
///
/// # Errors
///
/// The peer is gone already.
pub async fn no_socket(mut socket: Socket) -> Result<()> {
    socket.close(4000, "a page is here, and no socket").await
}
