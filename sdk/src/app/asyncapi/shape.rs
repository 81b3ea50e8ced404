//! A schema as people read it.

use std::fmt::Write;

use serde_json::Value;

use super::html::{code, escape, escaped, fields};

/// What a value looks like, as HTML; what is told in no other way is shown as the schema that it is.
pub(super) fn shape(schema: &Value) -> String {
    let told =
        told(schema).unwrap_or_else(|| format!("<pre>{}</pre>", escape(&format!("{schema:#}"))));
    match schema["description"].as_str() {
        Some(says) => format!("{told} <span>{}</span>", escape(says)),
        None => told,
    }
}

fn told(schema: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next()?);
        return Some(format!(
            "<a href=\"#schema-{name}\"><code>{name}</code></a>"
        ));
    }
    if let Some(value) = schema.get("const") {
        return Some(code(&value.to_string()));
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values
            .iter()
            .map(|value| code(&value.to_string()))
            .collect();
        return Some(values.join(" or "));
    }
    if let Some(properties) = schema["properties"].as_object() {
        return Some(object(schema, properties));
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let choices: Vec<_> = choices.iter().map(shape).collect();
            return Some(format!("one of<ul><li>{}</ul>", choices.join("<li>")));
        }
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => {
            Some(format!("list of {}", shape(&schema["items"])))
        }
        Value::String(kind) => Some(simple(schema, kind)),
        Value::Array(kinds) => {
            let kinds: Vec<_> = kinds.iter().map(escaped).collect();
            Some(kinds.join(" or "))
        }
        Value::Null => {
            let says_nothing =
                fields(schema).all(|(name, _)| name == "description" || name == "title");
            says_nothing.then(|| "anything".to_owned())
        }
        _ => None,
    }
}

fn object(schema: &Value, properties: &serde_json::Map<String, Value>) -> String {
    let required = schema["required"].as_array();
    let mut rows = String::from("<table class=fields>");
    for (name, property) in properties {
        let is_required = required.is_some_and(|names| names.iter().any(|other| other == name));
        let may = if is_required {
            ""
        } else {
            " <small>may be left out</small>"
        };
        // Writing to a string does not fail.
        let _ = write!(
            rows,
            "<tr><th scope=row>{}{may}<td>{}",
            code(name),
            shape(property)
        );
    }
    rows.push_str("</table>");
    for choice in ["oneOf", "anyOf"] {
        let choices = schema[choice].as_array().into_iter().flatten();
        let named: Vec<_> = choices
            .filter_map(|choice| choice["required"][0].as_str())
            .collect();
        if !named.is_empty() {
            let named: Vec<_> = named.into_iter().map(code).collect();
            let _ = write!(rows, "<p>with {}</p>", named.join(" or "));
        }
    }
    rows
}

/// A type with its bounds.
fn simple(schema: &Value, kind: &str) -> String {
    let mut text = escape(kind);
    if let Some(format) = schema["format"].as_str() {
        let _ = write!(text, " ({})", escape(format));
    }
    for (bound, says) in [
        ("minimum", "from"),
        ("maximum", "to"),
        ("minLength", "of at least"),
        ("maxLength", "of at most"),
        ("pattern", "like"),
    ] {
        if let Some(bound) = schema.get(bound) {
            let _ = write!(
                text,
                " {says} {}",
                code(bound.as_str().unwrap_or(&bound.to_string()))
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::shape;

    #[test]
    fn schemas_are_told_in_words_and_escaped() {
        for (schema, told) in [
            (json!({}), "anything"),
            (
                json!({ "const": "<b>" }),
                "<code>&quot;&lt;b&gt;&quot;</code>",
            ),
            (
                json!({ "type": "integer", "minimum": 0, "maximum": 9 }),
                "integer from <code>0</code> to <code>9</code>",
            ),
            (
                json!({ "$ref": "#/components/schemas/Line" }),
                "<a href=\"#schema-Line\"><code>Line</code></a>",
            ),
            (
                json!({ "type": "array", "items": { "type": "string" } }),
                "list of string",
            ),
            (
                json!({ "type": ["string", "null"], "description": "<i>" }),
                "string or null <span>&lt;i&gt;</span>",
            ),
        ] {
            assert_eq!(shape(&schema), told);
        }
        let object = shape(&json!({
            "type": "object",
            "required": ["a"],
            "properties": { "a": { "type": "string" }, "b": { "type": "boolean" } },
        }));
        assert!(object.contains("<code>a</code><td>string"), "{object}");
        assert!(
            object.contains("<code>b</code> <small>may be left out</small><td>boolean"),
            "{object}"
        );
    }
}
