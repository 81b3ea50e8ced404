//! A driver as somebody else would write it, with the public interfaces alone: in memory, over
//! whatever transport it is given.

use async_trait::async_trait;
use futures::StreamExt;
use tokio::io::{AsyncWriteExt, DuplexStream};
use wharf_conformance::{Answer, Request, Running};
use wharf_sdk::{
    App, Bytes,
    driver::{Decision, Transport, Upgrade, UpgradeRequest},
    http::{HeaderName, HeaderValue, Method, StatusCode, Version},
};

/// An app, served with the transports that `wrap` makes.
pub(crate) struct OwnServer<F> {
    pub(crate) app: App,
    pub(crate) driver: &'static str,
    pub(crate) wrap: F,
}

#[async_trait]
impl<T, F> Running for OwnServer<F>
where
    T: Transport + Send + Unpin + 'static,
    F: Fn(DuplexStream, &Upgrade) -> T + Send + Sync,
{
    async fn request(&self, request: Request) -> Answer {
        let Some(head) = parse(&request) else {
            return answer(StatusCode::BAD_REQUEST);
        };
        let upgrade = match self.app.decide(head, self.driver).await {
            Decision::Respond(response) => {
                let (parts, body) = response.into_parts();
                let has_body = request.method != "HEAD";
                return Answer {
                    headers: parts.headers,
                    body: if has_body { body } else { Bytes::new() },
                    ..answer(parts.status)
                };
            }
            Decision::Stream(response) => {
                let (parts, events) = response.into_parts();
                let pieces: Vec<Bytes> = events.collect().await;
                return Answer {
                    headers: parts.headers,
                    body: pieces.concat().into(),
                    ..answer(parts.status)
                };
            }
            // The transports of these tests compress nothing.
            Decision::Upgrade(upgrade) => upgrade.without_deflate(),
        };
        let (server, mut client) = tokio::io::duplex(64 * 1024);
        let transport = (self.wrap)(server, &upgrade);
        let answer = Answer {
            headers: upgrade.response().headers().clone(),
            ..answer(upgrade.response().status())
        };
        tokio::spawn(upgrade.start(transport));
        client.write_all(&request.behind).await.expect("room");
        Answer {
            stream: Some(Box::new(client)),
            ..answer
        }
    }
}

fn answer(status: StatusCode) -> Answer {
    Answer {
        status: Some(status),
        headers: Default::default(),
        body: Bytes::new(),
        stream: None,
    }
}

/// What an HTTP library makes of a request's head.
fn parse(request: &Request) -> Option<UpgradeRequest> {
    let headers = request.headers.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    });
    let mut parsed = UpgradeRequest {
        method: Method::from_bytes(request.method.as_bytes()).ok()?,
        uri: request.target.parse().ok()?,
        mount: String::new(),
        version: match request.minor_version {
            0 => Version::HTTP_10,
            _ => Version::HTTP_11,
        },
        headers: Default::default(),
        peer: Some(([127, 0, 0, 1], 50_000).into()),
        is_secure: false,
        protocol: None,
        extensions: http::Extensions::new(),
    };
    for header in headers {
        let (name, value) = header?;
        parsed.headers.append(name, value);
    }
    Some(parsed)
}
