//! Paths to routes.

use std::sync::Arc;

use crate::{
    app::entry::RouteEntry,
    message::{Error, ErrorKind, Result},
    request::Params,
};

/// Finds the route of a raw path. Built once; a look-up costs the path's length, not the number of
/// routes.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    router: matchit::Router<Arc<RouteEntry>>,
}

impl Matcher {
    /// Adds a route, refusing patterns that do not parse or clash with another.
    pub(super) fn add(&mut self, route: &Arc<RouteEntry>) -> Result<()> {
        let pattern = &*route.pattern;
        if !pattern.starts_with('/') {
            return Err(Error::config(format!(
                "route pattern {pattern:?} does not begin with a slash; write \"/{pattern}\""
            )));
        }
        if let Some(segment) = pattern.split('/').find(|segment| is_foreign(segment)) {
            return Err(Error::config(format!(
                "route pattern {pattern:?} has the segment {segment:?}, which other routers take for \
                 a parameter; write {{name}} for a segment and {{*name}} for the rest of the path"
            )));
        }
        self.router.insert(pattern, Arc::clone(route)).map_err(|error| match error {
            matchit::InsertError::Conflict { with } => Error::config(format!(
                "route pattern {pattern:?} clashes with {with:?}: some paths would match both; \
                 change one"
            )),
            error => Error::config(format!(
                "route pattern {pattern:?} does not parse: {error}; write {{name}} for a segment \
                 and {{*name}} for the rest of the path"
            )),
        })
    }

    /// The route of a raw path, with its parameters decoded.
    pub(crate) fn find(&self, path: &str) -> Result<(Arc<RouteEntry>, Params)> {
        let not_found = || {
            Error::new(
                ErrorKind::NotFound,
                "WHARF_NOT_FOUND",
                "there is no route at this path; check it, a trailing slash included",
            )
        };
        let found = self.router.at(path).map_err(|_| not_found())?;
        // The empty parameter does not match, and the path is not tried on less literal patterns.
        if found.params.iter().any(|(_, value)| value.is_empty()) {
            return Err(not_found());
        }
        let params = Params::decode(found.params.iter())?;
        Ok((Arc::clone(found.value), params))
    }
}

/// Whether a segment is a parameter in another router's spelling: `:id`, `*rest`, `<id>`.
fn is_foreign(segment: &str) -> bool {
    segment.starts_with([':', '*']) || (segment.starts_with('<') && segment.ends_with('>'))
}

/// The names of a pattern's parameters, in order.
pub(super) fn parameters(pattern: &str) -> Vec<&str> {
    // Doubled braces are literal ones.
    let bytes = pattern.as_bytes();
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'{', Some(b'{')) | (b'}', Some(b'}')) => at += 2,
            (b'{', _) => {
                let end = pattern[at..].find('}').map_or(bytes.len(), |end| at + end);
                names.push(pattern[at + 1..end].trim_start_matches('*'));
                at = end + 1;
            }
            _ => at += 1,
        }
    }
    names
}
