//! Paths to routes, the same on every driver.

use serde_json::json;
use wharf_sdk::{App, Group, Path, Result, Route, Socket};

use crate::{Host, Request, Site, fixture::echo};

/// A parameter is percent-decoded; path and query are handed on raw.
pub async fn parameters_are_decoded(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for (target, room, query) in [
        ("/rooms/lobby", "lobby", ""),
        ("/rooms/caf%C3%A9%20two?a=1&b=%20", "café two", "a=1&b=%20"),
        ("/rooms/a%2Fb", "a/b", ""),
        ("/rooms/a+b", "a+b", ""),
        ("/rooms/100%25?", "100%", ""),
        ("/rooms/%C3%A9?q=%2F?%26", "é", "q=%2F?%26"),
        ("/rooms/a:b@c;d=e,f", "a:b@c;d=e,f", ""),
        ("/rooms/..", "..", ""),
    ] {
        let mut client = site.open(target).await;
        let path = target.split('?').next().unwrap_or_default();
        let seen = client.expect_json().await;
        let expected = json!({"room": room, "name": "stranger", "query": query, "path": path});
        assert_eq!(seen, expected, "for {target}");
        client.close().await;
    }
}

/// Raw bytes above ASCII are no part of a target, in its path or its query.
pub async fn raw_bytes(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for target in ["/rooms/caf\u{e9}", "/rooms/a?b=\u{e9}", "/\u{e9}"] {
        site.request(Request::upgrade(target)).await.expect(400);
        site.request(Request::plain("GET", target))
            .await
            .expect(400);
    }
}

/// Headers are found whatever their case.
pub async fn headers_in_any_case(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for name in ["x-client-name", "X-Client-Name", "X-CLIENT-NAME"] {
        let mut client = site
            .open_with(Request::upgrade("/rooms/a").with(name, "Ada"))
            .await;
        assert_eq!(client.expect_json().await["name"], "Ada");
    }
}

/// A trailing slash is significant.
pub async fn trailing_slash(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for target in ["/echo/", "/rooms/a/", "/fallback/"] {
        site.request(Request::upgrade(target)).await.expect(404);
    }
    let site = Site::of(host, |app| {
        app.route(named("/a", "without"))
            .route(named("/a/", "with"))
    })
    .await;
    site.open("/a").await.expect_text("without").await;
    site.open("/a/").await.expect_text("with").await;
}

/// An empty parameter does not match.
pub async fn empty_parameter(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for target in ["/rooms", "/rooms/", "/push//5", "/push/5/"] {
        site.request(Request::upgrade(target))
            .await
            .expect_problem(404, "WHARF_NOT_FOUND");
    }
}

/// Double slashes are not collapsed.
pub async fn double_slashes(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for target in ["//echo", "/rooms//a", "/echo//"] {
        site.request(Request::upgrade(target))
            .await
            .expect_problem(404, "WHARF_NOT_FOUND");
    }
}

/// What can never fit is refused when the app is built, naming route and value: patterns that are
/// written as other routers write them, and a `Path` that the pattern cannot fill.
pub async fn refused_by_build(_: &dyn Host) {
    async fn two(_: Path<(String, u32)>, _: Socket) {}
    async fn one(_: Path<u32>, _: Socket) {}
    for (route, names) in [
        (Route::new("/w/:id", echo), [r#""/w/:id""#, r#"":id""#]),
        (Route::new("/w/<id>", echo), [r#""/w/<id>""#, r#""<id>""#]),
        (
            Route::new("/w/*rest", echo),
            [r#""/w/*rest""#, r#""*rest""#],
        ),
        (Route::new("/w/{a}", two), ["/w/{a}", "takes 2"]),
        (Route::new("/w", one), ["/w", "takes 1"]),
        (Route::new("/w/{a}/{b}", one), ["/w/{a}/{b}", "takes 1"]),
        (
            Route::new("/w", echo).deprecated("soon", None, None),
            ["/w", r#""soon""#],
        ),
    ] {
        let error = App::builder()
            .route(route)
            .build()
            .expect_err("cannot work");
        for name in names {
            assert!(error.message().contains(name), "{error}");
        }
    }
}

/// A parameter that does not decode to UTF-8 is 400.
pub async fn not_utf8(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for target in ["/rooms/%FF", "/rooms/a%C3", "/rooms/%ED%A0%80"] {
        site.request(Request::upgrade(target))
            .await
            .expect_problem(400, "WHARF_PATH_NOT_UTF8");
    }
}

/// `{*rest}` takes the rest of the path, slashes and all, but not nothing.
pub async fn rest(host: &dyn Host) {
    let files = async |Path(rest): Path<String>, mut socket: Socket| socket.write(rest).await;
    let site = Site::of(host, |app| app.route(Route::new("/files/{*rest}", files))).await;
    for (target, rest) in [
        ("/files/a", "a"),
        ("/files/a/b%20c/d", "a/b c/d"),
        ("/files/a//b", "a//b"),
        ("/files/a/", "a/"),
    ] {
        site.open(target).await.expect_text(rest).await;
    }
    site.request(Request::upgrade("/files/")).await.expect(404);
    site.request(Request::upgrade("/files")).await.expect(404);
}

/// A literal segment wins over a parameter, and is matched as it is written, not decoded.
pub async fn literals(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(named("/rooms/new", "literal"))
            .route(named("/rooms/{room}", "parameter"))
            .route(named("/only", "only"))
    })
    .await;
    site.open("/rooms/new").await.expect_text("literal").await;
    site.open("/rooms/news")
        .await
        .expect_text("parameter")
        .await;
    site.open("/rooms/%6Eew")
        .await
        .expect_text("parameter")
        .await;
    site.request(Request::upgrade("/%6Fnly")).await.expect(404);
    site.request(Request::upgrade("/Only")).await.expect(404);
}

/// Several parameters are taken in order, parsed, and one that does not parse is 400.
pub async fn typed_parameters(host: &dyn Host) {
    let seats = async |Path((row, seat)): Path<(u32, String)>, mut socket: Socket| -> Result<()> {
        socket.write(format!("row {row} seat {seat}")).await
    };
    let site = Site::of(host, |app| {
        app.route(Route::new("/rows/{row}/{seat}", seats))
    })
    .await;
    site.open("/rows/12/a%20b")
        .await
        .expect_text("row 12 seat a b")
        .await;
    let refused = site.request(Request::upgrade("/rows/twelve/a")).await;
    refused.expect_problem(400, "WHARF_PATH_PARAMETER");
}

/// Groups put their prefix before their routes, and nest.
pub async fn groups(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let inner = Group::new("/v1").route(Route::new("/echo", echo));
        app.group(
            Group::new("/api")
                .route(named("/echo", "outer"))
                .group(inner),
        )
    })
    .await;
    site.open("/api/echo").await.expect_text("outer").await;
    site.open("/api/v1/echo").await.expect_echo("inner").await;
    site.request(Request::upgrade("/v1/echo")).await.expect(404);
    site.request(Request::upgrade("/echo")).await.expect(404);
}

/// A route that says its name.
fn named(pattern: &str, name: &'static str) -> Route {
    Route::new(pattern, move |mut socket: Socket| async move {
        socket.write(name).await
    })
}
