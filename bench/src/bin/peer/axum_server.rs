//! axum over TLS as it is done by hand: axum-server with rustls.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsConfig, from_tcp_rustls};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use wharf_bench::certificate::{cert_file, key_file};
use wharf_bench::serve::{ServeOptions, announce, runtime};

pub(crate) fn serve(options: &ServeOptions) -> io::Result<()> {
    let folder = options.tls.as_ref();
    let folder = folder.ok_or_else(|| io::Error::other("axum-server needs --tls"))?;
    let certificate = CertificateDer::from_pem_file(cert_file(folder)).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key_file(folder)).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
    let config = RustlsConfig::from_config(Arc::new(config));
    let listener = TcpListener::bind(options.addr)?;
    listener.set_nonblocking(true)?;
    runtime()?.block_on(async {
        announce(listener.local_addr()?)?;
        let app = super::axum::router().into_make_service();
        let server = from_tcp_rustls(listener, config)?;
        if options.nodelay {
            server
                .map(|acceptor| acceptor.acceptor(NoDelayAcceptor::new()))
                .serve(app)
                .await
        } else {
            server.serve(app).await
        }
    })
}
