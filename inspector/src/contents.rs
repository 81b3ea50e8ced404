//! What is shown of messages, where the app says so: their beginning, without secrets.

use std::{fmt, sync::Arc};

use wharf_sdk::{MessageKind, Passed};

use crate::secrets::mask_secrets;

/// How much of a message is shown unless the app says otherwise.
const DEFAULT_BYTES: usize = 512;

/// The texts that are shown of a session that is followed: those of the routes that are named here,
/// cut, and with everything masked that looks like a secret. Binary messages never are.
///
/// ```
/// use wharf_inspector::{Contents, Inspector};
///
/// let inspector = Inspector::new("/inspect")
///     .show_contents(Contents::of_routes(["/rooms/{room}"]).at_most_bytes(200));
/// # let _ = inspector;
/// ```
#[derive(Clone)]
#[must_use = "pass it to `Inspector::show_contents`"]
pub struct Contents {
    routes: Vec<String>,
    max_bytes: usize,
    filter: Option<Arc<Filter>>,
}

type Filter = dyn Fn(String) -> String + Send + Sync;

impl Contents {
    /// Shows the texts of these routes, named by their patterns.
    pub fn of_routes<I: IntoIterator<Item: Into<String>>>(routes: I) -> Self {
        Self {
            routes: routes.into_iter().map(Into::into).collect(),
            max_bytes: DEFAULT_BYTES,
            filter: None,
        }
    }

    /// Shows so many bytes of each, at most 4096. Default: 512.
    pub fn at_most_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Passes what is left after the masking through a filter of the app's own.
    pub fn filtered_by(
        mut self,
        filter: impl Fn(String) -> String + Send + Sync + 'static,
    ) -> Self {
        self.filter = Some(Arc::new(filter));
        self
    }

    /// How many bytes of the messages of this route are asked for.
    pub(crate) fn bytes_of(&self, route: &str) -> usize {
        let is_named = self.routes.iter().any(|named| named == route);
        if is_named { self.max_bytes } else { 0 }
    }

    /// What is shown of a message.
    pub(crate) fn text_of(&self, passed: &Passed) -> Option<String> {
        if passed.kind != MessageKind::Text || passed.start.is_empty() {
            return None;
        }
        // Cut in the middle of a character, perhaps.
        let text = passed.start.utf8_chunks().next()?.valid();
        let is_cut = passed.start.len() < passed.payload_bytes;
        let mut shown = mask_secrets(text, is_cut);
        if let Some(filter) = &self.filter {
            shown = filter(shown);
        }
        if is_cut {
            shown.push('…');
        }
        Some(shown)
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("routes", &self.routes)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}
