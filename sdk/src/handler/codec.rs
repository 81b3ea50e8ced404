//! Messages to values and back.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    handler::blame,
    message::{BoxError, CloseCode, CloseFrame, Error, ErrorKind, Message, MessageKind, Result},
};

/// Turns values of a type into messages and back, for [`Typed`](crate::Typed).
///
/// ```
/// use wharf_sdk::{
///     Message, MessageKind, Result, Route, Typed,
///     codec::{Codec, invalid, wrong_kind},
///     testing::TestHost,
/// };
///
/// /// A number in eight bytes.
/// struct BigEndian;
///
/// impl Codec<u64, u64> for BigEndian {
///     fn decode(message: &Message) -> Result<u64> {
///         let Message::Binary(bytes) = message else {
///             return Err(wrong_kind(MessageKind::Binary, message.kind()));
///         };
///         let bytes = <[u8; 8]>::try_from(&bytes[..])
///             .map_err(|_| invalid("NOT_EIGHT_BYTES", "send a number in eight bytes"))?;
///         Ok(u64::from_be_bytes(bytes))
///     }
///
///     fn encode(value: &u64) -> Result<Message> {
///         Ok(Message::binary(value.to_be_bytes().to_vec()))
///     }
/// }
///
/// async fn double(mut socket: Typed<u64, u64, BigEndian>) -> Result<()> {
///     while let Some(number) = socket.read().await? {
///         socket.write(&(number * 2)).await?;
///     }
///     Ok(())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let app = wharf_sdk::App::builder().route(Route::new("/double", double)).build()?;
/// # let host = TestHost::new(app);
///
/// let mut client = host.connect("/double").await;
/// client.send_binary(&21_u64.to_be_bytes()).await;
/// client.expect_binary(&42_u64.to_be_bytes()).await;
/// client.send_binary(b"short").await;
/// client.expect_close(1007).await;
/// # Ok(())
/// # }
/// ```
pub trait Codec<In, Out>: Send + Sync + 'static {
    /// Decodes a message: text, binary, or one of a kind that the protocol does not name.
    ///
    /// # Errors
    ///
    /// [`wrong_kind`] or [`invalid`], or an error of your own that carries a close frame.
    fn decode(message: &Message) -> Result<In>;

    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// [`unencodable`] for a value that cannot be encoded.
    fn encode(value: &Out) -> Result<Message>;
}

/// JSON in text messages: the codec of [`Typed`](crate::Typed) unless another is named.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl<In: DeserializeOwned, Out: Serialize> Codec<In, Out> for Json {
    fn decode(message: &Message) -> Result<In> {
        decode_json(message)
    }

    fn encode(value: &Out) -> Result<Message> {
        encode_json(value)
    }
}

/// JSON in text messages, with what is read validated by [`garde`]. The error names every field
/// that is not valid.
///
/// ```
/// use garde::Validate; // garde 0.23, a dependency of yours
/// use serde::Deserialize;
/// use wharf_sdk::{DecodeErrors, Result, Route, Typed, codec::ValidJson, Configure};
/// # use wharf_sdk::{App, testing::TestHost};
///
/// #[derive(Deserialize, Validate)]
/// struct Join {
///     #[garde(length(min = 3))]
///     name: String,
///     #[garde(range(min = 18))]
///     age: u8,
/// }
///
/// async fn join(mut socket: Typed<Join, String, ValidJson>) -> Result<()> {
///     while let Some(join) = socket.read().await? {
///         socket.write(&format!("welcome, {} ({})", join.name, join.age)).await?;
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let route = Route::new("/join", join).decode_errors(DecodeErrors::Answer);
/// # let host = TestHost::new(App::builder().route(route).build()?);
/// let mut client = host.connect("/join").await;
/// client.send_text(r#"{"name":"Al","age":30}"#).await;
/// let answer: serde_json::Value = client.expect_json().await;
/// assert_eq!(answer["error"]["message"], "name: length is lower than 3");
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "validate")]
#[derive(Debug, Clone, Copy, Default)]
pub struct ValidJson;

#[cfg(feature = "validate")]
impl<In, Out> Codec<In, Out> for ValidJson
where
    In: DeserializeOwned + garde::Validate<Context: Default>,
    Out: Serialize,
{
    fn decode(message: &Message) -> Result<In> {
        validated(decode_json(message)?, message.as_text().unwrap_or_default())
    }

    fn encode(value: &Out) -> Result<Message> {
        encode_json(value)
    }
}

/// The error for a message of another kind than was asked for: closes with 1003.
pub fn wrong_kind(expected: MessageKind, got: MessageKind) -> Error {
    let message = format!("a {expected} message was expected, not {got}; send {expected}");
    let frame = CloseFrame::cut(CloseCode::UNSUPPORTED, &message);
    Error::new(ErrorKind::Decode, "WHARF_WRONG_KIND", message)
        .with_close(frame)
        .with_expected(true)
}

/// The error for a message whose contents are wrong: closes with 1007. `detail` says where and
/// how, and must not quote the payload.
pub fn invalid(code: &'static str, detail: impl Into<String>) -> Error {
    let message = detail.into();
    let frame = CloseFrame::cut(CloseCode::INVALID_PAYLOAD, &message);
    Error::new(ErrorKind::Decode, code, message)
        .with_close(frame)
        .with_expected(true)
}

/// The error for a value that a codec cannot encode. `cause` is private.
pub fn unencodable(cause: impl Into<BoxError>) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "WHARF_ENCODE",
        "the value cannot be encoded as a message; see the private cause",
    )
    .with_source(cause)
}

/// Decodes JSON text, naming the path to what does not fit.
pub(crate) fn decode_json<T: DeserializeOwned>(message: &Message) -> Result<T> {
    match message {
        Message::Text(text) => decode_json_text(text),
        other => Err(wrong_kind(MessageKind::Text, other.kind())),
    }
}

pub(crate) fn decode_json_text<T: DeserializeOwned>(text: &str) -> Result<T> {
    // Most texts fit. Where one does not is looked for once that is known.
    serde_json::from_str(text).or_else(|_| decode_telling_where(text))
}

fn decode_telling_where<T: DeserializeOwned>(text: &str) -> Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (path, cause) = (error.path().to_string(), error.into_inner());
        let is_shape = cause.classify() == serde_json::error::Category::Data;
        // What misses or repeats a field is named by it; there is no value to blame.
        let blames_value = is_shape && !cause.to_string().contains(" field `");
        let found = blames_value.then(|| blame::culprit::<T>(text)).flatten();
        let path = found
            .filter(|found| found.len() > path.len() || path == ".")
            .unwrap_or(path);
        let mut at = String::new();
        if !path.is_empty() && path != "." && path != "?" {
            at = format!(" at {path}");
        }
        if cause.line() > 0 {
            at = format!("{at}, line {}, column {}", cause.line(), cause.column());
        }
        let what = match is_shape {
            true => "the JSON has another shape than expected",
            false => "the text is not JSON",
        };
        let detail = public_detail(&cause.to_string());
        let separator = if detail.is_empty() { "" } else { ": " };
        invalid(
            "WHARF_INVALID_JSON",
            format!("{what}{at}{separator}{detail}"),
        )
        // The cause is left behind: it quotes the payload, and causes end up in logs.
    })?;
    json.end()
        .map_err(|_| invalid("WHARF_INVALID_JSON", "there is more after the JSON value"))?;
    Ok(value)
}

/// What serde says of a value that does not fit, without the value: the field that is missing, or what
/// was expected. It is all that is known of where, inside of an enum that is told by a tag.
fn public_detail(cause: &str) -> String {
    const MAX_CHARS: usize = 160;
    let cause = cause.split(" at line ").next().unwrap_or_default();
    let is_of_ours = cause.starts_with("missing field `") || cause.starts_with("duplicate field `");
    let detail = match cause.rfind(", expected ") {
        // Names of fields and variants are this side's; what stands before is the peer's.
        Some(at) if !is_of_ours => &cause[at + 2..],
        _ if is_of_ours => cause,
        _ => "",
    };
    detail.chars().take(MAX_CHARS).collect()
}

/// The value that was decoded from this text, if it says that it is valid.
#[cfg(feature = "validate")]
pub(crate) fn validated<T: garde::Validate<Context: Default>>(value: T, text: &str) -> Result<T> {
    let Err(report) = value.validate() else {
        return Ok(value);
    };
    let sent: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let fields: Vec<_> = report
        .iter()
        .map(|(path, error)| (blame::as_sent(&path.to_string(), &sent), error.to_string()))
        .collect();
    let listed: Vec<_> = fields
        .iter()
        .map(|(path, error)| format!("{path}: {error}"))
        .collect();
    let error = invalid("WHARF_INVALID_VALUE", listed.join("; "));
    Err(fields
        .iter()
        .fold(error, |error, (path, what)| error.with_issue(path, what)))
}

pub(crate) fn encode_json(value: &impl Serialize) -> Result<Message> {
    serde_json::to_string(value)
        .map(Message::from)
        .map_err(unencodable)
}

/// What [`DecodeErrors::Answer`](crate::DecodeErrors::Answer) sends unless the route says otherwise.
pub(crate) fn answer(error: &Error) -> Message {
    let mut body = serde_json::json!({
        "error": { "code": error.code(), "message": error.message() }
    });
    error.add_fields(&mut body["error"]);
    Message::from(body.to_string())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only decoded")]
    struct Move {
        player: String,
        to: Vec<u8>,
    }

    #[test]
    fn malformed_json_names_the_path_and_not_the_value() {
        let message = Message::text(r#"{"player":"secret","to":[1,"secret"]}"#);
        let error = decode_json::<Move>(&message).expect_err("no number");
        assert!(error.message().contains("to[1]"), "{error}");
        assert!(!error.to_string().contains("secret"));
        assert_eq!(
            error.close_frame().map(|frame| frame.code().as_u16()),
            Some(1007)
        );
    }

    #[test]
    fn a_tagged_enum_names_the_field_and_not_the_value() {
        #[derive(Debug, Deserialize)]
        #[serde(tag = "type", rename_all = "kebab-case")]
        #[allow(dead_code, reason = "only decoded")]
        enum Bid {
            Place { amount: u32 },
        }
        for (text, detail) in [
            (r#"{"type":"place"}"#, "missing field `amount`"),
            (
                r#"{"type":"place","amount":"secret, expected x"}"#,
                " at amount: expected u32",
            ),
            (r#"{"type":"secret"}"#, "expected `place`"),
        ] {
            let error = decode_json::<Bid>(&Message::text(text)).expect_err("no bid");
            assert!(error.message().ends_with(detail), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_wrong_kind_is_named() {
        let error = decode_json::<u8>(&Message::binary("1")).expect_err("binary");
        assert_eq!(error.code(), "WHARF_WRONG_KIND");
        assert_eq!(
            error.close_frame().map(|frame| frame.code().as_u16()),
            Some(1003)
        );
    }

    #[test]
    fn trailing_text_is_refused() {
        decode_json::<u8>(&Message::text("1 2")).expect_err("two values");
    }

    #[cfg(feature = "validate")]
    #[test]
    fn failed_validation_names_the_field() {
        #[derive(Debug, Deserialize, garde::Validate)]
        struct Room {
            #[garde(dive)]
            members: Vec<Member>,
        }
        #[derive(Debug, Deserialize, garde::Validate)]
        struct Member {
            #[garde(length(min = 3))]
            name: String,
        }
        let message = Message::text(r#"{"members":[{"name":"Ada"},{"name":"x"}]}"#);
        let decoded = <ValidJson as Codec<Room, ()>>::decode(&message);
        let error = decoded.expect_err("too short");
        assert_eq!(error.code(), "WHARF_INVALID_VALUE");
        assert!(error.message().starts_with("members[1].name: "), "{error}");

        #[derive(Debug, Deserialize, garde::Validate)]
        #[serde(rename_all = "camelCase")]
        struct Bid {
            #[serde(flatten)]
            #[garde(dive)]
            limits: Limits,
        }
        #[derive(Debug, Deserialize, garde::Validate)]
        #[serde(rename_all = "camelCase")]
        struct Limits {
            #[garde(range(max = 10))]
            max_amount: u32,
        }
        let decoded = <ValidJson as Codec<Bid, ()>>::decode(&Message::text(r#"{"maxAmount":11}"#));
        let error = decoded.expect_err("too much");
        assert_eq!(error.issues()[0].path, "maxAmount");
    }
}
