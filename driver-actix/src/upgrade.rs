//! Requests to sockets.

use std::rc::Rc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
    web::{self, Payload, ServiceConfig},
};
use bytes::Bytes;
use wharf_sdk::{
    App,
    driver::{Connection, Decision, Upgrade},
};

use crate::{
    DRIVER,
    answer::{AnswerBody, EventBody},
    body::{HandoverBody, SharedBody},
    convert,
    lend::Lender,
    transport,
};

pub(crate) fn mount(prefix: String, app: App) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let route = web::route().to(move |request: HttpRequest, payload: Payload| {
            let app = app.clone();
            async move { handle(app, request, payload).await }
        });
        if prefix.is_empty() {
            config.default_service(route);
        } else {
            config.service(web::scope(&prefix).default_service(route));
        }
    }
}

async fn handle(app: App, request: HttpRequest, payload: Payload) -> HttpResponse {
    let lender = request.conn_data::<Rc<Lender>>().cloned();
    if lender.as_ref().is_some_and(|lender| !lender.begin()) {
        // The connection ends with the answer to the request before this.
        return std::future::pending().await;
    }
    let Some(head) = convert::to_upgrade_request(&request) else {
        let body = AnswerBody::new(Bytes::new(), lender);
        return HttpResponse::BadRequest().body(body);
    };
    match app.decide(head, DRIVER).await {
        Decision::Respond(response) => {
            let (parts, body) = response.into_parts();
            convert::builder(&parts.headers, parts.status).body(AnswerBody::new(body, lender))
        }
        Decision::Stream(response) => {
            let (parts, events) = response.into_parts();
            convert::builder(&parts.headers, parts.status).body(EventBody::new(events, lender))
        }
        Decision::Upgrade(upgrade) => switch(lender, payload, upgrade),
    }
}

/// Answers with the 101, behind which the session begins.
fn switch(lender: Option<Rc<Lender>>, payload: Payload, upgrade: Upgrade) -> HttpResponse {
    let mut builder = convert::builder(upgrade.response().headers(), upgrade.response().status());
    // Tells actix that what follows is no HTTP; the header itself is there already.
    builder.upgrade(HeaderValue::from_static("websocket"));
    builder.insert_header((header::UPGRADE, HeaderValue::from_static("websocket")));
    match lender {
        Some(lender) => builder.body(HandoverBody::new(lender, payload, upgrade)),
        None => {
            let (body, io) = SharedBody::new(payload);
            transport::spawn(Connection::new(io), upgrade, ());
            builder.body(body)
        }
    }
}
