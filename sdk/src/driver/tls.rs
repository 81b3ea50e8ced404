//! TLS, by rustls: what every driver's server shows, and what it says to those who speak plain HTTP.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

use crate::{
    driver::serve::http1_answer,
    message::{BoxError, Error, ErrorKind, Result},
};

/// The certificate that a server shows, and its key. A clone is the same one: keep it to
/// [reload](Self::reload).
///
/// ```no_run
/// # fn begin() -> wharf_sdk::Result<()> {
/// use wharf_sdk::driver::Tls;
///
/// let tls = Tls::from_pem_files("cert.pem", "key.pem")?;
/// // A server gets a clone. And when the files have changed: what is connected stays so.
/// tls.reload()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    config: ServerConfig,
    files: Option<Arc<PemFiles>>,
}

impl Tls {
    /// The certificate chain (the server's own certificate first) and the private key in these
    /// files. TLS 1.2 and 1.3, no client certificates.
    ///
    /// # Errors
    ///
    /// `WHARF_TLS_FILES`, naming the file, if one cannot be read, has nothing of the kind, or if
    /// the key is not the certificate's.
    pub fn from_pem_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self> {
        let files = Arc::new(PemFiles::load(certificate.into(), key.into())?);
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<PemFiles>::clone(&files);
        Ok(Self {
            files: Some(files),
            ..Self::from_resolver(resolver)?
        })
    }

    /// The certificate that the resolver chooses for each client: by server name, or by a protocol
    /// that issues them.
    ///
    /// # Errors
    ///
    /// `WHARF_TLS_PROVIDER` if the process's provider of cryptography lacks what TLS 1.2 and 1.3
    /// need.
    pub fn from_resolver(resolver: Arc<dyn ResolvesServerCert>) -> Result<Self> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|cause| {
                Error::new(
                    ErrorKind::Config,
                    "WHARF_TLS_PROVIDER",
                    "the process's provider of cryptography cannot serve TLS; install another as \
                     its default",
                )
                .with_source(cause)
            })?;
        Ok(Self::from_config(
            builder.with_no_client_auth().with_cert_resolver(resolver),
        ))
    }

    /// Everything as in this configuration, but for the protocols of ALPN: those are the server's.
    pub fn from_config(config: ServerConfig) -> Self {
        Self {
            config,
            files: None,
        }
    }

    /// Reads the files again. Connections that are open keep what they have; the next handshake
    /// shows the new certificate. Does nothing for a resolver or a configuration of your own.
    ///
    /// It reads files without leaving the thread: two small ones.
    ///
    /// # Errors
    ///
    /// As [`from_pem_files`](Self::from_pem_files). The old certificate stays, and a log line says
    /// so.
    pub fn reload(&self) -> Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        files.reload().inspect_err(|error| {
            tracing::error!(%error, "the certificate was not reloaded; the old one stays");
        })
    }

    /// What accepts the connections of a server that speaks these protocols, by their names in ALPN.
    pub fn into_acceptor(mut self, protocols: &[&[u8]]) -> TlsAcceptor {
        self.config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(self.config).into()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// The process's provider of cryptography, or *ring*.
fn provider() -> Arc<CryptoProvider> {
    let own = || Arc::new(ring::default_provider());
    CryptoProvider::get_default().cloned().unwrap_or_else(own)
}

/// A certificate and its key, in two files.
struct PemFiles {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl PemFiles {
    fn load(certificate: PathBuf, key: PathBuf) -> Result<Self> {
        let current = read(&certificate, &key)?;
        Ok(Self {
            certificate,
            key,
            current: RwLock::new(Arc::new(current)),
        })
    }

    fn reload(&self) -> Result<()> {
        let new = Arc::new(read(&self.certificate, &self.key)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

impl ResolvesServerCert for PemFiles {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

impl fmt::Debug for PemFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemFiles")
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey> {
    let unreadable = |file: &Path, what: &'static str| {
        let file = file.display().to_string();
        move |cause: BoxError| unusable(format!("{file} holds no {what} in PEM"), cause)
    };
    let no_chain = unreadable(certificate, "certificate");
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|cause| no_chain(cause.into()))?;
    if chain.is_empty() {
        return Err(unreadable(certificate, "certificate")("it is empty".into()));
    }
    let no_key = unreadable(key, "private key");
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|cause| no_key(cause.into()))?;
    CertifiedKey::from_der(chain, secret, &provider()).map_err(|cause| {
        let (key, certificate) = (key.display(), certificate.display());
        let what = format!("the key in {key} is not that of the certificate in {certificate}");
        unusable(what, cause)
    })
}

/// The answer to plain HTTP on a port that speaks TLS: a whole HTTP/1.1 response.
pub fn tls_required() -> Vec<u8> {
    http1_answer(&Error::new(
        ErrorKind::BadRequest,
        "WHARF_TLS_REQUIRED",
        "this port speaks TLS; connect with wss:// or https://",
    ))
}

/// Whether what comes first on a connection is a method of HTTP, and no handshake.
pub fn is_plain_http(first: &[u8]) -> bool {
    first.first().is_some_and(u8::is_ascii_uppercase)
}

fn unusable(what: impl fmt::Display, cause: impl Into<BoxError>) -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_TLS_FILES",
        format!("{what}; give the server's certificate chain and its own key"),
    )
    .with_source(cause)
}
