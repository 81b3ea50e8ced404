//! A certificate of a run: servers show it, the generator trusts it and nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whom the certificate is for.
pub const NAME: &str = "wharf.test";

/// A self-signed certificate in a folder.
#[derive(Clone, Debug)]
pub struct Certificate {
    folder: PathBuf,
    roots: Arc<RootCertStore>,
}

impl Certificate {
    /// Makes one, as `cert.pem` and `key.pem`.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn generate(folder: &Path) -> io::Result<Self> {
        let made = generate_simple_self_signed([NAME.to_owned()]).map_err(io::Error::other)?;
        fs::create_dir_all(folder)?;
        fs::write(cert_file(folder), made.cert.pem())?;
        fs::write(key_file(folder), made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_slice(made.cert.pem().as_bytes());
        roots
            .add(der.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
        Ok(Self {
            folder: folder.to_owned(),
            roots: Arc::new(roots),
        })
    }

    /// Where the files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A client's half of the handshake, offering these protocols.
    ///
    /// # Errors
    ///
    /// The server shows another certificate, or ends the connection.
    pub async fn connect(
        &self,
        stream: TcpStream,
        protocols: &[&str],
    ) -> io::Result<TlsStream<TcpStream>> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let mut config = builder
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| (*name).into()).collect();
        let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }
}

/// The certificate's file in a folder.
pub fn cert_file(folder: &Path) -> PathBuf {
    folder.join("cert.pem")
}

/// The key's file in a folder.
pub fn key_file(folder: &Path) -> PathBuf {
    folder.join("key.pem")
}
