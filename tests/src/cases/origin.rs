//! Which pages may connect.

use wharf_sdk::{Configure, OriginPolicy, Route, TrustedProxies};

use crate::{Host, Request, Site, fixture::echo};

/// By default a page of the server itself may connect: the same scheme, host and port.
pub async fn same_origin(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let (scheme, default_port) = match host.is_secure() {
        true => ("https", "wharf.test:443"),
        false => ("http", "wharf.test:80"),
    };
    for (host_header, origin) in [
        ("wharf.test", "wharf.test"),
        (default_port, "wharf.test"),
        ("wharf.test", default_port),
        ("wharf.test:8080", "wharf.test:8080"),
        ("WHARF.test", "wharf.TEST"),
        ("[::1]:8080", "[::1]:8080"),
        ("127.0.0.1:9101", "127.0.0.1:9101"),
    ] {
        let origin = format!("{scheme}://{origin}");
        for path in ["/same-origin", "/echo"] {
            let request = from(path, &origin).replacing("Host", host_header);
            site.open_with(request).await.expect_echo(&origin).await;
        }
    }
}

/// Any other page may not: another scheme, host or port, a part of the name, no origin at all.
pub async fn other_origins(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let (own, other) = match host.is_secure() {
        true => ("https:", "http:"),
        false => ("http:", "https:"),
    };
    for (scheme, rest) in [
        (other, "//wharf.test"),
        (own, "//evil.example"),
        (own, "//wharf.test:8080"),
        (own, "//sub.wharf.test"),
        (own, "//wharf.test.evil.example"),
        (own, "//evilwharf.test"),
        (own, "//wharf.test@evil.example"),
        ("null", ""),
        ("", ""),
        ("", "wharf.test"),
        ("", "//wharf.test"),
        (own, "//"),
        (own, "//wharf.test/path"),
        ("file:", "//"),
    ] {
        let origin = &*format!("{scheme}{rest}");
        for path in ["/same-origin", "/echo"] {
            let answer = site.request(from(path, origin)).await;
            answer.expect_problem(403, "WHARF_ORIGIN_DENIED");
        }
    }
    let not_text = Request::upgrade("/echo").with("Origin", b"http://wharf.test\xFF".to_vec());
    site.request(not_text)
        .await
        .expect_problem(403, "WHARF_ORIGIN_DENIED");
}

/// Pages of others may be added to the server's own.
pub async fn same_origin_and_others(host: &dyn Host) {
    let origins = ["https://app.example", "https://*.eu.example"];
    let policy = OriginPolicy::same_origin().and(origins).expect("origins");
    let site = Site::of(host, |app| {
        app.route(Route::new("/echo", echo).origins(policy))
    })
    .await;
    let own = match host.is_secure() {
        true => "https://wharf.test",
        false => "http://wharf.test",
    };
    for origin in [own, "https://app.example", "https://shop.eu.example"] {
        let mut client = site.open_with(from("/echo", origin)).await;
        client.expect_echo(origin).await;
    }
    for origin in [
        "http://app.example",
        "https://eu.example",
        "https://evil.example",
    ] {
        let answer = site.request(from("/echo", origin)).await;
        answer.expect_problem(403, "WHARF_ORIGIN_DENIED");
    }
}

/// Without an `Origin` there is no page to protect: native clients may connect.
pub async fn no_origin(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for path in ["/same-origin", "/origins", "/echo"] {
        site.open(path).await.expect_echo("native").await;
    }
}

/// A policy may refuse a missing `Origin`.
pub async fn origin_required(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new("/echo", echo).origins(OriginPolicy::same_origin().require_origin()))
    })
    .await;
    site.request(Request::upgrade("/echo"))
        .await
        .expect_problem(403, "WHARF_ORIGIN_DENIED");
    let own = match host.is_secure() {
        true => "https://wharf.test",
        false => "http://wharf.test",
    };
    site.open_with(from("/echo", own))
        .await
        .expect_echo("a page")
        .await;
}

/// Several `Origin` headers are none that can be trusted.
pub async fn several_origins(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let request = from("/echo", "http://wharf.test").with("Origin", "http://wharf.test");
    site.request(request)
        .await
        .expect_problem(403, "WHARF_ORIGIN_DENIED");
}

/// A list allows what is on it, and not even the server's own origin besides.
pub async fn list(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for origin in [
        "https://app.example",
        "https://APP.example",
        "https://app.example:443",
    ] {
        site.open_with(from("/origins", origin))
            .await
            .expect_echo("listed")
            .await;
    }
    for origin in [
        "http://app.example",
        "https://app.example:8443",
        "https://sub.app.example",
        "https://app.example.evil.example",
        "http://wharf.test",
        "null",
    ] {
        let answer = site.request(from("/origins", origin)).await;
        answer.expect_problem(403, "WHARF_ORIGIN_DENIED");
    }
}

/// A wildcard on a list stands for subdomains, and not for the domain itself.
pub async fn wildcard(host: &dyn Host) {
    let policy = OriginPolicy::list(["https://*.app.example"]).expect("an origin");
    let site = Site::of(host, |app| {
        app.route(Route::new("/echo", echo).origins(policy))
    })
    .await;
    for origin in ["https://a.app.example", "https://a.b.app.example"] {
        site.open_with(from("/echo", origin))
            .await
            .expect_echo("listed")
            .await;
    }
    for origin in [
        "https://app.example",
        "https://evilapp.example",
        "http://a.app.example",
    ] {
        site.request(from("/echo", origin))
            .await
            .expect_problem(403, "WHARF_ORIGIN_DENIED");
    }
}

/// Every page may connect where the route says so, by a name that warns.
pub async fn any(host: &dyn Host) {
    let policy = OriginPolicy::dangerously_allow_any_origin();
    let site = Site::of(host, |app| {
        app.route(Route::new("/echo", echo).origins(policy))
    })
    .await;
    for origin in ["https://evil.example", "null", "http://wharf.test"] {
        site.open_with(from("/echo", origin))
            .await
            .expect_echo("anybody")
            .await;
    }
}

/// The forwarded scheme and host count behind a trusted proxy, and only there.
pub async fn behind_a_proxy(host: &dyn Host) {
    let forwarded = || {
        from("/echo", "https://public.example")
            .with("X-Forwarded-Proto", "https")
            .with("X-Forwarded-Host", "public.example")
    };
    let untrusting = Site::of(host, |app| app.route(Route::new("/echo", echo))).await;
    let refused = untrusting.request(forwarded()).await;
    refused.expect_problem(403, "WHARF_ORIGIN_DENIED");

    let trusting = Site::of(host, |app| {
        let here = std::net::IpAddr::from([127, 0, 0, 1]);
        app.trust_proxies(TrustedProxies::at([here]))
            .route(Route::new("/echo", echo))
    })
    .await;
    trusting
        .open_with(forwarded())
        .await
        .expect_echo("forwarded")
        .await;
    let own = from("/echo", "http://wharf.test").with("X-Forwarded-Proto", "https");
    trusting
        .request(own)
        .await
        .expect_problem(403, "WHARF_ORIGIN_DENIED");
    // A client's own claim stands before what the proxy appends.
    let claimed = forwarded().replacing("X-Forwarded-Proto", "https, http");
    trusting
        .request(claimed)
        .await
        .expect_problem(403, "WHARF_ORIGIN_DENIED");
}

fn from(path: &str, origin: &str) -> Request {
    Request::upgrade(path).with("Origin", origin)
}
