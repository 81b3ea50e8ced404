//! Identifiers inside a document.

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
