//! The contract on hyper, over HTTP/2 and TLS (RFC 8441).
#![cfg(feature = "hyper")]

use wharf_conformance::{Client, HyperHttp2Host, Request, Running, TcpServer, fixture};

wharf_conformance::conformance!(HyperHttp2Host);

#[tokio::test]
async fn http_1_is_beside_it_on_the_same_port() {
    let app = fixture::app(None).expect("valid").app;
    let server = HyperHttp2Host.start(app).await;
    let old = TcpServer::at(server.address()).over_tls(server.certificate.clone());
    let mut client = Client::new(old.request(Request::upgrade("/echo")).await);
    client.expect_echo("by HTTP/1.1").await;
    let mut new = server.connect().await;
    new.open("/echo").await.expect_echo("by HTTP/2").await;
}
