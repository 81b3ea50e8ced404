//! What every worker of a server does with the connections that it gets.

use std::{convert::Infallible, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use actix_http::{HttpService, KeepAlive};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service, map_config};
use actix_web::dev::AppConfig;
use futures::future::{Ready, ready};
use tokio::net::TcpStream;
use wharf_sdk::App;

use crate::{
    kernel,
    lend::{Lender, LentStream},
    lobby::{Lobby, Places},
    mount::Mount,
    refusal::Refusals,
};

/// Serves connections on tasks of their own: the server's count is of those that wait for this.
pub(crate) fn worker(
    app: App,
    places: Arc<Places>,
    address: SocketAddr,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = Infallible, InitError = ()>
{
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
        let lobby = Lobby::new(Arc::clone(&places));
        let refusals = Refusals::default();
        async move {
            let http = Rc::new(http.await?);
            Ok(fn_service(move |stream: TcpStream| {
                kernel::prepare(&stream);
                match lobby.admit(stream) {
                    Ok(lender) => start(lender, &http),
                    Err(stream) => refusals.tell(stream),
                }
                done()
            }))
        }
    })
}

fn done() -> Ready<Result<(), Infallible>> {
    ready(Ok(()))
}

fn start<S>(lender: Rc<Lender>, http: &Rc<S>)
where
    S: Service<(LentStream, Option<SocketAddr>)> + 'static,
{
    let peer = lender.peer();
    let http = Rc::clone(http);
    actix_rt::spawn(async move {
        // An error is the dispatcher's way to end, and often ours to end it.
        let _ = http.call((LentStream::new(Rc::clone(&lender)), peer)).await;
        lender.linger().await;
    });
}
