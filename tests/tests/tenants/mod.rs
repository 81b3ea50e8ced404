//! An app under a prefix with a parameter: one route in logs and figures, whoever connects.

use wharf_conformance::{Client, Request, Running, TcpServer};
use wharf_sdk::{App, Result, Route, Socket};

/// An app whose route says what it is called.
pub(crate) fn app() -> App {
    async fn route(mut socket: Socket) -> Result<()> {
        let route = socket.info().route().to_string();
        socket.write(route).await
    }

    let app = App::builder().route(Route::new("/where/{at}", route));
    app.build().expect("valid")
}

/// Visits the app, which is mounted under `/{tenant}/ws`.
pub(crate) async fn share_a_route(server: &TcpServer) {
    for tenant in ["acme", "globex"] {
        let request = Request::upgrade(&format!("/{tenant}/ws/where/here"));
        let mut client = Client::new(server.request(request).await);
        client.expect_text("/{tenant}/ws/where/{at}").await;
    }
}
