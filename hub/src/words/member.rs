//! Who sits in a room.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_sdk::{Error, ErrorKind, Result};

use crate::words::id::SessionId;

/// The most that a member's metadata may be, as JSON text.
pub const MAX_METADATA_BYTES: usize = 4096;

/// Somebody in a room.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Their session, unique over all nodes.
    pub session: SessionId,
    /// Their principal's id, if they have one.
    pub principal: Option<Arc<str>>,
    /// What they, or the handler, say of them.
    pub metadata: Value,
    /// Since when they sit there, to the millisecond.
    pub since: SystemTime,
    /// Counts the changes, so that the latest wins.
    pub(crate) version: u32,
}

/// What is kept of a member outside of this process.
#[derive(Serialize, Deserialize)]
struct Record {
    session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    metadata: Value,
    since: u64,
    version: u32,
}

impl Member {
    pub(crate) fn new(session: SessionId, principal: Option<Arc<str>>, metadata: Value) -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let milliseconds = u64::try_from(since_1970.as_millis()).unwrap_or_default();
        Self {
            session,
            principal,
            metadata,
            since: SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds),
            version: 1,
        }
    }

    /// [`since`](Self::since) in milliseconds since 1970.
    pub fn since_millis(&self) -> u64 {
        let since = self.since.duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or_default()
    }

    pub(crate) fn to_record(&self) -> Bytes {
        let record = Record {
            session: self.session.to_string(),
            principal: self.principal.as_deref().map(str::to_owned),
            metadata: self.metadata.clone(),
            since: self.since_millis(),
            version: self.version,
        };
        // Strings, numbers and a JSON value always serialize.
        serde_json::to_vec(&record).unwrap_or_default().into()
    }

    pub(crate) fn from_record(bytes: &[u8]) -> Option<Self> {
        let record: Record = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            session: record.session.parse().ok()?,
            principal: record.principal.map(Into::into),
            metadata: record.metadata,
            since: SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(record.since))?,
            version: record.version,
        })
    }
}

/// Checks that metadata is not too long.
pub(crate) fn check_metadata(metadata: &Value) -> Result<()> {
    let bytes = serde_json::to_vec(metadata).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_METADATA_BYTES {
        return Err(Error::new(
            ErrorKind::TooLarge,
            "WHARF_HUB_METADATA",
            format!(
                "a member's metadata is over {MAX_METADATA_BYTES} bytes of JSON; keep the rest \
                 elsewhere and refer to it"
            ),
        ));
    }
    Ok(())
}
