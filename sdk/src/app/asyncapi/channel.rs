//! One route as a channel with its operations.

use serde_json::{Map, Value, json};

use super::{close_codes::close_codes, id::id_of, refusals::refusals, schemas::Schemas};
use crate::{
    app::entry::RouteEntry,
    handler::{
        Type,
        channel::{Envelope, EventSnapshot},
    },
    policy::DecodeErrors,
};

/// What of a route's limits a client notices.
const LIMITS: [&str; 9] = [
    "max_message_bytes",
    "max_outbound_message_bytes",
    "max_fragments",
    "rate_limit",
    "first_message_timeout",
    "max_age",
    "idle_timeout",
    "heartbeat_interval",
    "heartbeat_timeout",
];

/// The name of a message of which only the kind is known.
const ANY: &str = "any";

/// The name of what answers a message that does not decode.
const UNDECODABLE: &str = "undecodable";

/// Writes a route's channel and operations.
pub(super) struct ChannelWriter<'a> {
    route: &'a RouteEntry,
    id: &'a str,
    security: Vec<Value>,
    schemas: &'a mut Schemas,
    messages: Map<String, Value>,
    operations: Map<String, Value>,
}

impl<'a> ChannelWriter<'a> {
    pub(super) fn new(
        route: &'a RouteEntry,
        id: &'a str,
        security: Vec<Value>,
        schemas: &'a mut Schemas,
    ) -> Self {
        Self {
            route,
            id,
            security,
            schemas,
            messages: Map::new(),
            operations: Map::new(),
        }
    }

    /// The channel, and its operations by id.
    pub(super) fn write(mut self) -> (Value, Map<String, Value>) {
        let described = &self.route.described;
        for event in self.route.events() {
            self.event(&event);
        }
        let received: Vec<_> = described.reads.iter().map(|of| self.read(of)).collect();
        let mut sent: Vec<_> = described.writes.iter().map(|of| self.written(of)).collect();
        sent.extend(self.undecodable(!received.is_empty()));
        let is_told = !(self.operations.is_empty() && received.is_empty() && sent.is_empty());
        if !is_told {
            self.messages.insert(
                ANY.to_owned(),
                json!({ "title": "Any message", "summary": "Text or binary, not documented further." }),
            );
        }
        for (action, messages) in [("receive", received), ("send", sent)] {
            let messages = if is_told {
                messages
            } else {
                vec![ANY.to_owned()]
            };
            if !messages.is_empty() {
                self.operation(action, action, &messages);
            }
        }
        (self.channel(), self.operations)
    }

    fn channel(&mut self) -> Value {
        let route = self.route;
        let limits = &route.limits;
        let mut channel = json!({
            "address": route.pattern.replace("{*", "{"),
            "messages": std::mem::take(&mut self.messages),
            "bindings": { "ws": self.binding() },
        });
        let mut set = |name: &str, value: Value| channel[name] = value;
        if let Some(name) = &route.name {
            set("title", name.as_str().into());
        }
        if let Some(summary) = &route.described.summary {
            set("summary", summary.as_str().into());
        }
        let parameters: Map<_, _> = parameters(&route.pattern)
            .map(|(name, what)| (name.to_owned(), json!({ "description": what })))
            .collect();
        if !parameters.is_empty() {
            set("parameters", parameters.into());
        }
        if let Some(deprecation) = &route.deprecation {
            set("x-deprecated", json!(deprecation));
        }
        if !route.tags.is_empty() {
            let tags = route.tags.iter().map(|tag| json!({ "name": tag }));
            set("tags", tags.collect());
        }
        if !limits.subprotocols.names().is_empty() {
            set("x-subprotocols", json!(limits.subprotocols));
        }
        set("x-origins", json!(limits.origins));
        let all = json!(**limits);
        let noticed = LIMITS.iter().filter(|name| !all[**name].is_null());
        set(
            "x-limits",
            noticed
                .map(|name| ((*name).to_owned(), all[*name].clone()))
                .collect(),
        );
        set("x-close-codes", close_codes(route).into());
        set("x-refusals", json!(refusals(route)));
        channel
    }

    fn binding(&mut self) -> Value {
        let described = &self.route.described;
        let mut binding = json!({ "method": "GET", "bindingVersion": "0.1.0" });
        for (name, of) in [("query", &described.query), ("headers", &described.headers)] {
            if let Some(of) = of {
                binding[name] = self.schemas.read(of);
            }
        }
        binding
    }

    /// An event of a channel, and what answers it, in its envelope.
    fn event(&mut self, event: &EventSnapshot) {
        let fields = event.manners.envelope;
        let described = &self.route.described.events;
        let described = described
            .iter()
            .find(|described| described.name == event.name)
            .map(|described| (&described.data, &described.reply))
            // What its own function says.
            .or_else(|| event.types.as_ref().map(|(data, reply)| (data, reply)));
        if event.from == "server" {
            let data = described.map(|(data, _)| self.schemas.written(data));
            let message = self.message(&event.name, &envelope(fields, &event.name, data));
            // A peer may send an event of the same name.
            return self.operation(&format!("on {}", event.name), "send", &[message]);
        }
        let data = described.map(|(data, _)| self.schemas.read(data));
        let mut payload = envelope(fields, &event.name, data);
        payload["properties"][fields.id] =
            json!({ "description": "asks for a reply that names it" });
        let message = self.message(&event.name, &payload);
        self.correlate(&message, fields.id);
        self.operation(&event.name, "receive", &[message]);
        let data = described.map(|(_, reply)| self.schemas.written(reply));
        let message = self.message(&format!("{}.reply", event.name), &reply(fields, data));
        self.correlate(&message, fields.reply);
        let reply = json!({
            "channel": { "$ref": format!("#/channels/{}", self.id) },
            "messages": [{ "$ref": self.path_of(&message) }],
        });
        let operation = &mut self.operations[&format!("{}.{}", self.id, id_of(&event.name))];
        operation["reply"] = reply;
        let scopes: Vec<_> = self.route.auth.scopes.iter().chain(&event.scopes).collect();
        if !scopes.is_empty() {
            operation["x-scopes"] = json!(scopes);
        }
        if let Some(rate) = event.per_second {
            operation["x-per-second"] = rate.into();
        }
        if let Some(timeout) = event.timeout_ms {
            operation["x-timeout-ms"] = timeout.into();
        }
        if !event.middleware.is_empty() {
            operation["x-middleware"] = json!(event.middleware);
        }
    }

    fn read(&mut self, of: &Type) -> String {
        let payload = self.schemas.read(of);
        self.message(&of.name, &payload)
    }

    fn written(&mut self, of: &Type) -> String {
        let payload = self.schemas.written(of);
        self.message(&of.name, &payload)
    }

    /// What answers a message that does not decode, where one of a known form does.
    fn undecodable(&mut self, is_decoded: bool) -> Option<String> {
        let limits = &self.route.limits;
        let is_answered = limits.decode_errors == DecodeErrors::Answer;
        if !(is_decoded && is_answered && limits.decode_answer.is_none()) {
            return None;
        }
        let payload = json!({
            "type": "object",
            "required": ["error"],
            "properties": { "error": error() },
        });
        Some(self.message(UNDECODABLE, &payload))
    }

    /// Adds a message, unless it is there; returns its id.
    fn message(&mut self, name: &str, payload: &Value) -> String {
        let message = json!({ "name": name, "title": name, "payload": payload });
        let mut id = id_of(name);
        // The same type in the other direction may look different there.
        while self
            .messages
            .get(&id)
            .is_some_and(|other| *other != message)
        {
            id.push_str("Out");
        }
        self.messages.insert(id.clone(), message);
        id
    }

    /// Says which field of a message tells what belongs together.
    fn correlate(&mut self, message: &str, field: &str) {
        let location = format!("$message.payload#/{field}");
        self.messages[message]["correlationId"] = json!({ "location": location });
    }

    fn operation(&mut self, name: &str, action: &str, messages: &[String]) {
        let references = messages
            .iter()
            .map(|id| json!({ "$ref": self.path_of(id) }));
        let mut operation = json!({
            "action": action,
            "channel": { "$ref": format!("#/channels/{}", self.id) },
            "messages": references.collect::<Vec<_>>(),
        });
        let auth = &self.route.auth;
        if !self.security.is_empty() {
            operation["security"] = self.security.clone().into();
        }
        if !auth.scopes.is_empty() {
            operation["x-scopes"] = json!(auth.scopes);
        }
        self.operations
            .insert(format!("{}.{}", self.id, id_of(name)), operation);
    }

    fn path_of(&self, message: &str) -> String {
        format!("#/channels/{}/messages/{message}", self.id)
    }
}

/// The parameters of a pattern, and what each stands for.
fn parameters(pattern: &str) -> impl Iterator<Item = (&str, &'static str)> {
    let names = pattern
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    names.map(|name| match name.strip_prefix('*') {
        Some(name) => (
            name,
            "The rest of the path, slashes included, percent-encoded.",
        ),
        None => (name, "One segment of the path, percent-encoded."),
    })
}

/// An event in its envelope; anything is its data where nothing is documented.
fn envelope(fields: Envelope, name: &str, data: Option<Value>) -> Value {
    let required = if data.is_some() {
        vec![fields.event, fields.data]
    } else {
        vec![fields.event]
    };
    json!({
        "type": "object",
        "required": required,
        "properties": {
            fields.event: { "const": name },
            fields.data: data.unwrap_or_else(|| json!({})),
        },
    })
}

/// What answers an event that has an id.
fn reply(fields: Envelope, data: Option<Value>) -> Value {
    json!({
        "type": "object",
        "required": [fields.reply],
        "properties": {
            fields.reply: { "description": "the id of what it answers" },
            fields.data: data.unwrap_or_else(|| json!({})),
            fields.error: error(),
        },
        "oneOf": [{ "required": [fields.data] }, { "required": [fields.error] }],
    })
}

/// What says what was wrong with a message.
fn error() -> Value {
    json!({
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": { "type": "string" },
            "message": { "type": "string" },
            "issues": { "type": "array" },
        },
    })
}
