//! Code around the decision to upgrade.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use wharf_sdk::{
    Configure, Context, Error, ErrorKind, Extension, Group, Middleware, Next, Response, Result,
    Route, Socket, State, async_trait,
    extract::FromContext,
    http::{HeaderValue, StatusCode},
    middleware::{RequestIdLayer, SetHeader, bearer, from_fn},
};

use crate::{Host, Notes, Request, Site, client::Client, fixture::echo};

/// A middleware that answers without calling `next` stops the upgrade; its response is untouched.
pub async fn answers_itself(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let answer = site.request(Request::upgrade("/teapot")).await.expect(418);
    assert_eq!(answer.header("x-reason"), Some("teapot"));
    assert_eq!(answer.text(), "short and stout");
    let rejected = site.events.only("rejected").await;
    assert_eq!(
        (rejected.code, &rejected.error),
        (Some(418), &None),
        "in {rejected:?}"
    );
    assert!(site.events.of("upgraded").is_empty());
}

/// First added is outermost, in an app, a group and a route, and the app's are outside the
/// group's, the group's outside the route's.
pub async fn order(host: &dyn Host) {
    struct Named(&'static str);
    #[async_trait]
    impl Middleware for Named {
        async fn handle(&self, context: Context, next: Next) -> Result<Response> {
            let notes = context.state::<Notes>().cloned().expect("notes");
            notes.add(format!("into {}", self.0));
            let answer = next.run(context).await;
            notes.add(format!("out of {}", self.0));
            Ok(answer)
        }
    }
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        app.state(notes)
            .group(
                Group::new("/g")
                    .route(
                        Route::new("/r", echo)
                            .middleware(Named("route 1"))
                            .middleware(Named("route 2")),
                    )
                    .middleware(Named("group 1"))
                    .middleware(Named("group 2")),
            )
            .middleware(Named("app 1"))
            .middleware(Named("app 2"))
    })
    .await;
    site.open("/g/r").await.expect_echo("through").await;
    let names = ["app 1", "app 2", "group 1", "group 2", "route 1", "route 2"];
    for name in names {
        noted.expect(&format!("into {name}")).await;
    }
    for name in names.iter().rev() {
        noted.expect(&format!("out of {name}")).await;
    }
}

/// A closure is a middleware, and may add headers to any response, the 101 included.
pub async fn adds_headers(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let answer = site.request(Request::upgrade("/stamped")).await.expect(101);
    assert_eq!(answer.header("x-stamp"), Some("first,second"));
    Client::new(answer).expect_echo("open").await;

    let site = Site::of(host, |app| {
        let cookie = |value| SetHeader::new("set-cookie".parse().expect("a name"), value);
        app.middleware(cookie(HeaderValue::from_static("a=1")))
            .middleware(cookie(HeaderValue::from_static("b=2")))
            .route(Route::new("/open", echo))
            .route(
                Route::new("/closed", echo).middleware(from_fn(async |_, _| {
                    Ok(wharf_sdk::response::text(StatusCode::GONE, "gone"))
                })),
            )
    })
    .await;
    for (path, status) in [("/open", 101), ("/closed", 410)] {
        let answer = site.request(Request::upgrade(path)).await.expect(status);
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["b=2", "a=1"], "in {answer:?}");
    }
}

/// An async function is a middleware as it is. A refusal further in, by an error, by a panic or for
/// want of a principal, passes back through it as a response: what it adds is on it, it may look at
/// the reason, and observers are told the reason.
pub async fn sees_refusals(host: &dyn Host) {
    async fn names_the_reason(context: Context, next: Next) -> Result<Response> {
        let mut response = next.run(context).await;
        let reason = response.extensions().get::<Arc<Error>>();
        let reason = reason.map_or_else(String::new, |error| error.code().to_owned());
        let reason = HeaderValue::try_from(reason).map_err(Error::handler)?;
        response.headers_mut().insert("x-reason", reason);
        Ok(response)
    }
    let errs = from_fn(async |_, _| Err(Error::reject(StatusCode::GONE, "gone")));
    let panics = from_fn(async |_, _| panic!("a middleware panics"));
    let site = Site::of(host, |app| {
        app.middleware(RequestIdLayer)
            .middleware(names_the_reason)
            .middleware(bearer(async |_| Ok(None)))
            .route(Route::new("/private", echo).require_auth())
            .route(Route::new("/errs", echo).middleware(errs))
            .route(Route::new("/panics", echo).middleware(panics))
            .route(Route::new("/takes", async |_: Extension<u8>, _: Socket| {}))
    })
    .await;
    for (path, status, reason) in [
        ("/private", 401, "WHARF_UNAUTHORIZED"),
        ("/errs", 410, "WHARF_REJECTED"),
        ("/panics", 500, "WHARF_PANIC"),
        ("/takes", 500, "WHARF_MISSING_EXTENSION"),
    ] {
        let request = Request::upgrade(path).with("X-Request-Id", "r-1");
        let answer = site.request(request).await.expect(status);
        assert_eq!(answer.header("x-request-id"), Some("r-1"), "in {answer:?}");
        assert_eq!(answer.header("x-reason"), Some(reason), "in {answer:?}");
    }
    let told = site.events.wait_for("rejected", 4).await;
    let told: Vec<_> = told
        .iter()
        .filter_map(|event| event.error.as_deref())
        .collect();
    let expected = [
        "WHARF_UNAUTHORIZED",
        "WHARF_REJECTED",
        "WHARF_PANIC",
        "WHARF_MISSING_EXTENSION",
    ];
    assert_eq!(told, expected);
}

/// An extractor may wait, and refuse: its error answers in place of the 101.
pub async fn extractors_refuse(host: &dyn Host) {
    struct Room(String);
    impl FromContext for Room {
        async fn from_context(context: &Context) -> Result<Self> {
            let name = context.param("room").unwrap_or_default().to_owned();
            tokio::time::sleep(Duration::from_millis(10)).await;
            match name.as_str() {
                "lobby" => Ok(Self(name)),
                "cellar" => {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    Ok(Self(name))
                }
                _ => Err(Error::reject(
                    StatusCode::NOT_FOUND,
                    "there is no such room",
                )),
            }
        }
    }
    let joins = async |room: Room, mut socket: Socket| socket.write(room.0).await;
    let site = Site::of(host, |app| {
        app.upgrade_timeout(Duration::from_secs(2))
            .route(Route::new("/{room}", joins))
    })
    .await;
    site.open("/lobby").await.expect_text("lobby").await;
    let refused = site.request(Request::upgrade("/attic")).await;
    refused.expect_problem(404, "WHARF_REJECTED");
    let told = site.events.only("rejected").await;
    told.expect_error("WHARF_REJECTED", "upgrade");
    let late = site.request(Request::upgrade("/cellar")).await;
    late.expect_problem(504, "WHARF_UPGRADE_TIMEOUT");
}

/// What a middleware puts into the context reaches the handler; so does the app's state.
pub async fn passes_values_on(host: &dyn Host) {
    #[derive(Clone)]
    struct Learned(String);
    let learns = from_fn(async |mut context, next| {
        let learned = Learned(context.header_or("x-fact", "nothing").to_owned());
        context.insert(learned);
        context.set_header(
            "x-set".parse().expect("a name"),
            HeaderValue::from_static("set"),
        );
        Ok(next.run(context).await)
    });
    let tells = async |Extension(learned): Extension<Learned>,
                       State(state): State<u32>,
                       context: Context,
                       mut socket: Socket| {
        let set = context.header_or("x-set", "not set").to_owned();
        socket.write(format!("{} {state} {set}", learned.0)).await
    };
    let site = Site::of(host, |app| {
        app.state(42u32)
            .route(Route::new("/learned", tells).middleware(learns))
    })
    .await;
    let request = Request::upgrade("/learned").with("X-Fact", "water is wet");
    site.open_with(request)
        .await
        .expect_text("water is wet 42 set")
        .await;
}

/// A middleware's unclassified error is 500 without detail; observers are told the cause.
pub async fn fails(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let answer = site.request(Request::upgrade("/middleware-error")).await;
    let answer = answer.expect_problem(500, "WHARF_HANDLER");
    assert!(
        !answer.text().contains("hunter2"),
        "the cause leaks: {answer:?}"
    );
    let rejected = site.events.only("rejected").await;
    rejected.expect_error("WHARF_HANDLER", "middleware");
    assert!(
        rejected.cause.contains("hunter2"),
        "observers see the cause, in {rejected:?}"
    );
}

/// A classified error has its kind's status, or its own.
pub async fn refuses(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let refuses = from_fn(async |context, _| {
            Err(match context.header("x-how") {
                Some("kind") => Error::new(ErrorKind::RateLimited, "MY_LIMIT", "slow down"),
                _ => Error::reject(StatusCode::PAYMENT_REQUIRED, "pay first"),
            })
        });
        app.route(Route::new("/refused", echo).middleware(refuses))
    })
    .await;
    let answer = site
        .request(Request::upgrade("/refused").with("X-How", "kind"))
        .await;
    let answer = answer.expect_problem(429, "MY_LIMIT");
    assert!(
        answer.text().contains("slow down"),
        "public messages are public: {answer:?}"
    );
    let answer = site.request(Request::upgrade("/refused")).await.expect(402);
    assert!(answer.text().contains("pay first"), "{answer:?}");
}

/// A middleware that panics is a 500; observers are told, and the server goes on.
pub async fn panics(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut bystander = site.open("/echo").await;
    for _ in 0..3 {
        let answer = site.request(Request::upgrade("/middleware-panic")).await;
        let answer = answer.expect_problem(500, "WHARF_PANIC");
        assert!(
            !answer.text().contains("a middleware panics"),
            "the cause leaks: {answer:?}"
        );
    }
    for event in site.events.wait_for("rejected", 3).await {
        event.expect_error("WHARF_PANIC", "middleware");
        assert!(event.cause.contains("a middleware panics"), "in {event:?}");
    }
    bystander.expect_echo("unharmed").await;
    site.open("/echo")
        .await
        .expect_echo("the server goes on")
        .await;
}

/// A chain that takes longer than the upgrade timeout is 504; 10 s is the default.
pub async fn times_out(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let started = Instant::now();
    let answer = site.request(Request::upgrade("/slow-upgrade")).await;
    answer.expect_problem(504, "WHARF_UPGRADE_TIMEOUT");
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(290),
        "answered after {took:?}"
    );
    assert!(
        took < Duration::from_millis(4500),
        "the chain was waited for: {took:?}"
    );
    site.events
        .only("rejected")
        .await
        .expect_error("WHARF_UPGRADE_TIMEOUT", "middleware");
    let routes = site.app.routes();
    let echo = routes
        .iter()
        .find(|route| route.pattern == "/echo")
        .expect("/echo");
    assert_eq!(echo.limits.upgrade_timeout, Duration::from_secs(10));
}

/// A 101 that a middleware makes itself opens nothing: only the end of the chain does.
pub async fn cannot_make_a_101(host: &dyn Host) {
    let forges = from_fn(async |_, _| {
        let mut answer = Response::default();
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        Ok(answer)
    });
    let route = Route::new("/forged", echo).middleware(forges);
    let site = Site::of(host, |app| app.route(route)).await;
    site.request(Request::upgrade("/forged"))
        .await
        .expect_problem(500, "WHARF_UNEARNED_101");
}

/// A middleware that answers in place of a 101 further in stops the upgrade as well.
pub async fn may_change_its_mind(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let changes = from_fn(async |context, next| {
        next.run(context).await;
        Ok(wharf_sdk::response::text(
            StatusCode::CONFLICT,
            "on second thought",
        ))
    });
    let never = async |State(notes): State<Notes>, _: Socket| notes.add("the handler ran");
    let site = Site::of(host, |app| {
        app.state(notes)
            .route(Route::new("/fickle", never).middleware(changes))
    })
    .await;
    let answer = site.request(Request::upgrade("/fickle")).await.expect(409);
    assert_eq!(answer.text(), "on second thought");
    assert!(noted.rest().is_empty());
    site.expect_no_connections().await;
}

/// Middleware runs behind the built-in checks: a request that they refuse does not reach it.
pub async fn runs_behind_the_checks(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let notices = from_fn(async |context, next| {
        context.state::<Notes>().expect("notes").add("reached");
        Ok(next.run(context).await)
    });
    let site = Site::of(host, |app| {
        app.state(notes)
            .route(Route::new("/echo", echo).middleware(notices))
    })
    .await;
    for request in [
        Request::plain("GET", "/echo"),
        Request::plain("POST", "/echo"),
        Request::upgrade("/echo").without("Sec-WebSocket-Version"),
        Request::upgrade("/echo").with("Origin", "http://evil.example"),
    ] {
        let status = site.request(request).await.status();
        assert!((400..500).contains(&status));
    }
    assert!(
        noted.rest().is_empty(),
        "a middleware saw a request that the checks refuse"
    );
    site.open("/echo").await.close().await;
    noted.expect("reached").await;
}
