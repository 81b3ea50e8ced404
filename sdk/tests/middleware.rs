//! The ready-made middleware, through the in-memory host.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::num::NonZeroU32;

use http::{HeaderName, HeaderValue};
use wharf_sdk::{
    App, Extension, Result, Route, Socket,
    middleware::{RequestId, RequestIdLayer, SetHeader, Trace, bearer},
    testing::TestHost,
};

async fn name_request(Extension(id): Extension<RequestId>, mut socket: Socket) -> Result<()> {
    socket.write(&*id.0).await
}

async fn silent(_: Socket) {}

#[tokio::test]
async fn a_request_id_is_taken_over_or_made_and_sent_back() {
    let app = App::builder()
        .middleware(RequestIdLayer)
        .middleware(Trace)
        .route(Route::new("/", name_request));
    let host = TestHost::new(app.build().unwrap());

    let mut client = host.connect("/").header("x-request-id", "abc-1").await;
    assert_eq!(client.response().headers()["x-request-id"], "abc-1");
    client.expect_text("abc-1").await;

    for unusable in ["has spaces", "", &"x".repeat(65)] {
        let client = host.connect("/").header("x-request-id", unusable).await;
        let id = client.response().headers()["x-request-id"]
            .to_str()
            .unwrap();
        assert!(!id.is_empty() && id != unusable && id.len() <= 64, "{id}");
    }
}

#[tokio::test]
async fn a_header_is_added_to_the_101_and_to_refusals() {
    let name = HeaderName::from_static("x-served-by");
    let app = App::builder()
        .middleware(SetHeader::new(name, HeaderValue::from_static("wharf")))
        .middleware(bearer(async |_| Ok(None)))
        .route(Route::new("/open", silent))
        .route(Route::new("/closed", silent).require_auth());
    let host = TestHost::new(app.build().unwrap());
    assert_eq!(
        host.connect("/open").await.response().headers()["x-served-by"],
        "wharf"
    );
    let refused = host.connect("/closed").expect_rejected(401).await;
    assert_eq!(refused.header("x-served-by"), Some("wharf"));
}

#[tokio::test]
async fn upgrades_beyond_the_rate_are_429_for_their_key_only() {
    use wharf_sdk::middleware::UpgradeRate;
    let two = NonZeroU32::new(2).unwrap();
    let app = App::builder()
        .middleware(UpgradeRate::per_minute(two, |context| {
            Some(context.peer()?.ip())
        }))
        .route(Route::new("/", silent));
    let host = TestHost::new(app.build().unwrap());
    for _ in 0..2 {
        host.connect("/").await;
    }
    let refused = host.connect("/").expect_rejected(429).await;
    assert_eq!(refused.code().as_deref(), Some("WHARF_UPGRADE_RATE"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=31).contains(&wait), "{wait} s");
    host.connect("/").peer("192.0.2.1:1".parse().unwrap()).await;
}
