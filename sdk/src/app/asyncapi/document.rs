//! The document as a whole.

use serde_json::{Map, Value, json};

use super::{
    channel::ChannelWriter, id::id_of, info::Info, refusals, schemas::Schemas, security::Security,
};
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
    let mut security = Security::default();
    let mut channels = Map::new();
    let mut operations = Map::new();
    for route in app.routes.iter().filter(|route| !route.described.is_hidden) {
        let id = free_id(route.name.as_deref().unwrap_or(&route.pattern), &channels);
        let its_security = security.of(route);
        let writer = ChannelWriter::new(route, &id, its_security, &mut schemas);
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
        "x-refusals": refusals::everywhere(app.mapper.is_some()),
    });
    let servers = info.servers();
    if !servers.is_empty() {
        document["servers"] = servers.into();
    }
    let schemas = schemas.finish(&mut document);
    for (name, components) in [
        ("schemas", schemas),
        ("securitySchemes", security.schemes()),
    ] {
        if !components.is_empty() {
            document["components"][name] = components.into();
        }
    }
    document
}

fn free_id(name: &str, taken: &Map<String, Value>) -> String {
    let id = id_of(name);
    let numbered = (2..).map(|number| format!("{id}-{number}"));
    let mut ids = std::iter::once(id.clone()).chain(numbered);
    ids.find(|id| !taken.contains_key(id)).unwrap_or_default()
}
