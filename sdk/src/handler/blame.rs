//! Where in a payload something is wrong, in the words of whoever sent it.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is searched through, and no more: a search costs a decoding for each value in it.
const MAX_BYTES: usize = 2 * 1024;
const MAX_VALUES: usize = 32;

/// What serde puts between what came and what should have.
const EXPECTED: &str = ", expected ";

/// The path to the value because of which a text does not decode.
///
/// Enums that are told by a tag, and fields that are flattened, are decoded from a copy that knows
/// no paths. But what is wrong with a value is found where it stands: put something else there, and
/// that is what is not what was expected. Values behind it are never looked at, so it is the last
/// where this is so.
pub(super) fn culprit<T: DeserializeOwned>(text: &str) -> Option<String> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let whole: Value = serde_json::from_str(text).ok()?;
    let mut places = Vec::new();
    collect(&whole, &mut Vec::new(), &mut places)?;
    let complaint = |value: &Value| T::deserialize(value).err().map(|error| error.to_string());
    let told = complaint(&whole)?;
    let (_, expected) = told.rsplit_once(EXPECTED)?;
    let to_blame = places.iter().rev().find(|place| {
        let mut changed = whole.clone();
        if let Some(value) = value_at(&mut changed, place) {
            *value = match value {
                Value::Array(_) => Value::Object(serde_json::Map::new()),
                _ => Value::Array(Vec::new()),
            };
        }
        let told_now = complaint(&changed).unwrap_or_default();
        told_now != told
            && told_now
                .rsplit_once(EXPECTED)
                .is_some_and(|(_, now)| now == expected)
    })?;
    Some(written(to_blame))
}

/// A path as the peer's text has it, of one that has the names of this side's fields: `max_amount`
/// where `maxAmount` was sent, and `limits.max_amount` where the limits are flattened.
#[cfg(feature = "validate")]
pub(super) fn as_sent(path: &str, sent: &Value) -> String {
    let mut steps = Vec::new();
    let mut at = Some(sent);
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !name.is_empty() {
            let fields = at.and_then(Value::as_object);
            let key = fields.and_then(|fields| fields.keys().find(|key| is_alike(key, name)));
            match key {
                Some(key) => {
                    steps.push(Step::Field(key.clone()));
                    at = at.and_then(|value| value.get(key));
                }
                // Nobody sent that name: what is in it stands one level further up.
                None if fields.is_some() && parts.peek().is_some() && indices.is_empty() => {}
                None => {
                    steps.push(Step::Field(name.to_owned()));
                    at = None;
                }
            }
        }
        for index in indices.split(['[', ']']).filter(|index| !index.is_empty()) {
            if let Ok(index) = index.parse() {
                steps.push(Step::Index(index));
                at = at.and_then(|value| value.get(index));
            }
        }
    }
    written(&steps)
}

/// One step into a value.
#[derive(Debug, Clone)]
enum Step {
    Field(String),
    Index(usize),
}

/// Every value's place, those that stand first in the text first; `None` if there are too many.
fn collect(value: &Value, path: &mut Vec<Step>, places: &mut Vec<Vec<Step>>) -> Option<()> {
    if places.len() == MAX_VALUES {
        return None;
    }
    places.push(path.clone());
    let mut enter = |step, inner: &Value| {
        path.push(step);
        let entered = collect(inner, path, places);
        path.pop();
        entered
    };
    match value {
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(at, item)| enter(Step::Index(at), item))
        }
        Value::Object(fields) => {
            let mut fields = fields.iter();
            fields.try_for_each(|(name, field)| enter(Step::Field(name.clone()), field))
        }
        _ => Some(()),
    }
}

fn value_at<'a>(whole: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(whole, |value, step| match step {
        Step::Field(name) => value.get_mut(name),
        Step::Index(at) => value.get_mut(*at),
    })
}

fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Index(at) => text.push_str(&format!("[{at}]")),
        }
    }
    text
}

/// Whether two names differ only in how words are set apart.
#[cfg(feature = "validate")]
fn is_alike(sent: &str, own: &str) -> bool {
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(|char| char.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    plain(sent) == plain(own)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(tag = "type", rename_all = "camelCase")]
    #[allow(dead_code, reason = "only decoded")]
    enum Order {
        Buy {
            item: String,
            #[serde(rename = "maxAmount")]
            max_amount: u32,
            to: Vec<Place>,
        },
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only decoded")]
    struct Place {
        street: String,
        number: u8,
    }

    #[test]
    fn inside_of_a_tagged_enum_the_value_is_found() {
        for (text, path) in [
            (
                r#"{"type":"buy","item":"vase","maxAmount":"9","to":[]}"#,
                "maxAmount",
            ),
            (r#"{"type":"buy","item":7,"maxAmount":9,"to":[]}"#, "item"),
            (
                r#"{"item":"vase","to":[{"street":"a","number":1},{"street":"b","number":256}],"type":"buy","maxAmount":9}"#,
                "to[1].number",
            ),
        ] {
            let found = culprit::<Order>(text);
            assert_eq!(found.as_deref(), Some(path), "{text}");
        }
        let inside = r#"[{"type":"buy","item":"vase","maxAmount":-1,"to":[]}]"#;
        assert_eq!(
            culprit::<Vec<Order>>(inside).as_deref(),
            Some("[0].maxAmount")
        );
    }

    #[test]
    fn what_is_too_much_to_search_is_not() {
        let many = format!("[{}\"x\"]", "1,".repeat(MAX_VALUES));
        assert_eq!(culprit::<Vec<u8>>(&many), None);
        let long = format!("[\"{}\"]", "x".repeat(MAX_BYTES));
        assert_eq!(culprit::<Vec<u8>>(&long), None);
        assert_eq!(culprit::<Vec<u8>>("[1]"), None, "nothing is wrong");
        assert_eq!(culprit::<Vec<u8>>("no json"), None);
    }

    #[cfg(feature = "validate")]
    #[test]
    fn names_are_the_senders() {
        let sent = serde_json::json!({
            "maxAmount": 1, "some-list": [{ "AN_ID": 2 }], "flat": { "deep_er": 3 }
        });
        for (own, theirs) in [
            ("max_amount", "maxAmount"),
            ("some_list[0].an_id", "some-list[0].AN_ID"),
            ("limits.max_amount", "maxAmount"),
            ("outer.flat.inner.deep_er", "flat.deep_er"),
            ("not_sent", "not_sent"),
            ("some_list[7].name", "some-list[7].name"),
        ] {
            assert_eq!(as_sent(own, &sent), theirs);
        }
    }
}
