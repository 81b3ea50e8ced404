//! Path matching, against a matcher that compares segment by segment.

use std::sync::Arc;

use arbitrary::Unstructured;

use crate::{
    app::{app::App, definition::Route, matcher::Matcher},
    policy::properties::likely,
    session::Socket,
};

/// A path leads to the most literal pattern that fits, with its parameters decoded, or nowhere.
///
/// # Errors
///
/// Never.
pub fn paths_match_as_patterns_say(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut matcher = Matcher::default();
    let mut patterns: Vec<String> = Vec::new();
    for _ in 0..u.int_in_range(1..=6)? {
        let pattern = pattern(u)?;
        let route = Route::new(pattern.as_str(), async |_: Socket| {
            crate::Result::<()>::Ok(())
        });
        // What clashes with another is refused; what is left must still work.
        let Ok(app) = App::builder().route(route).build() else {
            continue;
        };
        if matcher.add(&Arc::clone(&app.inner.routes[0])).is_ok() {
            patterns.push(pattern);
        }
    }
    let path = path(u)?;
    let mut fitting: Vec<_> = patterns
        .iter()
        .filter_map(|pattern| Some((pattern, fit(pattern, &path, false)?)))
        .collect();
    fitting.sort_by_key(|(pattern, _)| literalness(pattern));

    let found = matcher.find(&path);
    let Some((pattern, raw)) = fitting.first() else {
        let error = found.expect_err("no pattern fits");
        assert_eq!(error.code(), "WHARF_NOT_FOUND", "{path:?}");
        return Ok(());
    };
    let decoded: Option<Vec<_>> = raw
        .iter()
        .map(|(name, value)| Some((name.to_string(), decode(value)?)))
        .collect();
    match (found, decoded) {
        (Ok((route, params)), Some(decoded)) => {
            assert_eq!(*route.pattern, **pattern, "{path:?}");
            let params = params.iter();
            let params: Vec<_> = params.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            assert_eq!(params, decoded, "{path:?}");
        }
        (Err(error), None) if error.code() == "WHARF_PATH_NOT_UTF8" => {}
        // What would fit with an empty parameter keeps the path from what is less literal.
        (Err(error), _) if error.code() == "WHARF_NOT_FOUND" => assert!(
            patterns.iter().any(|pattern| {
                fit(pattern, &path, true).is_some() && fit(pattern, &path, false).is_none()
            }),
            "{pattern} fits {path:?}"
        ),
        (found, decoded) => panic!("{pattern} on {path:?}: {found:?}, expected {decoded:?}"),
    }
    Ok(())
}

fn pattern(u: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let mut pattern = String::new();
    for name in ["{p}", "{q}", "{r}"].iter().take(u.int_in_range(0..=3)?) {
        let segment = *u.choose(&["a", "ab", "b", name])?;
        pattern = format!("{pattern}/{segment}");
    }
    let end = ["/", "/{*rest}", "", "", ""];
    Ok(pattern + u.choose(&end)?)
}

fn path(u: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    const SEGMENTS: [&str; 11] = [
        "a", "ab", "b", "A", "", "%61", "%2F", "%C3%A9", "%ff", "%", "%4",
    ];
    let mut path = String::new();
    for _ in 0..u.int_in_range(0..=5)? {
        path = format!("{path}/{}", likely(u, &SEGMENTS)?);
    }
    Ok(path)
}

/// The parameters, raw, if the pattern fits.
fn fit<'a>(pattern: &'a str, path: &'a str, may_be_empty: bool) -> Option<Vec<(&'a str, &'a str)>> {
    let mut params = Vec::new();
    let mut rest = path;
    for segment in pattern.strip_prefix('/')?.split('/') {
        rest = rest.strip_prefix('/')?;
        if segment == "{*rest}" {
            params.push(("rest", rest));
            return (!rest.is_empty()).then_some(params);
        }
        let end = rest.find('/').unwrap_or(rest.len());
        let value = &rest[..end];
        match segment
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(_) if value.is_empty() && !may_be_empty => return None,
            Some(name) => params.push((name, value)),
            None if value != segment => return None,
            None => {}
        }
        rest = &rest[end..];
    }
    rest.is_empty().then_some(params)
}

/// Literal segments come before parameters, and those before the rest of a path.
fn literalness(pattern: &str) -> Vec<u8> {
    let rank = |segment: &str| match segment {
        "{*rest}" => 2,
        segment if segment.starts_with('{') => 1,
        _ => 0,
    };
    pattern.split('/').map(rank).collect()
}

fn decode(raw: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = raw.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        rest = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                &after[2..]
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}
