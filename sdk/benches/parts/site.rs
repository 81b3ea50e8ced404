//! Apps and requests to them.

use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use tokio::runtime::Runtime;
use wharf_sdk::{
    App, Result, Route, Socket,
    driver::{Decision, Upgrade, UpgradeRequest},
};

use super::clock;

type Header = (&'static str, &'static str);

/// What a browser sends.
const HEADERS: [Header; 12] = [
    ("host", "example.org"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    ("accept", "*/*"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("origin", "http://example.org"),
    ("connection", "keep-alive, Upgrade"),
    ("cache-control", "no-cache"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-extensions", "permessage-deflate"),
];

/// An app with many routes.
pub(crate) struct Site {
    app: App,
    runtime: Runtime,
}

impl Site {
    /// Half of the routes are plain paths, half have a parameter.
    pub(crate) fn with_routes(count: usize) -> Self {
        let mut builder = App::builder();
        for number in 0..count / 2 {
            builder = builder
                .route(Route::new(format!("/plain/{number:05}/echo"), idle))
                .route(Route::new(format!("/rooms/{number:05}/{{room}}"), idle));
        }
        let site = Self {
            app: builder.build().expect("no two patterns clash"),
            runtime: clock(),
        };
        // What is made on first use.
        site.decide(&["/plain/00000/echo", "/rooms/00000/lobby"]);
        site
    }

    /// Decides on one request for each path; all are upgraded.
    pub(crate) fn decide(&self, paths: &[&str]) {
        let _guard = self.runtime.enter();
        for path in paths {
            drop(accept(&self.app, path));
        }
    }

    /// Decides on one request to a path where there is no route.
    pub(crate) fn refuse(&self, path: &str) {
        let _guard = self.runtime.enter();
        let decision = decide(&self.app, path, &HEADERS);
        assert!(matches!(decision, Decision::Respond(_)), "{decision:?}");
    }
}

/// Decides on an upgrade request.
pub(crate) fn accept(app: &App, path: &str) -> Upgrade {
    upgrade(app, path, &HEADERS)
}

/// The same of a client that offers no compression.
pub(crate) fn accept_plain(app: &App, path: &str) -> Upgrade {
    let offers = |header: &(&str, &str)| header.0 == "sec-websocket-extensions";
    let plain: Vec<_> = HEADERS
        .into_iter()
        .filter(|header| !offers(header))
        .collect();
    upgrade(app, path, &plain)
}

fn upgrade(app: &App, path: &str, headers: &[Header]) -> Upgrade {
    match decide(app, path, headers) {
        Decision::Upgrade(upgrade) => upgrade,
        answer => panic!("{path}: {answer:?}"),
    }
}

fn decide(app: &App, path: &str, headers: &[Header]) -> Decision {
    let headers = headers.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    let request = UpgradeRequest {
        method: Method::GET,
        uri: path.parse().expect("a path"),
        mount: String::new(),
        version: Version::HTTP_11,
        headers: HeaderMap::from_iter(headers),
        peer: None,
        is_secure: false,
        protocol: None,
        extensions: http::Extensions::new(),
    };
    let decision = app.decide(request, "memory").now_or_never();
    decision.expect("nothing in the chain waits")
}

async fn idle(mut socket: Socket) -> Result<()> {
    while socket.read().await?.is_some() {}
    Ok(())
}
