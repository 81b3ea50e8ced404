//! The document as a page: no script, nothing from another host.

use std::fmt::Write;

use http::{HeaderValue, header};
use serde_json::Value;

use super::{
    html::{code, escape, escaped, fields},
    shape::shape,
};
use crate::request::{Response, response};

const STYLE: &str = include_str!("page.css");

/// The page may load nothing and run nothing, whatever is in the document.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

pub(super) fn page(document: &Value) -> Response {
    let mut response = response::html(html(document));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn html(document: &Value) -> String {
    let mut page = String::new();
    let info = &document["info"];
    let title = escaped(&info["title"]);
    put(
        &mut page,
        format_args!(
            "<!doctype html><html lang=en><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style>\
             <nav aria-label=Channels><ul>",
        ),
    );
    for (id, channel) in fields(&document["channels"]) {
        put(
            &mut page,
            format_args!(
                "<li><a href=\"#{}\"><code>{}</code></a>",
                escape(id),
                escaped(&channel["address"])
            ),
        );
    }
    put(
        &mut page,
        format_args!(
            "</ul></nav><main><header><h1>{title} <small>{}</small></h1><p>{}</p></header>",
            escaped(&info["version"]),
            escaped(&info["description"]),
        ),
    );
    for (id, channel) in fields(&document["channels"]) {
        section(&mut page, document, id, channel);
    }
    page.push_str(
        "<section><h2>Refusals</h2><p>of every channel, besides those that it has of its own</p>",
    );
    refusals(&mut page, "Refusals", &document["x-refusals"]["everywhere"]);
    if let Some(payload) = document["x-refusals"].get("payload") {
        put(
            &mut page,
            format_args!(
                "<h3>What they say <small>{}</small></h3>{}",
                escaped(&document["x-refusals"]["contentType"]),
                shape(payload)
            ),
        );
    }
    page.push_str("</section>");
    if let Some(schemas) = document["components"].get("schemas") {
        page.push_str("<h2>Schemas</h2>");
        for (name, schema) in fields(schemas) {
            let name = escape(name);
            put(
                &mut page,
                format_args!(
                    "<section id=\"schema-{name}\"><h3><code>{name}</code></h3>{}</section>",
                    shape(schema)
                ),
            );
        }
    }
    page.push_str("</main></html>");
    page
}

fn section(page: &mut String, document: &Value, id: &str, channel: &Value) {
    put(
        page,
        format_args!(
            "<section id=\"{0}\"><h2><a href=\"#{0}\"><code>{1}</code></a>{2}</h2><p>{3}</p>",
            escape(id),
            escaped(&channel["address"]),
            if channel["x-deprecated"].is_null() {
                ""
            } else {
                " <mark>deprecated</mark>"
            },
            escaped(&channel["summary"]),
        ),
    );
    let reference = format!("#/channels/{id}");
    for (name, operation) in fields(&document["operations"]) {
        if operation["channel"]["$ref"] != reference.as_str() {
            continue;
        }
        let says = if operation["action"] == "receive" {
            "You send"
        } else {
            "You get"
        };
        put(
            page,
            format_args!("<h3>{says} <small>{}</small></h3>", escape(name)),
        );
        if !operation["x-scopes"].is_null() {
            put(
                page,
                format_args!("<p>needs the scopes {}</p>", listed(&operation["x-scopes"])),
            );
        }
        messages(page, channel, &operation["messages"]);
        if let Some(reply) = operation.get("reply") {
            page.push_str("<p class=reply>and the reply is</p>");
            messages(page, channel, &reply["messages"]);
        }
    }
    table(page, "Parameters", &channel["parameters"], |value| {
        escaped(&value["description"])
    });
    for (name, title) in [("query", "Query"), ("headers", "Headers")] {
        if let Some(schema) = channel["bindings"]["ws"].get(name) {
            put(page, format_args!("<h3>{title}</h3>{}", shape(schema)));
        }
    }
    let subprotocols = &channel["x-subprotocols"];
    if !subprotocols.is_null() {
        let required = if subprotocols["required"] == true {
            ", one of them required"
        } else {
            ""
        };
        let names = listed(&subprotocols["names"]);
        put(
            page,
            format_args!("<h3>Subprotocols</h3><p>{names}{required}</p>"),
        );
    }
    table(page, "Limits", &channel["x-limits"], escaped);
    table(page, "Close codes", &channel["x-close-codes"], escaped);
    refusals(page, "Refusals", &channel["x-refusals"]);
    page.push_str("</section>");
}

fn messages(page: &mut String, channel: &Value, references: &Value) {
    for reference in references.as_array().into_iter().flatten() {
        let id = reference["$ref"]
            .as_str()
            .and_then(|path| path.rsplit('/').next());
        let message = &channel["messages"][id.unwrap_or_default()];
        put(
            page,
            format_args!(
                "<div class=message><h4>{}</h4><p>{}</p>{}</div>",
                escaped(&message["title"]),
                escaped(&message["summary"]),
                message.get("payload").map(shape).unwrap_or_default(),
            ),
        );
    }
}

fn table(page: &mut String, title: &str, rows: &Value, cell: impl Fn(&Value) -> String) {
    if rows.as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    put(
        page,
        format_args!("<details><summary>{title}</summary><table>"),
    );
    for (name, value) in fields(rows) {
        put(
            page,
            format_args!("<tr><th scope=row>{}<td>{}", escape(name), cell(value)),
        );
    }
    page.push_str("</table></details>");
}

fn refusals(page: &mut String, title: &str, rows: &Value) {
    put(
        page,
        format_args!("<details><summary>{title}</summary><table>"),
    );
    for row in rows.as_array().into_iter().flatten() {
        put(
            page,
            format_args!(
                "<tr><th scope=row>{} {}<td>{}",
                escaped(&row["status"]),
                code(row["code"].as_str().unwrap_or_default()),
                escaped(&row["when"])
            ),
        );
    }
    page.push_str("</table></details>");
}

fn listed(names: &Value) -> String {
    let names = names.as_array().into_iter().flatten();
    let names: Vec<_> = names
        .map(|name| code(name.as_str().unwrap_or_default()))
        .collect();
    names.join(", ")
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = page.write_fmt(text);
}
