//! The contract on an app that is nested in an axum router that exists already, and what becomes
//! of that router.
#![cfg(feature = "axum")]

mod tenants;

use std::net::SocketAddr;

use axum::{Router, http::HeaderValue, middleware::map_response, response::Response, routing::get};
use tokio::net::TcpListener;
use wharf_conformance::{
    Client, NestedAxumHost, Request, Running, TcpServer, client::PATIENCE, fixture,
};

wharf_conformance::conformance!(NestedAxumHost);

#[tokio::test]
async fn neighbours_are_undisturbed() {
    let app = fixture::app(None).expect("valid").app;
    let server = NestedAxumHost.start(app.clone()).await;
    let mut client = Client::new(server.request(Request::upgrade("/echo")).await);
    let neighbour = async || {
        let answer = server
            .request_outside(&Request::plain("GET", "/neighbour"))
            .await
            .expect(200);
        assert_eq!(answer.text(), "undisturbed");
        let refused = server
            .request_outside(&Request::plain("POST", "/neighbour"))
            .await;
        assert_eq!(refused.status(), 405, "axum's own answer");
        // The app's routes are under its prefix and nowhere else.
        server
            .request_outside(&Request::upgrade("/echo"))
            .await
            .expect(404);
    };
    neighbour().await;
    client.expect_echo("beside them").await;
    let shutdown = tokio::spawn(async move { app.handle().shutdown(PATIENCE).await });
    client.expect_close(1001).await;
    shutdown.await.expect("a report");
    server.request(Request::upgrade("/echo")).await.expect(503);
    neighbour().await;
}

#[tokio::test]
async fn layers_work_around_it() {
    let app = fixture::app(None).expect("valid").app;
    let server = TcpServer::start(async move || {
        let stamp = map_response(async |mut response: Response| {
            response
                .headers_mut()
                .insert("x-layer", HeaderValue::from_static("passed"));
            response
        });
        let router = Router::new()
            .route("/neighbour", get(async || "undisturbed"))
            .nest("/ws", wharf_axum::router(app))
            .layer(stamp);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        (address, axum::serve(listener, service).into_future())
    })
    .await
    .under("/ws");
    let answer = server.request(Request::upgrade("/echo")).await.expect(101);
    assert_eq!(answer.header("x-layer"), Some("passed"));
    Client::new(answer).expect_echo("through the layer").await;
    let answer = server
        .request(Request::upgrade("/teapot"))
        .await
        .expect(418);
    assert_eq!(answer.header("x-layer"), Some("passed"));
}

/// A prefix with a parameter is one route in logs and figures, whoever connects.
#[tokio::test]
async fn prefixes_with_parameters_are_patterns() {
    let app = tenants::app();
    let server = TcpServer::start(async move || {
        let router = Router::new().nest_service("/{tenant}/ws", wharf_axum::service(app));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        (address, axum::serve(listener, router).into_future())
    })
    .await;
    tenants::share_a_route(&server).await;
}
