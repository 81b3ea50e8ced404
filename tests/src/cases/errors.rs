//! What peers see of errors.

use serde::Deserialize;
use wharf_sdk::{
    CloseFrame, Context, Error, ErrorKind, ErrorMapper, Extension, Query, Response, Result, Route,
    Socket,
    http::StatusCode,
    middleware::{bearer, from_fn},
    response,
};

use crate::{Host, Request, Site, client::Frame, fixture::echo};

/// Every refusal has a problem document with a stable code, a status and a title.
pub async fn problem_documents(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let (refused, not_an_upgrade) = host.refusal_of_get();
    for (request, status, code) in [
        (Request::upgrade("/nowhere"), 404, "WHARF_NOT_FOUND"),
        (Request::plain("GET", "/echo"), refused, not_an_upgrade),
        (
            Request::upgrade("/echo").with("Origin", "null"),
            403,
            "WHARF_ORIGIN_DENIED",
        ),
        (Request::upgrade("/private"), 401, "WHARF_UNAUTHORIZED"),
        (Request::upgrade("/rooms/%FF"), 400, "WHARF_PATH_NOT_UTF8"),
    ] {
        let problem = site
            .request(request)
            .await
            .expect_problem(status, code)
            .json();
        for member in ["type", "title", "detail"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member} is missing in {problem}");
        }
        let members = problem.as_object().expect("an object").len();
        assert_eq!(members, 5, "nothing else outside debug mode: {problem}");
    }
}

/// In debug mode the document shows cause and context.
pub async fn debug_mode(host: &dyn Host) {
    let fails = || {
        from_fn(async |_, _| {
            let error = Error::handler("the disk is full").with_context("disk", "sda");
            Err(error)
        })
    };
    for is_debug in [false, true] {
        let route = Route::new("/fails", echo).middleware(fails());
        let site = Site::of(host, |app| app.debug(is_debug).route(route)).await;
        let answer = site.request(Request::upgrade("/fails")).await.expect(500);
        assert_eq!(
            answer.text().contains("the disk is full"),
            is_debug,
            "in {answer:?}"
        );
        assert_eq!(answer.text().contains("sda"), is_debug, "in {answer:?}");
    }
}

/// The app's mapper turns errors into responses before the upgrade and into close frames after
/// it; where it passes, the defaults hold.
pub async fn mapper(host: &dyn Host) {
    struct Mapper;
    impl ErrorMapper for Mapper {
        fn response(&self, error: &Error, context: &Context) -> Option<Response> {
            let body = format!("{} on {}", error.code(), context.pattern());
            (error.kind() != ErrorKind::NotFound)
                .then(|| response::text(StatusCode::BAD_GATEWAY, body))
        }

        fn close_frame(&self, error: &Error) -> Option<CloseFrame> {
            let frame = CloseFrame::new(4100, error.cause_chain());
            (error.kind() == ErrorKind::Handler)
                .then_some(frame.ok())
                .flatten()
        }
    }
    let fails = async |mut socket: Socket| -> Result<()> {
        let message = socket.read().await?;
        match message.as_ref().and_then(|message| message.as_text()) {
            Some("panic") => panic!("as told"),
            _ => Err(Error::handler("as told")),
        }
    };
    let site = Site::of(host, |app| {
        app.map_errors(Mapper)
            .middleware(bearer(async |_| Ok(None)))
            .route(Route::new("/fails", fails))
            .route(Route::new("/closed", echo).require_auth())
    })
    .await;
    let answer = site.request(Request::upgrade("/closed")).await.expect(502);
    assert_eq!(answer.text(), "WHARF_UNAUTHORIZED on /closed");
    site.request(Request::upgrade("/nowhere"))
        .await
        .expect_problem(404, "WHARF_NOT_FOUND");
    for (text, code, reason) in [("fail", 4100, "as told"), ("panic", 1011, "")] {
        let mut client = site.open("/fails").await;
        client.send(Frame::text(text)).await;
        assert_eq!(client.expect_close(code).await, reason);
    }
}

/// A mapper that panics is passed by: the problem document answers, observers are told, and the
/// server goes on.
pub async fn mapper_panics(host: &dyn Host) {
    struct Panics;
    impl ErrorMapper for Panics {
        fn response(&self, _: &Error, _: &Context) -> Option<Response> {
            panic!("a mapper panics");
        }

        fn close_frame(&self, _: &Error) -> Option<CloseFrame> {
            panic!("a mapper panics");
        }
    }
    let fails = async |_: Socket| Err::<(), _>(Error::handler("as told"));
    let site = Site::of(host, |app| {
        app.map_errors(Panics)
            .route(Route::new("/fails", fails))
            .route(
                Route::new("/closed", echo).middleware(from_fn(async |_, _| {
                    Err(Error::reject(StatusCode::GONE, "gone"))
                })),
            )
    })
    .await;
    let refused = site.request(Request::upgrade("/nowhere")).await;
    refused.expect_problem(404, "WHARF_NOT_FOUND");
    let refused = site.request(Request::upgrade("/closed")).await;
    refused.expect_problem(410, "WHARF_REJECTED");
    let told = site.events.wait_for("rejected", 2).await;
    let told: Vec<_> = told
        .iter()
        .filter_map(|event| event.error.as_deref())
        .collect();
    assert_eq!(told, ["WHARF_NOT_FOUND", "WHARF_REJECTED"]);
    site.open("/fails").await.expect_close(1011).await;
}

/// Nobody but the end of the chain answers with 1xx: not an error, a mapper, a middleware or a
/// fallback.
pub async fn interim_statuses(host: &dyn Host) {
    struct Maps;
    impl ErrorMapper for Maps {
        fn response(&self, error: &Error, _: &Context) -> Option<Response> {
            let is_mine = error.code() == "MY_MAPPED";
            is_mine.then(|| response::text(StatusCode::SWITCHING_PROTOCOLS, ""))
        }
    }
    let errs = |code: &'static str| {
        from_fn(move |_, _| async move {
            let error = Error::new(ErrorKind::Forbidden, code, "no");
            Err(error.with_status(StatusCode::SWITCHING_PROTOCOLS))
        })
    };
    let site = Site::of(host, |app| {
        let answers = from_fn(async |_, _| Ok(response::text(StatusCode::CONTINUE, "")));
        app.map_errors(Maps)
            .route(Route::new("/errs", echo).middleware(errs("MY_OWN")))
            .route(Route::new("/maps", echo).middleware(errs("MY_MAPPED")))
            .route(Route::new("/answers", echo).middleware(answers))
            .route(
                Route::new("/falls-back", echo)
                    .fallback(async |_| response::text(StatusCode::SWITCHING_PROTOCOLS, "")),
            )
    })
    .await;
    for (request, status, code) in [
        (Request::upgrade("/errs"), 403, "MY_OWN"),
        (Request::upgrade("/maps"), 403, "MY_MAPPED"),
        (Request::upgrade("/answers"), 500, "WHARF_UNEARNED_101"),
        (
            Request::plain("GET", "/falls-back"),
            500,
            "WHARF_UNEARNED_101",
        ),
    ] {
        site.request(request).await.expect_problem(status, code);
    }
    site.events.wait_for("rejected", 4).await;
}

/// What a handler cannot take out of the request refuses the upgrade: 400 for the client's
/// mistake, 500 without detail for the server's.
pub async fn handler_arguments(host: &dyn Host) {
    #[derive(Deserialize)]
    struct Wish {
        count: u32,
    }
    let wishes = async |Query(wish): Query<Wish>, mut socket: Socket| {
        socket.write(wish.count.to_string()).await
    };
    let lacks = async |Extension(_): Extension<std::time::Instant>, _: Socket| {};
    let site = Site::of(host, |app| {
        app.route(Route::new("/wishes", wishes))
            .route(Route::new("/lacks", lacks))
    })
    .await;
    site.open("/wishes?count=3").await.expect_text("3").await;
    for target in ["/wishes", "/wishes?count=three", "/wishes?other=1"] {
        site.request(Request::upgrade(target))
            .await
            .expect_problem(400, "WHARF_QUERY");
    }
    let answer = site.request(Request::upgrade("/lacks")).await;
    let answer = answer.expect_problem(500, "WHARF_MISSING_EXTENSION");
    assert!(
        !answer.text().contains("Instant"),
        "the type is private: {answer:?}"
    );
}
