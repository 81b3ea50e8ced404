//! Finds what looks like a secret in a text, and masks it.
//!
//! The text may be JSON, a form, a log line or half of one of these, so it is read word by word and
//! not parsed. In doubt it is masked.

/// What stands for a secret.
const MASK: &str = "•••";

/// A name that has one of these in it names a secret,
const SECRET_PARTS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "authorization",
    "cookie",
    "credential",
    "privatekey",
    "private_key",
    "private-key",
];

/// and so does one that is one of these.
const SECRET_NAMES: [&str; 9] = [
    "auth", "cvc", "cvv", "jwt", "otp", "pass", "pin", "pwd", "sid",
];

/// What stands in front of a credential in a header.
const SCHEMES: [&str; 3] = ["bearer", "basic", "digest"];

/// Beginnings of credentials that say what they are.
const PREFIXES: [&str; 9] = [
    "eyJ", "sk_", "sk-", "pk_", "rk_", "ghp_", "gho_", "xox", "AKIA",
];

/// From this length on, letters mixed with digits are taken for a credential.
const LONG: usize = 24;

/// The same at the end of a text that was cut: more of it may follow.
const LONG_AT_CUT: usize = 8;

/// The text, with a mask in the place of everything that looks like a secret.
pub(crate) fn mask_secrets(text: &str, is_cut: bool) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !is_of_word(first) {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if names_secret(word)
            && let Some((separator, behind)) = value_behind(after)
        {
            masked.push_str(word);
            masked.push_str(separator);
            masked.push_str(MASK);
            rest = behind;
        } else if is_scheme(word) && after.starts_with(' ') {
            masked.push_str(word);
            masked.push(' ');
            masked.push_str(MASK);
            let credential = after.trim_start();
            let end = credential.find(|c: char| c.is_whitespace() || c == '"');
            rest = &credential[end.unwrap_or(credential.len())..];
        } else if is_credential(word, is_cut && after.is_empty()) {
            masked.push_str(MASK);
        } else {
            masked.push_str(word);
        }
    }
    masked
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_-+/.~".contains(c)
}

fn names_secret(word: &str) -> bool {
    let word = word.to_lowercase();
    SECRET_NAMES.contains(&&*word) || SECRET_PARTS.iter().any(|part| word.contains(part))
}

fn is_scheme(word: &str) -> bool {
    SCHEMES
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

fn is_credential(word: &str, is_at_cut: bool) -> bool {
    let longest = if is_at_cut { LONG_AT_CUT } else { LONG };
    let is_mixed = word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_long = word.len() >= longest && is_mixed;
    is_long
        || PREFIXES
            .iter()
            .any(|prefix| word.starts_with(prefix) && word.len() > prefix.len() + 4)
}

/// Behind a name: what separates it from its value, and what comes behind the value.
fn value_behind(after: &str) -> Option<(&str, &str)> {
    // The quote that ends the name, escaped where there is JSON within JSON.
    let value = after.trim_start_matches(['\\', '"', '\'']).trim_start();
    let value = value.strip_prefix([':', '='])?.trim_start();
    let separator = &after[..after.len() - value.len()];
    let end = match value.chars().next()? {
        '"' => quoted_end(value, "\""),
        '\'' => quoted_end(value, "'"),
        '\\' => quoted_end(value, "\\\""),
        '{' | '[' => nested_end(value),
        _ => value.find([',', ';', '&', '}', ']', '"', '\n', '\r']),
    };
    // Without an end, it goes on behind the cut.
    Some((separator, &value[end.unwrap_or(value.len())..]))
}

/// Where a quoted value ends that begins with this quote.
fn quoted_end(value: &str, quote: &str) -> Option<usize> {
    let mut at = quote.len();
    loop {
        let rest = value.get(at..)?;
        if rest.starts_with(quote) {
            return Some(at + quote.len());
        }
        let mut chars = rest.chars();
        let first = chars.next()?;
        at += first.len_utf8();
        if first == '\\' {
            at += chars.next()?.len_utf8();
        }
    }
}

/// Where a list or an object ends.
fn nested_end(value: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in value.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::mask_secrets;

    #[test]
    fn values_of_names_that_say_so_are_masked() {
        for (text, masked) in [
            (
                r#"{"password":"hunter2","n":1}"#,
                r#"{"password":•••,"n":1}"#,
            ),
            (
                r#"{"apiToken" : "a\"b", "x": 2}"#,
                r#"{"apiToken" : •••, "x": 2}"#,
            ),
            (r#"{"pin":1234}"#, r#"{"pin":•••}"#),
            (
                r#"{"credentials":{"user":"x","key":["y"]},"n":1}"#,
                r#"{"credentials":•••,"n":1}"#,
            ),
            (
                r#"{"body":"{\"secret\":\"abc\",\"n\":1}"}"#,
                r#"{"body":"{\"secret\":•••,\"n\":1}"}"#,
            ),
            (
                "user=bob&access_token=abc&n=1",
                "user=bob&access_token=•••&n=1",
            ),
            ("Authorization: Bearer abc.def", "Authorization: •••"),
            ("set Cookie: a=b; c=d", "set Cookie: •••; c=d"),
        ] {
            assert_eq!(mask_secrets(text, false), masked);
        }
    }

    #[test]
    fn what_looks_like_a_credential_is_masked_by_whatever_name() {
        for secret in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
            "ghp_abcdefgh",
            "0123456789abcdef0123456789abcdef",
            "bearer abc",
        ] {
            let masked = mask_secrets(&format!("{{\"note\":\"{secret}\"}}"), false);
            assert!(masked.contains("•••"), "{masked}");
            assert!(!masked.contains("abc"), "{masked}");
        }
    }

    #[test]
    fn a_secret_that_the_cut_goes_through_is_masked() {
        for (text, masked) in [
            (r#"{"password":"hunt"#, r#"{"password":•••"#),
            (r#"{"password":"#, r#"{"password":"#),
            (r#"{"note":"a1b2c3d4e5"#, r#"{"note":"•••"#),
            (r#"{"credentials":{"user":"#, r#"{"credentials":•••"#),
            (r#"{"token":"abc\"#, r#"{"token":•••"#),
        ] {
            assert_eq!(mask_secrets(text, true), masked);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "",
            r#"{"name":"harbour","price":12.5,"at":"2026-01-01T00:00:00Z"}"#,
            "the token ring is a network",
            "größer als <b>alles</b> 🚢",
        ] {
            assert_eq!(mask_secrets(text, false), text);
        }
    }
}
