//! actix's types to Wharf's and back. actix-web speaks version 0.2 of the `http` crate, Wharf
//! version 1.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use wharf_sdk::driver::UpgradeRequest;

/// `None` for a request that `http` cannot hold, such as one with an overlong path.
/// actix does not know of TLS that Wharf's own server speaks.
pub(crate) fn to_upgrade_request(request: &HttpRequest, is_secure: bool) -> Option<UpgradeRequest> {
    let mut headers = HeaderMap::with_capacity(request.headers().len());
    for (name, value) in request.headers() {
        headers.append(
            HeaderName::from_bytes(name.as_str().as_bytes()).ok()?,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        );
    }
    Some(UpgradeRequest {
        method: Method::from_bytes(request.method().as_str().as_bytes()).ok()?,
        uri: unprefixed_uri(request)?,
        mount: mount(request),
        version: version(request.version()),
        headers,
        peer: request.peer_addr(),
        is_secure: request.app_config().secure() || is_secure,
        protocol: None,
        extensions: http::Extensions::new(),
    })
}

/// A response with this status and these headers, its body to be set.
pub(crate) fn builder(headers: &HeaderMap, status: http::StatusCode) -> HttpResponseBuilder {
    let status = actix_web::http::StatusCode::from_u16(status.as_u16())
        .unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    for (name, value) in headers {
        builder.append_header((name.as_str(), value.as_bytes()));
    }
    builder
}

/// The prefixes of the scopes around the app, with the names of what varies in them.
fn mount(request: &HttpRequest) -> String {
    let mut parameters = request.match_info().iter().peekable();
    let mut mount = String::new();
    for segment in prefix(request)
        .split('/')
        .filter(|segment| !segment.is_empty())
    {
        mount.push('/');
        match parameters.next_if(|(_, value)| *value == segment) {
            Some((name, _)) => mount.extend(["{", name, "}"]),
            None => mount.push_str(segment),
        }
    }
    mount
}

/// What scopes around the app have matched of the path, partly decoded; slashes never are.
fn prefix(request: &HttpRequest) -> &str {
    let matched = request.match_info().as_str();
    let unmatched = request.match_info().unprocessed();
    &matched[..matched.len() - unmatched.len()]
}

/// The URI as on the request line, less the prefix of the scopes around the app.
fn unprefixed_uri(request: &HttpRequest) -> Option<Uri> {
    let segments = prefix(request).bytes().filter(|byte| *byte == b'/').count();
    let uri: Uri = match (request.uri().authority(), request.uri().path_and_query()) {
        (None, Some(path)) => path.as_str().parse().ok()?,
        _ => request.uri().to_string().parse().ok()?,
    };
    UpgradeRequest::unprefixed(&uri, segments)
}

fn version(version: actix_web::http::Version) -> Version {
    match version {
        actix_web::http::Version::HTTP_09 => Version::HTTP_09,
        actix_web::http::Version::HTTP_10 => Version::HTTP_10,
        actix_web::http::Version::HTTP_2 => Version::HTTP_2,
        actix_web::http::Version::HTTP_3 => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}
