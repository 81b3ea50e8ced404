//! A program that is built without TLS never sends in plain what was meant to be secret.

#![cfg(not(feature = "tls"))]

#[tokio::test]
async fn wss_is_refused_before_any_packet() {
    let error = wharf_client::Client::builder()
        .resolver(async |_, _| panic!("a packet"))
        .connect("wss://example.com/")
        .await
        .expect_err("there is no TLS");
    assert_eq!(error.code(), "WHARF_TLS_MISSING");
}
