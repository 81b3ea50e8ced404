//! The reference: no network, and time at a standstill.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use tokio::{io::AsyncWriteExt, time::timeout};
use wharf_sdk::{
    App,
    driver::{Capabilities, UpgradeRequest},
    testing::{self, TestHost},
};

use super::{Answer, Host, Request, Running};
use crate::client::PATIENCE;

/// Wharf's own in-memory driver.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryHost;

#[async_trait]
impl Host for MemoryHost {
    fn capabilities(&self) -> Capabilities {
        Capabilities::wire(testing::DRIVER)
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        Box::new(Memory {
            host: TestHost::new(app),
        })
    }

    fn can_pause_time(&self) -> bool {
        true
    }
}

struct Memory {
    host: TestHost,
}

#[async_trait]
impl Running for Memory {
    async fn request(&self, request: Request) -> Answer {
        let Some(head) = to_upgrade_request(&request) else {
            // What an HTTP parser says to what it cannot parse.
            return Answer {
                status: Some(StatusCode::BAD_REQUEST),
                ..Answer::none()
            };
        };
        let answering = timeout(PATIENCE, self.host.request(head)).await;
        match answering.unwrap_or_else(|_| panic!("no answer to {request:?} for {PATIENCE:?}")) {
            testing::Answer::Rejected(response) => {
                let (parts, body) = response.into_parts();
                let has_body = request.method != "HEAD";
                Answer {
                    status: Some(parts.status),
                    headers: parts.headers,
                    body: if has_body { body } else { Bytes::new() },
                    stream: None,
                }
            }
            testing::Answer::Upgraded(response, mut stream) => {
                stream
                    .write_all(&request.behind)
                    .await
                    .expect("the pipe has room");
                Answer {
                    status: Some(response.status()),
                    headers: response.into_parts().0.headers,
                    body: Bytes::new(),
                    stream: Some(Box::new(stream)),
                }
            }
        }
    }
}

fn to_upgrade_request(request: &Request) -> Option<UpgradeRequest> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.append(
            name.parse::<HeaderName>().ok()?,
            HeaderValue::from_bytes(value).ok()?,
        );
    }
    Some(UpgradeRequest {
        method: Method::from_bytes(request.method.as_bytes()).ok()?,
        uri: request.target.parse::<Uri>().ok()?,
        mount: String::new(),
        version: match request.minor_version {
            0 => Version::HTTP_10,
            _ => Version::HTTP_11,
        },
        headers,
        peer: Some(SocketAddr::from(([127, 0, 0, 1], 50_000))),
        is_secure: false,
        protocol: None,
        extensions: http::Extensions::new(),
    })
}
