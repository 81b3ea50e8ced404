//! Sessions beside a dispatcher of actix's that keeps the connection.

use std::{any::Any, rc::Rc, time::Duration};

use actix_web::{HttpRequest, dev::Extensions, web::Payload};
use futures::future::join;
use socket2::{SockRef, Socket};
use tokio::{net::TcpStream, time::timeout};
use wharf_sdk::driver::{Connection, Upgrade, serve};

use crate::{
    body::{SharedBody, SharedIo},
    transport,
};

/// How long the dispatcher may need behind a session's end to end the connection.
const GRACE: Duration = Duration::from_secs(1);

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
