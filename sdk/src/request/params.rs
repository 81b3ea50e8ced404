//! Path parameters.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::message::{Error, ErrorKind, Result};

/// The parameters of a matched path, percent-decoded, in the pattern's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params(Option<Arc<[(String, String)]>>);

impl Params {
    /// Decodes raw values.
    pub(crate) fn decode<'a>(raw: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let decoded = raw
            .map(|(name, value)| {
                let value = percent_decode_str(value).decode_utf8().map_err(|_| {
                    Error::new(
                        ErrorKind::BadRequest,
                        "WHARF_PATH_NOT_UTF8",
                        format!("the path parameter {name} is not UTF-8 once it is decoded"),
                    )
                })?;
                Ok((name.to_owned(), value.into_owned()))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self((!decoded.is_empty()).then(|| decoded.into())))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let params = self.0.as_deref().unwrap_or_default();
        params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
