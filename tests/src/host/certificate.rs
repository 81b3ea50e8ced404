//! Certificates of a moment, and clients that trust them.

use std::{net::SocketAddr, sync::Arc};

use rcgen::generate_simple_self_signed;
use tokio::net::TcpStream;
use wharf_sdk::driver::{
    Tls,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        sign::CertifiedKey,
    },
    tokio_rustls::{TlsConnector, client::TlsStream},
};

/// A self-signed certificate, with its key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// The private key in PEM.
    pub key_pem: String,
    name: ServerName<'static>,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one for `wharf.test`.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn generate() -> Self {
        Self::generate_for("wharf.test")
    }

    /// Makes one for this host.
    ///
    /// # Panics
    ///
    /// If this is no name of a host, or there is no randomness.
    pub fn generate_for(name: &str) -> Self {
        let made = generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        Self {
            name: ServerName::try_from(name.to_owned()).expect("a name"),
            certificate_pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
            der: made.cert.der().clone(),
        }
    }

    /// What a resolver answers with.
    ///
    /// # Panics
    ///
    /// If it was changed to something that is no key.
    pub fn to_certified_key(&self) -> CertifiedKey {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("a key");
        let key = ring::sign::any_supported_type(&key).expect("a key of a kind that is known");
        CertifiedKey::new(vec![self.der.clone()], key)
    }

    /// A server's half.
    ///
    /// # Panics
    ///
    /// If it was changed to something that is no key of the certificate.
    pub fn to_tls(&self) -> Tls {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = builder
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone()], key);
        Tls::from_config(config.expect("they fit"))
    }

    /// Connects to a server that is expected to show this certificate, offering these protocols.
    ///
    /// # Errors
    ///
    /// If the server shows another, or ends the connection.
    ///
    /// # Panics
    ///
    /// If the server does not accept.
    pub async fn connect(
        &self,
        address: SocketAddr,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let mut config = builder
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| (*name).into()).collect();
        let stream = TcpStream::connect(address).await.expect("accepted");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(self.name.clone(), stream).await
    }
}
