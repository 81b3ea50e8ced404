//! The document as a whole.

use serde_json::{Map, Value, json};

use super::{channel::ChannelWriter, info::Info, schemas::Schemas};
use crate::app::{
    app::{App, AppInner},
    handle::AppHandle,
};

impl App {
    /// The app as an [AsyncAPI 3](https://www.asyncapi.com) document: see
    /// [`asyncapi`](crate::asyncapi).
    pub fn asyncapi(&self, info: &Info) -> Value {
        document(&self.inner, info)
    }
}

impl AppHandle {
    /// The app as a document; see [`App::asyncapi`].
    pub fn asyncapi(&self, info: &Info) -> Value {
        document(&self.inner, info)
    }
}

fn document(app: &AppInner, info: &Info) -> Value {
    let mut schemas = Schemas::new();
    let mut channels = Map::new();
    let mut operations = Map::new();
    for route in app.routes.iter().filter(|route| !route.described.is_hidden) {
        let id = free_id(route.name.as_deref().unwrap_or(&route.pattern), &channels);
        let writer = ChannelWriter::new(route, &id, &[], &mut schemas);
        let (channel, its_operations) = writer.write();
        channels.insert(id, channel);
        operations.extend(its_operations);
    }
    let mut document = json!({
        "asyncapi": "3.1.0",
        "info": info.info(),
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
    });
    let servers = info.servers();
    if !servers.is_empty() {
        document["servers"] = servers.into();
    }
    let schemas = schemas.finish(&mut document);
    if !schemas.is_empty() {
        document["components"] = json!({ "schemas": schemas });
    }
    document
}

/// A name as an identifier of the document's.
pub(super) fn id_of(name: &str) -> String {
    let mut id = String::new();
    for char in name.chars() {
        match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => id.push(char),
            _ if id.ends_with('-') || id.is_empty() => {}
            _ => id.push('-'),
        }
    }
    id.truncate(id.trim_end_matches('-').len());
    if id.is_empty() { "root".to_owned() } else { id }
}

fn free_id(name: &str, taken: &Map<String, Value>) -> String {
    let id = id_of(name);
    let numbered = (2..).map(|number| format!("{id}-{number}"));
    let mut ids = std::iter::once(id.clone()).chain(numbered);
    ids.find(|id| !taken.contains_key(id)).unwrap_or_default()
}
