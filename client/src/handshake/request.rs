//! The request.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use wharf_sdk::{Compression, Error, ErrorKind, Result, Subprotocols, driver::UpgradeRequest};

use crate::{random, target::Target};

/// What was asked for, to check the answer against.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) key: String,
    pub(crate) subprotocols: Subprotocols,
    pub(crate) compression: Option<Compression>,
}

/// What the handshake says itself.
const RESERVED: [HeaderName; 8] = [
    header::HOST,
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::TRANSFER_ENCODING,
];

/// Makes the request for `target` with the caller's own headers and offers.
pub(crate) fn build(
    target: &Target,
    own: &HeaderMap,
    subprotocols: &Subprotocols,
    compression: Option<Compression>,
) -> Result<(UpgradeRequest, Sent)> {
    let taken = RESERVED
        .iter()
        .chain([&header::CONTENT_LENGTH])
        .find(|name| own.contains_key(*name));
    if let Some(name) = taken {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "WHARF_CLIENT_HEADER",
            format!("the handshake sets {name} itself; leave it out"),
        ));
    }
    let key = random::handshake_key();
    let mut headers = HeaderMap::with_capacity(own.len() + 8);
    headers.insert(header::HOST, target.authority.clone());
    for (name, value) in [
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
        (header::SEC_WEBSOCKET_KEY, &key),
    ] {
        headers.insert(name, value_of(value)?);
    }
    if !subprotocols.names().is_empty() {
        let offers = value_of(&subprotocols.names().join(", "))?;
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offers);
    }
    if let Some(compression) = &compression {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, compression.offer());
    }
    for (name, value) in own {
        headers.append(name, value.clone());
    }
    if let Some(basic) = &target.basic {
        if headers.contains_key(header::AUTHORIZATION) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "WHARF_CLIENT_HEADER",
                "the URL has a user and there is an Authorization header, too; give one of them",
            ));
        }
        headers.insert(header::AUTHORIZATION, basic.clone());
    }
    let request = UpgradeRequest {
        method: Method::GET,
        uri: target.path_and_query.clone(),
        mount: String::new(),
        version: Version::HTTP_11,
        headers,
        peer: None,
        is_secure: target.is_secure,
        protocol: None,
        extensions: Extensions::new(),
    };
    let sent = Sent {
        key,
        subprotocols: subprotocols.clone(),
        compression,
    };
    Ok((request, sent))
}

fn value_of(text: &str) -> Result<HeaderValue> {
    HeaderValue::try_from(text).map_err(|cause| {
        Error::new(
            ErrorKind::InvalidInput,
            "WHARF_CLIENT_HEADER",
            "a subprotocol's name is no header value; use letters, digits and -._~+",
        )
        .with_source(cause)
    })
}
