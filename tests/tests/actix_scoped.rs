//! The contract on an app that is mounted in a scope of an actix application that exists already,
//! and what becomes of that application.
#![cfg(feature = "actix")]

mod tenants;

use std::{net::TcpListener, time::Duration};

use actix_web::{HttpMessage, HttpServer, dev::Service, middleware::DefaultHeaders, web};
use tokio::time::{sleep, timeout};
use wharf_actix::Mount;
use wharf_conformance::{
    Client, Request, Running, ScopedActixHost, TcpServer, client::PATIENCE, fixture,
};
use wharf_sdk::{App, Extension, Result, Route, Socket};

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

/// What middleware of the application has put into a request is the handler's, by type.
#[tokio::test]
async fn request_extensions_are_carried() {
    #[derive(Clone)]
    struct User(&'static str);

    async fn greet(Extension(user): Extension<User>, mut socket: Socket) -> Result<()> {
        socket.write(user.0).await
    }

    let app = App::builder().route(Route::new("/greet", greet)).build();
    let app = app.expect("valid");
    let server = TcpServer::start(async move || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .wrap_fn(|request, service| {
                    request.extensions_mut().insert(User("Ada"));
                    service.call(request)
                })
                .service(Mount::new("/with", app.clone()).carry::<User>())
                .service(Mount::new("/without", app.clone()))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("a listener");
        (address, server.run())
    })
    .await;
    let answer = server.request(Request::upgrade("/with/greet")).await;
    Client::new(answer).expect_text("Ada").await;
    let answer = server.request(Request::upgrade("/without/greet")).await;
    answer.expect(500);
}

/// A peer that reads nothing keeps neither its connection nor its place.
#[tokio::test]
async fn stalled_readers_end_with_their_session() {
    let app = fixture::app(None).expect("valid").app;
    let handle = app.handle();
    let server = ScopedActixHost.start(app).await;
    let push = Request::upgrade("/push/100000/65536");
    let mut client = Client::new(server.request(push).await);
    until(|| handle.connections() == 0).await;
    while client.recv().await.is_some() {}
}

/// Where actix keeps the connection of such a peer, it counts for as long.
#[tokio::test]
async fn connections_count_until_they_are_gone() {
    let fixture = fixture::app(None).expect("valid");
    let (app, handle) = (fixture.app.clone(), fixture.app.handle());
    let server = TcpServer::start(async move || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = HttpServer::new(move || {
            actix_web::App::new().configure(wharf_actix::mount("", app.clone()))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("a listener");
        (address, server.run())
    })
    .await;
    let push = Request::upgrade("/push/100000/65536");
    let mut client = Client::new(server.request(push).await);
    fixture.events.only("closed").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(handle.connections(), 1);
    client.vanish();
    until(|| handle.connections() == 0).await;
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = timeout(PATIENCE, async {
        while !is_so() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    waiting.await.expect("what is waited for");
}

/// A prefix with a parameter is one route in logs and figures, whoever connects.
#[tokio::test]
async fn prefixes_with_parameters_are_patterns() {
    let app = tenants::app();
    let server = TcpServer::start(async move || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = HttpServer::new(move || {
            let tenants = web::scope("/{tenant}").configure(wharf_actix::mount("/ws", app.clone()));
            actix_web::App::new().service(tenants)
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("a listener");
        (address, server.run())
    })
    .await;
    tenants::share_a_route(&server).await;
}
