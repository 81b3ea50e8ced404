//! TLS: whom to trust, and who this side is.

use std::{fmt, sync::Arc};

use tokio::sync::OnceCell;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    },
};
use url::Host;
use wharf_sdk::{Error, ErrorKind, Result};

use super::stream::{Plain, Stream};

/// Whom a client trusts over TLS, and who it says it is. By default: the system's roots, nobody.
///
/// Its `Debug` shows no key.
///
/// ```no_run
/// use wharf_client::{Client, Tls};
///
/// # fn main() -> wharf_sdk::Result<()> {
/// let ours = std::fs::read("ca.pem")?;
/// let client = Client::builder().tls(Tls::new().only_roots_pem(&ours)?).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Tls {
    roots: Vec<CertificateDer<'static>>,
    without_system_roots: bool,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    accepts_any_certificate: bool,
}

impl Tls {
    /// The system's roots, no certificate of one's own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these roots besides the system's.
    ///
    /// # Errors
    ///
    /// `WHARF_CONFIG` if there is no certificate in it.
    pub fn roots_pem(mut self, pem: &[u8]) -> Result<Self> {
        self.roots.extend(certificates(pem)?);
        Ok(self)
    }

    /// Trusts these roots and none of the system's.
    ///
    /// # Errors
    ///
    /// `WHARF_CONFIG` if there is no certificate in it.
    pub fn only_roots_pem(mut self, pem: &[u8]) -> Result<Self> {
        self.without_system_roots = true;
        self.roots_pem(pem)
    }

    /// Shows this certificate chain, its own first, to servers that ask for one.
    ///
    /// # Errors
    ///
    /// `WHARF_CONFIG` if there is no certificate in `chain`, or no private key in `key`.
    pub fn identity_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self> {
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| config("there is no private key in the PEM of the identity"))?;
        self.identity = Some((certificates(chain)?, key));
        Ok(self)
    }

    /// Takes every certificate of every server: whoever sits on the way can read and change
    /// everything. For tests on one's own machine only.
    #[must_use]
    pub fn dangerously_accept_any_certificate(mut self) -> Self {
        self.accepts_any_certificate = true;
        self
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("without_system_roots", &self.without_system_roots)
            .field("has_identity", &self.identity.is_some())
            .field("accepts_any_certificate", &self.accepts_any_certificate)
            .finish()
    }
}

/// A client's TLS, made ready with the first connection that needs it: reading the system's roots
/// takes a while.
#[derive(Default)]
pub(crate) struct LazyTls {
    tls: Tls,
    connector: OnceCell<TlsConnector>,
}

impl LazyTls {
    pub(crate) fn new(tls: Tls) -> Self {
        Self {
            tls,
            connector: OnceCell::new(),
        }
    }

    /// Speaks TLS with the server that is `host`.
    pub(crate) async fn wrap(&self, io: Plain, host: &Host<String>) -> Result<Stream> {
        let connector = self.connector.get_or_try_init(|| self.connector()).await?;
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|cause| {
                failed("the host's name can be in no certificate").with_source(cause)
            })?,
            Host::Ipv4(ip) => ServerName::from(std::net::IpAddr::from(*ip)),
            Host::Ipv6(ip) => ServerName::from(std::net::IpAddr::from(*ip)),
        };
        let stream = connector.connect(name, io).await.map_err(explain)?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    async fn connector(&self) -> Result<TlsConnector> {
        // What a process installs for itself (FIPS, say) is used; else there is always *ring*.
        let provider = match CryptoProvider::get_default() {
            Some(installed) => Arc::clone(installed),
            None => Arc::new(ring::default_provider()),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|cause| {
                config("the crypto provider has no cipher suites").with_source(cause)
            })?;
        let builder = if self.tls.accepts_any_certificate {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(self.root_store().await?)
        };
        let mut config = match &self.tls.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|cause| {
                    config("the private key does not belong to the certificate").with_source(cause)
                })?,
        };
        // A server that also speaks HTTP/2 must not choose it.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }

    async fn root_store(&self) -> Result<RootCertStore> {
        let mut store = RootCertStore::empty();
        if !self.tls.without_system_roots {
            // From files: not on a thread that serves connections.
            let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            let certificates = found.map(|found| found.certs).unwrap_or_default();
            store.add_parsable_certificates(certificates);
        }
        for root in &self.tls.roots {
            store.add(root.clone()).map_err(|cause| {
                config("a root is not a certificate that can be used").with_source(cause)
            })?;
        }
        if store.is_empty() {
            return Err(config(
                "no certificate authority is trusted: the system has none, and none was given; \
                 install ca-certificates, or add roots",
            ));
        }
        Ok(store)
    }
}

impl fmt::Debug for LazyTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tls.fmt(f)
    }
}

/// Says what is wrong with a server's certificate.
fn explain(cause: std::io::Error) -> Error {
    use rustls::{CertificateError as Bad, Error as Tls};
    let tls = cause.get_ref().and_then(|cause| cause.downcast_ref());
    let certificate = |what: &'static str| {
        let message = format!("{what}; connect to the right host, or have its owner mend it");
        Error::new(ErrorKind::Forbidden, "WHARF_TLS_CERTIFICATE", message)
    };
    let error = match tls {
        Some(Tls::InvalidCertificate(bad)) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => {
                certificate("the server's certificate has expired")
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                certificate("the server's certificate is not valid yet (is the clock right?)")
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                certificate("the server's certificate is for another host")
            }
            Bad::UnknownIssuer => certificate(
                "nobody that is trusted here has signed the server's certificate (own authorities \
                 are trusted with Tls::roots_pem)",
            ),
            Bad::Revoked => certificate("the server's certificate was revoked"),
            _ => certificate("the server's certificate is not valid"),
        },
        Some(Tls::AlertReceived(_)) => failed(
            "the server refuses the TLS handshake; it may ask for a certificate (Tls::identity_pem)",
        ),
        Some(Tls::InvalidMessage(_)) => {
            failed("the server does not speak TLS on this port; use ws:, or its other port")
        }
        Some(_) => failed("the server and this client find no common TLS; see the cause"),
        None => failed("the connection ended in the TLS handshake; check that TLS is spoken there"),
    };
    error.with_source(cause)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(config("there is no certificate in the PEM")),
    }
}

fn failed(message: &'static str) -> Error {
    Error::new(ErrorKind::Io, "WHARF_TLS", message)
}

fn config(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "WHARF_CONFIG", message)
}

/// Trusts whoever holds the key of the certificate that it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
