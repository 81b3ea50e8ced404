//! Who may connect, as security schemes.

use serde_json::{Map, Value, json};

use crate::app::{entry::RouteEntry, middleware::Credential};

/// Collects the schemes that routes ask for.
#[derive(Default)]
pub(super) struct Security(Map<String, Value>);

impl Security {
    /// References to the schemes of a route, of which one is enough; none if anybody may connect.
    pub(super) fn of(&mut self, route: &RouteEntry) -> Vec<Value> {
        if !route.auth.required {
            return Vec::new();
        }
        let credentials = route.credentials();
        let references = credentials.iter().map(|credential| {
            let (name, scheme) = scheme(credential);
            self.0.insert(name.to_owned(), scheme);
            json!({ "$ref": format!("#/components/securitySchemes/{name}") })
        });
        references.collect()
    }

    /// All schemes by name.
    pub(super) fn schemes(self) -> Map<String, Value> {
        self.0
    }
}

fn scheme(credential: &Credential) -> (&'static str, Value) {
    let key = |place: &str, name: &str, description: &str| json!({ "type": "httpApiKey", "in": place, "name": name, "description": description });
    match credential {
        Credential::Bearer => ("bearer", json!({ "type": "http", "scheme": "bearer" })),
        Credential::Subprotocol(prefix) => {
            let how = format!("Offer the token, behind `{prefix}`, among the subprotocols.");
            ("subprotocol", key("header", "Sec-WebSocket-Protocol", &how))
        }
        Credential::Cookie(name) => ("cookie", key("cookie", name, "A cookie.")),
        Credential::Header(name) => ("header", key("header", name, "A header.")),
    }
}
