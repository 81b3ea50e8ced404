//! Certificates: right, and wrong in each way. All of them are made here.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    },
};
use wharf_client::{Client, Timeouts, Tls};
use wharf_sdk::Result;

use crate::servers::{answering, hello, serve};

struct Authority {
    pem: String,
    der: tokio_rustls::rustls::pki_types::CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// A server that shows this certificate, and asks for one of `clients`.
async fn server(
    (certificate, key): (rcgen::Certificate, KeyPair),
    clients: Option<&Authority>,
) -> SocketAddr {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = builder
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                hello(stream).await;
            }
        }
    })
    .await
}

/// A server, and the terms on which it is trusted.
pub(crate) async fn trusted_server() -> (SocketAddr, impl Fn() -> Tls) {
    let authority = Authority::new("ours");
    let address = server(authority.sign(|_| {}), None).await;
    (address, move || trusting(&authority))
}

/// Connects and listens: what a server says to a certificate of ours comes behind the handshake.
async fn hear(tls: Tls, address: SocketAddr, host: &str) -> Result<()> {
    let url = format!("wss://{host}:{}/", address.port());
    let mut socket = Client::builder()
        .tls(tls)
        .resolver(move |_, _| async move { Ok(vec![address]) })
        .connect(url)
        .await?;
    assert_eq!(socket.read().await?, Some("hello".into()));
    assert_eq!(socket.read().await?, None);
    socket.closed().await;
    assert!(socket.outcome().unwrap().clean);
    Ok(())
}

fn trusting(authority: &Authority) -> Tls {
    Tls::new().only_roots_pem(authority.pem.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_server_that_is_trusted_is_heard() {
    let authority = Authority::new("ours");
    let address = server(authority.sign(|_| {}), None).await;
    hear(trusting(&authority), address, "localhost")
        .await
        .unwrap();
    hear(trusting(&authority), address, "127.0.0.1")
        .await
        .unwrap();
}

#[tokio::test]
async fn certificates_that_are_wrong_are_refused() {
    let authority = Authority::new("ours");
    let expired = authority.sign(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let early = authority.sign(|params| params.not_before = date_time_ymd(2090, 1, 1));
    let for_clients = authority.sign(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let stranger = Authority::new("a stranger").sign(|_| {});
    let good = authority.sign(|_| {});
    let self_signed = {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap(), key)
    };
    for (certificate, host, word) in [
        (expired, "localhost", "expired"),
        (early, "localhost", "not valid yet"),
        (for_clients, "localhost", "not valid"),
        (stranger, "localhost", "trusted"),
        (self_signed, "localhost", "trusted"),
        (good, "other.example", "another host"),
    ] {
        let address = server(certificate, None).await;
        let error = hear(trusting(&authority), address, host).await.unwrap_err();
        assert_eq!(error.code(), "WHARF_TLS_CERTIFICATE", "{error:?}");
        assert!(error.message().contains(word), "{word}: {error}");
        let anything = Tls::new().dangerously_accept_any_certificate();
        hear(anything, address, host).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_shown() {
    let authority = Authority::new("ours");
    let address = server(authority.sign(|_| {}), Some(&authority)).await;
    let (own, key) = authority.sign(|_| {});
    let (own, key) = (own.pem(), key.serialize_pem());
    let identified = trusting(&authority)
        .identity_pem(own.as_bytes(), key.as_bytes())
        .unwrap();
    hear(identified, address, "localhost").await.unwrap();
    hear(trusting(&authority), address, "localhost")
        .await
        .expect_err("nobody");
    for (chain, key) in [("", &*key), (&own, "")] {
        let error = Tls::new()
            .identity_pem(chain.as_bytes(), key.as_bytes())
            .unwrap_err();
        assert_eq!(error.code(), "WHARF_CONFIG");
    }
}

#[tokio::test]
async fn what_does_not_speak_tls_is_a_typed_error() {
    let authority = Authority::new("ours");
    let plain = answering("HTTP/1.1 400 Bad\r\n\r\n").await;
    // It takes the hello for a head, and never answers.
    let patience = Timeouts {
        tls: Duration::from_millis(100),
        ..Timeouts::default()
    };
    let error = Client::builder()
        .tls(trusting(&authority))
        .timeouts(patience)
        .connect(format!("wss://127.0.0.1:{}/", plain.port()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "WHARF_TLS_TIMEOUT");
    let chatty = serve(|mut stream| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH\r\n").await;
    })
    .await;
    let error = hear(trusting(&authority), chatty, "localhost")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "WHARF_TLS", "{error:?}");
}
