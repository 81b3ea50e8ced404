//! The contract on an app that is mounted in a scope of an actix application that exists already,
//! and what becomes of that application.
#![cfg(feature = "actix")]

use std::net::TcpListener;

use actix_web::{HttpServer, middleware::DefaultHeaders, web};
use wharf_conformance::{
    Client, Request, Running, ScopedActixHost, TcpServer, client::PATIENCE, fixture,
};

wharf_conformance::conformance!(ScopedActixHost);

#[tokio::test]
async fn neighbours_are_undisturbed() {
    let app = fixture::app(None).expect("valid").app;
    let server = ScopedActixHost.start(app.clone()).await;
    let mut client = Client::new(server.request(Request::upgrade("/echo")).await);
    let neighbour = async || {
        let answer = server
            .request_outside(&Request::plain("GET", "/neighbour"))
            .await
            .expect(200);
        assert_eq!(answer.text(), "undisturbed");
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
async fn middleware_and_app_data_work_around_it() {
    let app = fixture::app(None).expect("valid").app;
    let server = TcpServer::start(async move || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = HttpServer::new(move || {
            let shown = async |data: web::Data<&str>| data.to_string();
            actix_web::App::new()
                .app_data(web::Data::new("app data"))
                .wrap(DefaultHeaders::new().add(("x-layer", "passed")))
                .route("/neighbour", web::get().to(shown))
                .configure(wharf_actix::mount("/ws", app.clone()))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("a listener");
        (address, server.run())
    })
    .await
    .under("/ws");
    let answer = server.request(Request::upgrade("/echo")).await.expect(101);
    assert_eq!(answer.header("x-layer"), Some("passed"));
    Client::new(answer)
        .expect_echo("through the middleware")
        .await;
    let answer = server
        .request_outside(&Request::plain("GET", "/neighbour"))
        .await
        .expect(200);
    assert_eq!(
        (answer.text(), answer.header("x-layer")),
        ("app data", Some("passed"))
    );
}
