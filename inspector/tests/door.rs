//! Who may see the page, and who opens its socket.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod site;

use site::{app, next, watching_only};
use wharf_inspector::Inspector;
use wharf_sdk::{
    Configure, OriginPolicy,
    http::Method,
    testing::{TestHost, TestSocket},
};

/// What the page says to show that it is ours.
fn proof(html: &str) -> String {
    let proof = html.split("name=\"proof\" content=\"").nth(1).unwrap();
    format!("proof.{}", proof.split('"').next().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_page_is_for_those_with_a_token_and_the_scope() {
    let host = watching_only();
    let get = || host.http(Method::GET, "/inspect");
    let refused = get().send().await;
    assert_eq!(refused.status(), 401);
    assert_eq!(get().bearer("wrong").send().await.status(), 401);
    assert_eq!(get().bearer("letmein-noscope").send().await.status(), 403);
    let asked = get().header("accept", "text/html").send().await;
    assert_eq!(asked.status(), 401);
    assert!(
        std::str::from_utf8(asked.body())
            .unwrap()
            .contains("id=\"token\"")
    );

    let page = get().bearer("letmein").send().await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = std::str::from_utf8(page.body()).unwrap();
    assert!(!html.contains("letmein"), "the token is in the page");
}

#[tokio::test(start_paused = true)]
async fn the_socket_is_checked_as_the_page_is() {
    let host = watching_only();
    let connect = || host.connect("/inspect");
    connect().expect_rejected(401).await;
    connect()
        .bearer("letmein-noscope")
        .expect_rejected(403)
        .await;
    connect()
        .bearer("letmein")
        .origin("https://evil.example")
        .expect_rejected(403)
        .await;
    let mut watcher = connect().bearer("letmein").await;
    assert_eq!(next(&mut watcher, "hello").await["who"], "alice");
}

#[tokio::test(start_paused = true)]
async fn a_cookie_alone_opens_no_socket() {
    let host = watching_only();
    let page = host
        .http(Method::GET, "/inspect")
        .bearer("letmein")
        .send()
        .await;
    let cookie = page.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let proof = proof(std::str::from_utf8(page.body()).unwrap());

    let connect = || host.connect("/inspect").header("cookie", cookie);
    connect().expect_rejected(403).await;
    connect()
        .protocols(["wharf.inspector", "proof.guessed"])
        .expect_rejected(403)
        .await;
    let watcher = connect().protocols(["wharf.inspector", &proof]).await;
    let selected = &watcher.response().headers()["sec-websocket-protocol"];
    assert_eq!(selected, "wharf.inspector");
}

#[tokio::test(start_paused = true)]
async fn the_cookie_stays_on_tls_where_it_came_over_tls() {
    let host = watching_only();
    let get = || host.http(Method::GET, "/inspect").bearer("letmein");
    let cookie =
        |page: &wharf_sdk::Response| page.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(!cookie(&get().send().await).contains("Secure"));
    assert!(cookie(&get().secure().send().await).contains("; Secure; "));
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_are_refused_whatever_the_app_allows() {
    let lax = app().origins(OriginPolicy::dangerously_allow_any_origin());
    let host = site::mount(Inspector::new("/inspect"), lax);
    host.connect("/inspect")
        .bearer("letmein")
        .origin("https://evil.example")
        .expect_rejected(403)
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_open_door_lets_only_its_own_page_in() {
    let inspector = Inspector::new("/inspect").dangerously_open();
    let host = TestHost::new(inspector.mount(app()).build().unwrap());
    let page = host.http(Method::GET, "/inspect").send().await;
    let proof = proof(std::str::from_utf8(page.body()).unwrap());
    let from_a_page = || host.connect("/inspect").origin("http://test.example");
    from_a_page().expect_rejected(403).await;
    let mut watcher: TestSocket = from_a_page().protocols(["wharf.inspector", &proof]).await;
    assert_eq!(next(&mut watcher, "hello").await["who"], "anybody");
    host.connect("/inspect").await;
}
