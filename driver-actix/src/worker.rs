//! What every worker of a server does with the connections that it gets.

use std::{convert::Infallible, net::SocketAddr, rc::Rc, time::Duration};

use actix_http::{HttpService, KeepAlive};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service, map_config};
use actix_web::dev::AppConfig;
use tokio::net::TcpStream;
use wharf_sdk::{
    App,
    driver::serve::{self, Refusals, Seat, Seats},
};

use crate::{
    lend::{Lender, LentStream},
    mount::Mount,
};

/// Serves connections on tasks of their own: the server's count is of those that wait for this.
pub(crate) fn worker(
    app: App,
    seats: Seats,
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
        async move {
            let http = Rc::new(http.await?);
            Ok(fn_service(move |stream: TcpStream| {
                serve::prepare(&stream);
                let (seats, refusals) = (seats.clone(), refusals.clone());
                let http = Rc::clone(&http);
                async move {
                    match seats.take().await {
                        Some(seat) => start(stream, seat, http),
                        None => refusals.tell(stream),
                    }
                    Ok(())
                }
            }))
        }
    })
}

fn start<S>(stream: TcpStream, seat: Seat, http: Rc<S>)
where
    S: Service<(LentStream, Option<SocketAddr>)> + 'static,
{
    let lender = Rc::new(Lender::new(stream, seat.clone()));
    let peer = lender.peer();
    actix_rt::spawn(async move {
        let serving = async {
            // An error is the dispatcher's way to end, and often ours to end it.
            let _ = http.call((LentStream::new(Rc::clone(&lender)), peer)).await;
            lender.linger().await;
        };
        tokio::select! {
            () = serving => {}
            () = seat.evicted() => lender.evict(),
        }
    });
}
