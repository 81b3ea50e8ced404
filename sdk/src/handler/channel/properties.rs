//! What holds for any text that a peer sends to a channel.

use arbitrary::Unstructured;
use bytestring::ByteString;
use serde_json::Value;

use super::envelope::{Envelope, Incoming, MAX_NAME_BYTES, Replies, is_name};

/// Stands for what nobody but the application may see.
const SECRET: &str = "hunter2";

/// Whatever is put into an envelope, in whatever order and number, it is read as an event or a reply
/// within the bounds, or refused in words of ours; and an answer is JSON with the id that was sent.
pub fn envelopes_are_read_or_refused(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let text = text(u)?;
    let envelope = Envelope::default();
    let message = ByteString::from(text.as_str());
    let answered = match envelope.read(&message) {
        Ok(Incoming::Event { name, data, id }) => {
            assert!(is_name(name), "a name out of bounds");
            let sent: Value = serde_json::from_str(&text).expect("it was read");
            assert_eq!(sent["event"], name);
            let data = data.map_or(Value::Null, parsed);
            assert_eq!(sent["data"], data);
            id.map(|id| {
                let mut reply = Replies::new(&envelope).begin(&id).expect("it is JSON");
                reply.extend_from_slice(b"null");
                let reply = Replies::end(reply).expect("it is text");
                (reply, sent["id"].clone())
            })
        }
        Ok(Incoming::Reply { .. }) => {
            let sent: Value = serde_json::from_str(&text).expect("it was read");
            assert!(sent["reply"].is_u64() && sent.get("event").is_none());
            None
        }
        Err(malformed) => {
            let error = &malformed.error;
            assert!(error.code().starts_with("WHARF_"));
            assert!(!format!("{error:?} {error}").contains(SECRET), "a payload");
            let answer = envelope.error(malformed.id.as_ref(), error);
            let sent = serde_json::from_str::<Value>(&text).unwrap_or_default();
            let id = malformed.id.map_or(Value::Null, |_| sent["id"].clone());
            Some((answer, id))
        }
    };
    if let Some((answer, id)) = answered {
        let answer = parsed(answer.as_text().expect("text"));
        assert_eq!(answer["reply"], id, "an answer to somebody else");
        assert!(
            id.to_string().len() <= 6 * MAX_NAME_BYTES + 2,
            "an id out of bounds"
        );
    }
    Ok(())
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).expect("it is JSON")
}

/// Mostly an object with fields that mean something, and sometimes cut or no object at all.
fn text(u: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let mut fields = Vec::new();
    for _ in 0..u.int_in_range(0..=5)? {
        let name = *u.choose(&["event", "data", "id", "reply", "error", SECRET])?;
        fields.push(format!("\"{name}\":{}", value(u)?));
    }
    let mut text = format!("{{{}}}", fields.join(","));
    match u.int_in_range(0..=9)? {
        0 => text = value(u)?,
        1 => {
            let at = u.int_in_range(0..=text.len())?;
            text.truncate(
                (0..=at)
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(0),
            );
        }
        2 => text.push_str(SECRET),
        _ => {}
    }
    Ok(text)
}

fn value(u: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let long = u.int_in_range(60..=70)?;
    Ok(match u.int_in_range(0..=11)? {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => u.arbitrary::<i64>()?.to_string(),
        3 => u.arbitrary::<u64>()?.to_string(),
        4 => "1.5e3".to_owned(),
        5 => format!("\"{SECRET}\""),
        6 => format!("\"{}\"", "a".repeat(long)),
        7 => Value::from(u.arbitrary::<&str>()?).to_string(),
        8 => "[1,[2]]".to_owned(),
        9 => format!("{{\"{SECRET}\":1}}"),
        10 => format!("\"\\u00e9\\\"{SECRET}\""),
        _ => "9".repeat(long),
    })
}
