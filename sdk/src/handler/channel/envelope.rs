//! The wire format of events: what a text of the peer asks for, and what is sent back.

use std::{fmt, ops::Range};

use bytestring::ByteString;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    handler::codec::{invalid, unencodable},
    message::{Error, Message, Result},
};

/// The longest name of an event, and the longest id of a request.
pub(super) const MAX_NAME_BYTES: usize = 64;

/// Most replies fit into this much.
const REPLY_BYTES: usize = 128;

/// The names of an envelope's fields, `event`, `data`, `id`, `reply` and `error` unless set.
///
/// ```
/// use wharf_sdk::{Channel, channel::Envelope};
///
/// let envelope = Envelope { event: "type", data: "payload", ..Envelope::default() };
/// let channel = Channel::new().envelope(envelope);
/// # let _ = channel;
/// ```
#[allow(clippy::exhaustive_structs, reason = "made by its fields")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// The event's name.
    pub event: &'static str,
    /// The payload of an event or of a reply.
    pub data: &'static str,
    /// The request's id: who sends one gets exactly one reply to it.
    pub id: &'static str,
    /// The id of the request that this answers.
    pub reply: &'static str,
    /// What went wrong, in a reply.
    pub error: &'static str,
}

impl Default for Envelope {
    fn default() -> Self {
        Self {
            event: "event",
            data: "data",
            id: "id",
            reply: "reply",
            error: "error",
        }
    }
}

/// What a text of the peer is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'t> {
    Event {
        name: &'t str,
        /// As JSON.
        data: Option<&'t str>,
        id: Option<CallId>,
    },
    Reply {
        to: u64,
        answer: Answer,
    },
}

/// What the peer answered to a request of the server, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Data(ByteString),
    Error(ByteString),
}

/// The id that a peer gave its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallId {
    Number(u64),
    /// As JSON.
    Text(ByteString),
}

/// Why a text is no envelope, and whom to answer.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) error: Error,
    pub(super) id: Option<CallId>,
}

impl Envelope {
    /// Reads an envelope. Payloads stay JSON, and slices of the message.
    pub(super) fn read<'t>(&self, text: &'t ByteString) -> Result<Incoming<'t>, Malformed> {
        let fields = self.fields(text).map_err(|what| Malformed {
            error: invalid("WHARF_ENVELOPE", what),
            id: None,
        })?;
        let id = match fields.id.as_ref().map(|id| CallId::of(text, id)) {
            None => None,
            Some(Some(id)) => Some(id),
            Some(None) => {
                return Err(Malformed {
                    error: invalid(
                        "WHARF_EVENT_ID",
                        format!("{} is a string of 1 to 64 bytes or a whole number", self.id),
                    ),
                    id: None,
                });
            }
        };
        self.incoming(text, &fields, id.clone())
            .map_err(|error| Malformed { error, id })
    }

    fn incoming<'t>(
        &self,
        text: &ByteString,
        fields: &Fields<'t>,
        id: Option<CallId>,
    ) -> Result<Incoming<'t>> {
        let own = |raw: &RawValue| text.slice_ref(raw.get());
        match (&fields.event, &fields.reply) {
            (Some(event), None) => Ok(Incoming::Event {
                name: event.as_name().ok_or_else(|| {
                    invalid(
                        "WHARF_EVENT_NAME",
                        format!(
                            "{} is a name of 1 to {MAX_NAME_BYTES} letters, digits or -_.:/",
                            self.event
                        ),
                    )
                })?,
                data: fields.data.map(RawValue::get),
                id,
            }),
            (None, Some(reply)) => {
                let answer = match (fields.data, fields.error) {
                    (None, Some(error)) => Answer::Error(own(error)),
                    (data, None) => {
                        Answer::Data(data.map_or_else(|| ByteString::from_static("null"), own))
                    }
                    (Some(_), Some(_)) => {
                        return Err(invalid(
                            "WHARF_ENVELOPE",
                            format!("a reply has {} or {}, not both", self.data, self.error),
                        ));
                    }
                };
                match reply {
                    Scalar::Number(to) => Ok(Incoming::Reply { to: *to, answer }),
                    _ => Err(unasked_reply()),
                }
            }
            _ => Err(invalid(
                "WHARF_ENVELOPE",
                format!(
                    "send a JSON object with {} (a name) or with {} (the id of a request)",
                    self.event, self.reply
                ),
            )),
        }
    }

    fn fields<'a>(&self, text: &'a str) -> Result<Fields<'a>, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        let fields = json
            .deserialize_map(FieldsOf(self))
            .and_then(|fields| json.end().map(|()| fields));
        fields.map_err(|error| match error.classify() {
            serde_json::error::Category::Data => format!(
                "the text is no envelope: send one JSON object, each of its fields once (column {})",
                error.column()
            ),
            _ => format!("the text is not JSON, from column {} on", error.column()),
        })
    }

    /// An event of the server, or a request if it has an id.
    pub(super) fn event(
        &self,
        name: &str,
        data: &impl Serialize,
        id: Option<u64>,
    ) -> Result<Message> {
        let data = encode(data)?;
        let mut text = String::with_capacity(data.len() + name.len() + 48);
        text.push('{');
        push_name(&mut text, self.event);
        push_quoted(&mut text, name);
        text.push(',');
        push_field(&mut text, self.data, &data);
        if let Some(id) = id {
            text.push(',');
            push_field(&mut text, self.id, &id.to_string());
        }
        text.push('}');
        Ok(Message::from(text))
    }

    /// An event of the server as a message, made once for many: what a room is published to.
    ///
    /// # Errors
    ///
    /// `WHARF_ENCODE` for data that cannot be encoded.
    pub fn message(&self, event: &str, data: &impl Serialize) -> Result<Message> {
        self.event(event, data, None)
    }

    /// The reply that says what went wrong; where there was no id, it is a reply to `null`.
    pub(super) fn error(&self, id: Option<&CallId>, error: &Error) -> Message {
        let mut body = serde_json::json!({ "code": error.code(), "message": error.message() });
        error.add_fields(&mut body);
        let mut text = String::from("{");
        push_name(&mut text, self.reply);
        match id {
            Some(CallId::Number(id)) => text.push_str(&id.to_string()),
            Some(CallId::Text(id)) => text.push_str(id),
            None => text.push_str("null"),
        }
        text.push(',');
        push_field(&mut text, self.error, &body.to_string());
        text.push('}');
        Message::from(text)
    }
}

/// What all replies of a channel have in common.
#[derive(Debug, Clone)]
pub(super) struct Replies {
    before_id: String,
    before_data: String,
}

impl Replies {
    pub(super) fn new(envelope: &Envelope) -> Self {
        let (mut before_id, mut before_data) = ("{".to_owned(), ",".to_owned());
        push_name(&mut before_id, envelope.reply);
        push_name(&mut before_data, envelope.data);
        Self {
            before_id,
            before_data,
        }
    }

    /// The reply to a request, up to where its data begins.
    pub(super) fn begin(&self, id: &CallId) -> Result<Vec<u8>> {
        let mut reply = Vec::with_capacity(REPLY_BYTES);
        reply.extend_from_slice(self.before_id.as_bytes());
        match id {
            CallId::Number(id) => push_json(&mut reply, id)?,
            CallId::Text(id) => reply.extend_from_slice(id.as_bytes()),
        }
        reply.extend_from_slice(self.before_data.as_bytes());
        Ok(reply)
    }

    /// The whole reply, once its data stands behind the beginning.
    pub(super) fn end(mut reply: Vec<u8>) -> Result<Message> {
        reply.push(b'}');
        String::from_utf8(reply)
            .map(Message::from)
            .map_err(unencodable)
    }
}

/// A reply to a request that was never made.
pub(super) fn unasked_reply() -> Error {
    invalid(
        "WHARF_UNASKED_REPLY",
        "a reply to a request that the server did not make; answer with the id that it sent",
    )
}

/// Whether an event may be called this.
pub(super) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
}

fn encode(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(unencodable)
}

/// Puts a value behind what is there, as JSON.
pub(super) fn push_json(text: &mut Vec<u8>, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(text, value).map_err(unencodable)
}

impl CallId {
    fn of(text: &ByteString, id: &Scalar<'_>) -> Option<Self> {
        let is_bounded = |id: &str| (1..=MAX_NAME_BYTES).contains(&id.len());
        match id {
            Scalar::Number(id) => Some(Self::Number(*id)),
            Scalar::Text(id) if is_bounded(id) => {
                // It has no escapes: with the quotes around it, it is the JSON that it came as.
                let place = place(text, id);
                let quoted = &text[place.start - 1..=place.end];
                Some(Self::Text(text.slice_ref(quoted)))
            }
            Scalar::Escaped(id) if is_bounded(id) => Some(Self::Text(
                serde_json::Value::from(&**id).to_string().into(),
            )),
            _ => None,
        }
    }
}

/// Where in a text a part of it stands.
pub(super) fn place(text: &str, part: &str) -> Range<usize> {
    let begin = part.as_ptr() as usize - text.as_ptr() as usize;
    begin..begin + part.len()
}

fn push_field(text: &mut String, name: &str, json: &str) {
    push_name(text, name);
    text.push_str(json);
}

fn push_name(text: &mut String, name: &str) {
    push_quoted(text, name);
    text.push(':');
}

/// A name as JSON. Nearly all need no escape.
fn push_quoted(text: &mut String, name: &str) {
    if is_name(name) {
        text.push('"');
        text.push_str(name);
        text.push('"');
    } else {
        text.push_str(&quoted(name));
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[derive(Default)]
struct Fields<'a> {
    event: Option<Scalar<'a>>,
    data: Option<&'a RawValue>,
    id: Option<Scalar<'a>>,
    reply: Option<Scalar<'a>>,
    error: Option<&'a RawValue>,
}

struct FieldsOf<'e>(&'e Envelope);

impl<'de> Visitor<'de> for FieldsOf<'_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(field) = map.next_key_seed(FieldOf(self.0))? {
            let is_first = match field {
                Field::Event => fields.event.replace(map.next_value()?).is_none(),
                Field::Data => fields.data.replace(map.next_value()?).is_none(),
                Field::Id => fields.id.replace(map.next_value()?).is_none(),
                Field::Reply => fields.reply.replace(map.next_value()?).is_none(),
                Field::Error => fields.error.replace(map.next_value()?).is_none(),
                Field::Other => map.next_value::<IgnoredAny>().map(|_| true)?,
            };
            if !is_first {
                // Two readers could take two different ones for the event.
                return Err(A::Error::custom("a field twice"));
            }
        }
        Ok(fields)
    }
}

/// What a field is, by its name.
enum Field {
    Event,
    Data,
    Id,
    Reply,
    Error,
    Other,
}

struct FieldOf<'e>(&'e Envelope);

impl<'de> DeserializeSeed<'de> for FieldOf<'_> {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Field, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldOf<'_> {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        let names = self.0;
        Ok(match name {
            name if name == names.event => Field::Event,
            name if name == names.data => Field::Data,
            name if name == names.id => Field::Id,
            name if name == names.reply => Field::Reply,
            name if name == names.error => Field::Error,
            _ => Field::Other,
        })
    }
}

/// A name or an id, as far as it can be one.
enum Scalar<'a> {
    Text(&'a str),
    /// A text that came with escapes.
    Escaped(String),
    Number(u64),
    /// Anything else.
    Wrong,
}

impl<'a> Scalar<'a> {
    fn as_name(&self) -> Option<&'a str> {
        match self {
            Self::Text(name) if is_name(name) => Some(name),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(AnyScalar)
    }
}

struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or an id")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Escaped(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Wrong)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Wrong)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Wrong)
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Wrong)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Scalar<'de>, A::Error> {
        IgnoredAny.visit_seq(items).map(|_| Scalar::Wrong)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Scalar<'de>, A::Error> {
        IgnoredAny.visit_map(fields).map(|_| Scalar::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &ByteString) -> Result<Incoming<'_>, &'static str> {
        let read = Envelope::default().read(text);
        read.map_err(|malformed| match malformed.error.code() {
            "WHARF_ENVELOPE" => "envelope",
            "WHARF_EVENT_NAME" => "name",
            "WHARF_EVENT_ID" => "id",
            "WHARF_UNASKED_REPLY" => "unasked",
            _ => "other",
        })
    }

    #[test]
    fn events_and_replies_are_read() {
        assert_eq!(
            read(&r#"{"id":"a-1","event":"bid","data":{"amount":7},"more":[1]}"#.into()),
            Ok(Incoming::Event {
                name: "bid",
                data: Some(r#"{"amount":7}"#),
                id: Some(CallId::Text(r#""a-1""#.into())),
            })
        );
        assert_eq!(
            read(&r#"{"reply":7}"#.into()),
            Ok(Incoming::Reply {
                to: 7,
                answer: Answer::Data("null".into()),
            })
        );
    }

    #[test]
    fn wrong_shapes_are_told_apart() {
        for text in [
            "",
            "[]",
            "nothing",
            "{}",
            r#"{"data":1}"#,
            r#"{"event":"a","event":"b"}"#,
            r#"{"event":"a","reply":1}"#,
            r#"{"reply":1,"data":1,"error":1}"#,
            r#"{"event":"a"} and more"#,
        ] {
            assert_eq!(read(&text.into()), Err("envelope"), "{text}");
        }
        let long = format!(r#"{{"event":"{}"}}"#, "a".repeat(65));
        for text in [
            r#"{"event":""}"#,
            r#"{"event":7}"#,
            r#"{"event":"a b"}"#,
            &long,
        ] {
            assert_eq!(read(&text.into()), Err("name"), "{text}");
        }
        let long = format!(r#"{{"event":"a","id":"{}"}}"#, "a".repeat(65));
        for text in [
            r#"{"event":"a","id":""}"#,
            r#"{"event":"a","id":null}"#,
            r#"{"event":"a","id":-1}"#,
            r#"{"event":"a","id":{}}"#,
            &long,
        ] {
            assert_eq!(read(&text.into()), Err("id"), "{text}");
        }
        assert_eq!(read(&r#"{"reply":"x"}"#.into()), Err("unasked"));
    }

    #[test]
    fn what_is_sent_is_json_with_the_fields_that_were_named() {
        let envelope = Envelope {
            event: "ty\"pe",
            ..Envelope::default()
        };
        let message = envelope.event("sold", &7, Some(3)).expect("encodes");
        assert_eq!(
            message,
            Message::text(r#"{"ty\"pe":"sold","data":7,"id":3}"#)
        );
    }
}
