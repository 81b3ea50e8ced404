//! What a document says of the service as a whole.

use serde_json::{Map, Value, json};

use super::id::id_of;

/// What a document says of the service as a whole.
///
/// ```
/// use wharf_sdk::asyncapi::Info;
///
/// let info = Info::new("Auction", "1.4.0")
///     .description("Bids and what became of them.")
///     .server("production", "wss://auction.example/live");
/// # let _ = info;
/// ```
#[derive(Debug, Clone)]
pub struct Info {
    title: String,
    version: String,
    description: Option<String>,
    servers: Vec<(String, String)>,
}

impl Info {
    /// A service of this name, whose messages are of this version.
    pub fn new(title: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            version: version.into(),
            description: None,
            servers: Vec::new(),
        }
    }

    /// Says what the service is for, in Markdown.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Says where it runs: a name, and the URL in front of the routes' paths.
    #[must_use]
    pub fn server(mut self, name: impl Into<String>, url: impl Into<String>) -> Self {
        self.servers.push((name.into(), url.into()));
        self
    }

    pub(super) fn info(&self) -> Value {
        let mut info = json!({ "title": self.title, "version": self.version });
        if let Some(description) = &self.description {
            info["description"] = description.as_str().into();
        }
        info
    }

    pub(super) fn servers(&self) -> Map<String, Value> {
        let server = |(name, url): &(String, String)| {
            let (protocol, rest) = url.split_once("://").unwrap_or(("wss", url));
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let mut server = json!({ "host": host, "protocol": protocol });
            if !path.is_empty() {
                server["pathname"] = format!("/{path}").into();
            }
            (id_of(name), server)
        };
        self.servers.iter().map(server).collect()
    }
}
