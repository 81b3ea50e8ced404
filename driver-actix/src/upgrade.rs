//! Requests to sockets.

use std::rc::Rc;

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    dev::Extensions,
    http::header::{self, HeaderValue},
    web::Payload,
};
use bytes::Bytes;
use wharf_sdk::{
    App,
    driver::{Decision, Upgrade},
};

use crate::{
    DRIVER,
    answer::{AnswerBody, EventBody},
    beside, convert,
    handover::HandoverBody,
    lend::Lender,
};

/// Takes a value over from the extensions of actix's request.
pub(crate) type Carry = fn(&Extensions, &mut http::Extensions);

pub(crate) async fn handle(
    app: &App,
    carried: &[Carry],
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let lender = request.conn_data::<Rc<Lender>>().cloned();
    if lender.as_ref().is_some_and(|lender| !lender.begin()) {
        // The connection ends with the answer to the request before this.
        return std::future::pending().await;
    }
    let is_secure = lender.as_ref().is_some_and(|lender| lender.is_secure());
    let Some(mut head) = convert::to_upgrade_request(&request, is_secure) else {
        let body = AnswerBody::new(Bytes::new(), payload, lender);
        return HttpResponse::BadRequest().body(body);
    };
    for carry in carried {
        carry(&request.extensions(), &mut head.extensions);
    }
    match app.decide(head, DRIVER).await {
        Decision::Respond(response) => {
            let (parts, body) = response.into_parts();
            let body = AnswerBody::new(body, payload, lender);
            convert::builder(&parts.headers, parts.status).body(body)
        }
        Decision::Stream(response) => {
            let (parts, events) = response.into_parts();
            let body = EventBody::new(events, payload, lender);
            convert::builder(&parts.headers, parts.status).body(body)
        }
        Decision::Upgrade(upgrade) => switch(&request, lender, payload, upgrade),
    }
}

/// Answers with the 101, behind which the session begins.
fn switch(
    request: &HttpRequest,
    lender: Option<Rc<Lender>>,
    payload: Payload,
    upgrade: Upgrade,
) -> HttpResponse {
    let mut builder = convert::builder(upgrade.response().headers(), upgrade.response().status());
    // Tells actix that what follows is no HTTP; the header itself is there already.
    builder.upgrade(HeaderValue::from_static("websocket"));
    builder.insert_header((header::UPGRADE, HeaderValue::from_static("websocket")));
    match lender {
        Some(lender) => builder.body(HandoverBody::new(lender, payload, upgrade)),
        None => builder.body(beside::begin(request, payload, upgrade)),
    }
}
