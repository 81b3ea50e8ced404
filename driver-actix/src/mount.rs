//! Apps in applications that exist already.

use std::{any::Any, fmt, rc::Rc, time::Duration};

use actix_web::{
    HttpRequest, Route,
    dev::{AppService, Extensions, HttpServiceFactory},
    web::{self, Payload},
};
use futures::future::join;
use socket2::{SockRef, Socket};
use tokio::{net::TcpStream, time::timeout};
use wharf_sdk::{
    App,
    driver::{Connection, Upgrade, serve},
};

use crate::{
    body::{SharedBody, SharedIo},
    transport, upgrade,
};

/// How long the dispatcher may need behind a session's end to end the connection.
const GRACE: Duration = Duration::from_secs(1);

/// Takes a value over from the extensions of actix's request.
pub(crate) type Carry = fn(&Extensions, &mut http::Extensions);

/// An app with what it is to find of the application around it: [`mount`](crate::mount()) with
/// choices.
///
/// A service, like a scope: every path under the prefix is the app's, also those that none of its
/// routes matches. With an empty prefix, register it last.
///
/// ```no_run
/// # use actix_web::App;
/// # #[derive(Clone)] struct User;
/// # fn run(app: wharf_sdk::App) {
/// App::new().service(wharf_actix::Mount::new("/ws", app).carry::<User>());
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a mount is a service of an actix application"]
pub struct Mount {
    prefix: String,
    app: App,
    carried: Vec<Carry>,
}

impl Mount {
    /// Mounts the app under a prefix.
    pub fn new(prefix: &str, app: App) -> Self {
        Self {
            prefix: prefix.to_owned(),
            app,
            carried: Vec::new(),
        }
    }

    /// Carries a value of this type, if middleware of the application has put one into the
    /// request's extensions, to where `Extension<T>` finds it. actix does not tell what there is,
    /// so each type is named.
    pub fn carry<T: Clone + Send + Sync + 'static>(mut self) -> Self {
        self.carried.push(|from, to| {
            if let Some(value) = from.get::<T>() {
                to.insert(value.clone());
            }
        });
        self
    }

    pub(crate) fn into_route(self) -> Route {
        let (app, carried) = (self.app, Rc::from(self.carried));
        web::route().to(move |request: HttpRequest, payload: Payload| {
            let (app, carried) = (app.clone(), Rc::clone(&carried));
            async move { upgrade::handle(&app, &carried, request, payload).await }
        })
    }
}

impl HttpServiceFactory for Mount {
    fn register(self, config: &mut AppService) {
        let scope = web::scope(&self.prefix);
        scope.default_service(self.into_route()).register(config);
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount")
            .field("prefix", &self.prefix)
            .field("carried", &self.carried.len())
            .finish_non_exhaustive()
    }
}

/// What a mounted app needs of every connection of the server around it, for
/// [`HttpServer::on_connect`](actix_web::HttpServer::on_connect): small messages leave at once, what
/// the kernel queues for a peer that does not read is bounded, and a connection whose session ended
/// is ended, also where actix would wait for the peer.
///
/// It costs a second descriptor a connection, and does nothing over TLS that actix terminates.
pub fn on_connect(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else {
        return;
    };
    serve::prepare(stream);
    if let Ok(handle) = SockRef::from(stream).try_clone() {
        data.insert(Grip(Rc::new(handle)));
    }
}

/// A second handle of a connection that is actix's.
#[derive(Clone)]
struct Grip(Rc<Socket>);

/// Begins a session beside the dispatcher, whose response gets the body.
pub(crate) fn begin(request: &HttpRequest, payload: Payload, mut upgrade: Upgrade) -> SharedBody {
    let grip = request.conn_data::<Grip>().cloned();
    let (body, io) = SharedBody::new(payload);
    // What the session is counted by is given back when the connection is.
    let place = upgrade.take_place();
    let watch = io.watch();
    let session = transport::session(Connection::<SharedIo>::new(io), upgrade);
    let end = async move {
        // A handler may outlive its connection, and the handle would keep that open.
        watch.ended().await;
        if timeout(GRACE, watch.gone()).await.is_err() {
            watch.abort();
            if let Some(Grip(handle)) = &grip {
                // The dispatcher, which waits to write or to read, sees an end.
                let _ = handle.set_linger(Some(Duration::ZERO));
                let _ = handle.shutdown(std::net::Shutdown::Both);
            }
            drop(grip);
            watch.gone().await;
        }
    };
    actix_rt::spawn(async move {
        join(session, end).await;
        drop(place);
    });
    body
}
