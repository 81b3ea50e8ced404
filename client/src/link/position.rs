//! How far this side has come in a room.

use wharf_sdk::Message;

/// The position in a text of the hub's envelope, `{"position": "epoch:offset", …}`: for
/// [`positions`](super::LinkBuilder::positions).
pub fn position_in_envelope(message: &Message) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Envelope {
        position: String,
    }
    let Message::Text(text) = message else {
        return None;
    };
    // Most texts of other kinds are found out without being parsed.
    if !text.contains("\"position\"") {
        return None;
    }
    let envelope: Envelope = serde_json::from_str(text).ok()?;
    Some(envelope.position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_envelopes_have_positions() {
        let position = |text: &str| position_in_envelope(&text.into());
        let welcome = r#"{"resumed":true,"position":"a:7"}"#;
        assert_eq!(position(welcome).as_deref(), Some("a:7"));
        for other in [
            "",
            "position",
            r#"{"position":7}"#,
            r#"[{"position":"a:7"}]"#,
        ] {
            assert_eq!(position(other), None, "{other}");
        }
        assert_eq!(position_in_envelope(&Message::Binary(welcome.into())), None);
    }
}
