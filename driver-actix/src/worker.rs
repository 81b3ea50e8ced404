//! What every worker of a server does with the connections that it gets.

use std::{convert::Infallible, net::SocketAddr, rc::Rc, time::Duration};

use actix_http::{HttpService, KeepAlive};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service, map_config};
use actix_web::dev::AppConfig;
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use wharf_sdk::driver::tokio_rustls::TlsAcceptor;
use wharf_sdk::{
    App,
    driver::serve::{self, Refusals, Seat, Seats},
};

use crate::{
    lend::{Lender, LentStream},
    mount::Mount,
};

/// What comes before a connection's first request.
#[derive(Clone)]
pub(crate) struct Handshake {
    /// Where the server speaks TLS.
    #[cfg(feature = "tls")]
    pub(crate) acceptor: Option<TlsAcceptor>,
}

impl Handshake {
    fn is_due(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.acceptor.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Whether there is to be a request behind it.
    #[cfg(feature = "tls")]
    async fn lead(&self, lender: &Lender) -> bool {
        let Some(acceptor) = &self.acceptor else {
            return true;
        };
        let shaken = lender.handshake(acceptor).await;
        if let Err(error) = &shaken {
            tracing::debug!(%error, "a TLS handshake failed");
        }
        shaken.is_ok()
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_async, reason = "there is no handshake")]
    async fn lead(&self, _: &Lender) -> bool {
        true
    }
}

/// Serves connections on tasks of their own: the server's count is of those that wait for this.
pub(crate) fn worker(
    app: App,
    seats: Seats,
    handshake: Handshake,
    address: SocketAddr,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = Infallible, InitError = ()>
{
    let refusals = Refusals::default();
    fn_factory(move || {
        let mount = Mount::new("", app.clone());
        let web = actix_web::App::new().default_service(mount.into_route());
        let http = HttpService::build()
            .keep_alive(KeepAlive::Disabled)
            // Heads have their deadline in `lend`, as everything else has.
            .client_request_timeout(Duration::ZERO)
            .local_addr(address)
            .on_connect_ext(|io: &LentStream, data| {
                data.insert(io.lender());
            })
            .h1(map_config(web, |()| AppConfig::default()))
            .new_service(());
        let (seats, refusals) = (seats.clone(), refusals.clone());
        let handshake = handshake.clone();
        async move {
            let http = Rc::new(http.await?);
            Ok(fn_service(move |stream: TcpStream| {
                serve::prepare(&stream);
                let (seats, refusals) = (seats.clone(), refusals.clone());
                let (http, handshake) = (Rc::clone(&http), handshake.clone());
                async move {
                    match seats.take().await {
                        Some(seat) => start(stream, seat, http, handshake),
                        // Over TLS it would cost a handshake to be told.
                        None if handshake.is_due() => {
                            tracing::warn!("all connections are taken by sockets; one was dropped");
                        }
                        None => refusals.tell(stream),
                    }
                    Ok(())
                }
            }))
        }
    })
}

fn start<S>(stream: TcpStream, seat: Seat, http: Rc<S>, handshake: Handshake)
where
    S: Service<(LentStream, Option<SocketAddr>)> + 'static,
{
    let lender = Rc::new(Lender::new(stream, seat.clone()));
    let peer = lender.peer();
    actix_rt::spawn(async move {
        let serving = async {
            if handshake.lead(&lender).await {
                // An error is the dispatcher's way to end, and often ours to end it.
                let _ = http.call((LentStream::new(Rc::clone(&lender)), peer)).await;
            }
            lender.linger().await;
        };
        tokio::select! {
            () = serving => {}
            () = seat.evicted() => lender.evict(),
        }
    });
}
