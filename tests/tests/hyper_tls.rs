//! The contract on hyper over TLS, and what belongs to TLS alone.
#![cfg(feature = "hyper")]

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use wharf_conformance::{
    Certificate, Client, HyperTlsHost, Request, Running, TcpServer, client::PATIENCE, fixture,
};
use wharf_hyper::{Tls, rustls::server::ResolvesServerCertUsingSni};

wharf_conformance::conformance!(HyperTlsHost);

/// A folder of a test's own, with a certificate in it.
struct Files {
    folder: PathBuf,
}

impl Files {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self { folder }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// Reads the certificate and the key that were written last.
    fn tls(&self) -> wharf_sdk::Result<Tls> {
        Tls::from_pem_files(self.folder.join("cert.pem"), self.folder.join("key.pem"))
    }

    fn put(&self, certificate: &Certificate) {
        self.write("cert.pem", &certificate.certificate_pem);
        self.write("key.pem", &certificate.key_pem);
    }
}

async fn serve(tls: Tls) -> TcpServer {
    serve_with(tls, PATIENCE).await
}

async fn serve_with(tls: Tls, head_timeout: Duration) -> TcpServer {
    let app = fixture::app(None).expect("valid").app;
    TcpServer::start(async move || {
        let builder = wharf_hyper::server(app).tcp("127.0.0.1:0").tls(tls);
        let builder = builder.head_timeout(head_timeout);
        let server = builder.bind().await.expect("a free port");
        (server.local_addr(), server.run())
    })
    .await
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_drops_no_socket() {
    let files = Files::new("reload");
    let (old, new) = (Certificate::generate(), Certificate::generate());
    files.put(&old);
    let tls = files.tls().expect("they fit");
    let server = serve(tls.clone()).await.over_tls(old.clone());
    let mut client = Client::new(server.request(Request::upgrade("/echo")).await);
    client.expect_echo("before").await;

    files.put(&new);
    tls.reload().expect("they fit");
    client.expect_echo("behind").await;
    let address = server.address();
    new.connect(address, &[]).await.expect("the new one");
    assert!(old.connect(address, &[]).await.is_err(), "not the old one");

    // One that fails changes nothing.
    files.write("key.pem", &old.key_pem);
    let refused = tls.reload().expect_err("the key is another's");
    assert_eq!(refused.code(), "WHARF_TLS_FILES");
    new.connect(address, &[]).await.expect("still the new one");
    client.expect_echo("all along").await;
}

#[tokio::test]
async fn a_resolver_chooses_by_name() {
    let mut resolver = ResolvesServerCertUsingSni::new();
    let known = ["one.test", "other.test"].map(|name| {
        let certificate = Certificate::generate_for(name);
        let key = certificate.to_certified_key();
        resolver.add(name, key).expect("the name is in it");
        certificate
    });
    let tls = Tls::from_resolver(Arc::new(resolver)).expect("ring has what it needs");
    tls.reload().expect("there is nothing to read");
    let server = serve(tls).await;
    let address = server.address();
    let stranger = Certificate::generate_for("stranger.test");
    assert!(stranger.connect(address, &[]).await.is_err());
    for certificate in known {
        let server = certificate.connect(address, &[]).await;
        server.expect("the certificate of this name");
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    let refusal = |files: &Files| {
        let error = files.tls().expect_err("they do not fit");
        assert_eq!(error.code(), "WHARF_TLS_FILES");
        error.to_string()
    };
    let files = Files::new("misfits");
    let (one, other) = (Certificate::generate(), Certificate::generate());
    files.put(&one);
    files.write("key.pem", &other.key_pem);
    let said = refusal(&files);
    assert!(
        said.contains("key.pem") && said.contains("cert.pem"),
        "{said}"
    );
    files.write("key.pem", "not a key");
    assert!(refusal(&files).contains("key.pem holds no private key"));
    files.put(&one);
    for nothing in ["", &one.key_pem] {
        files.write("cert.pem", nothing);
        assert!(refusal(&files).contains("cert.pem holds no certificate"));
    }
    fs::remove_file(files.folder.join("cert.pem")).expect("removed");
    assert!(refusal(&files).contains("cert.pem"));
}

#[tokio::test]
async fn plain_http_is_told_that_this_is_tls() {
    let server = serve(Certificate::generate().to_tls()).await;
    let told = server.request(Request::upgrade("/echo")).await;
    told.expect_problem(400, "WHARF_TLS_REQUIRED");
}

#[tokio::test]
async fn handshakes_have_a_deadline() {
    let tls = Certificate::generate().to_tls();
    let server = serve_with(tls, Duration::from_millis(500)).await;
    // Nothing; the head of a record; something else altogether.
    for sent in [&b""[..], b"\x16\x03\x01\x02", b"\x00\x01"] {
        let mut stream = TcpStream::connect(server.address())
            .await
            .expect("accepted");
        stream.write_all(sent).await.expect("sent");
        let mut said = [0; 64];
        let ending = async { while stream.read(&mut said).await.is_ok_and(|count| count > 0) {} };
        timeout(PATIENCE, ending).await.expect("an end in time");
    }
}

/// The default origin policy compares schemes: the app knows that it is reached by TLS.
#[tokio::test]
async fn the_app_knows_that_it_is_secure() {
    let certificate = Certificate::generate();
    let server = serve(certificate.to_tls()).await.over_tls(certificate);
    let from = |origin: &str| Request::upgrade("/same-origin").with("Origin", origin);
    server.request(from("https://wharf.test")).await.expect(101);
    server.request(from("http://wharf.test")).await.expect(403);
}
