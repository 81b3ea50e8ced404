//! Routes that will go.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;

use crate::message::{Error, Result};

/// Since when a route is deprecated, when it goes, and where that is explained.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deprecation {
    /// The day, as `2026-01-31`.
    pub since: String,
    /// The day on which it goes.
    pub sunset: Option<String>,
    /// A page that explains it.
    pub link: Option<String>,
}

impl Deprecation {
    /// What clients are told: `Deprecation` ([RFC 9745](https://www.rfc-editor.org/rfc/rfc9745)),
    /// `Sunset` ([RFC 8594](https://www.rfc-editor.org/rfc/rfc8594)) and `Link`.
    pub(super) fn headers(&self) -> Result<HeaderMap> {
        let since = day(&self.since)?;
        let seconds = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut headers = HeaderMap::new();
        let since = value("since", format!("@{}", seconds.as_secs()))?;
        headers.insert(HeaderName::from_static("deprecation"), since);
        if let Some(sunset) = &self.sunset {
            let sunset = value("sunset", httpdate::fmt_http_date(day(sunset)?))?;
            headers.insert(HeaderName::from_static("sunset"), sunset);
        }
        if let Some(link) = &self.link {
            let link = value("link", format!("<{link}>; rel=\"deprecation\""))?;
            headers.insert(header::LINK, link);
        }
        Ok(headers)
    }
}

fn value(what: &str, text: String) -> Result<HeaderValue> {
    HeaderValue::try_from(text)
        .map_err(|_| Error::config(format!("the {what} of its deprecation fits no header")))
}

/// The beginning of a day that is written as `2026-01-31`, in UTC.
fn day(text: &str) -> Result<SystemTime> {
    let wrong = || {
        Error::config(format!(
            "{text:?} is no day of its deprecation; write it as 2026-01-31"
        ))
    };
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let mut next = || parts.next().flatten().ok_or_else(wrong);
    let (year, month, day) = (next()?, next()?, next()?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if is_leap { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let at = usize::try_from(month).unwrap_or_default().wrapping_sub(1);
    let length = *months.get(at).ok_or_else(wrong)?;
    if !(1970..10_000).contains(&year) || !(1..=length).contains(&day) {
        return Err(wrong());
    }
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let days = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
        + months[..at].iter().sum::<u64>()
        + (day - 1);
    Ok(UNIX_EPOCH + Duration::from_secs(days * 24 * 60 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (text, date) in [
            ("1970-01-01", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("2000-02-29", "Tue, 29 Feb 2000 00:00:00 GMT"),
            ("2026-01-01", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("2027-01-01", "Fri, 01 Jan 2027 00:00:00 GMT"),
            ("2100-03-01", "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            let day = day(text).expect("a day");
            assert_eq!(httpdate::fmt_http_date(day), date, "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "1.1.2026",
        ] {
            day(text).expect_err("no day");
        }
    }
}
