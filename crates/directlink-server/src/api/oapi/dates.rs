//! Dates as the API takes them: a date, or a date and a time (ISO 8601, read as RFC 3339).

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// `2010-10-01T12:34:56.789Z` (RFC 3339, as the description's `date-time`; some of its examples
/// write the offset without a colon, which that format does not allow).
pub(super) fn show(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A bare date is its first moment.
pub(super) fn from(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| midnight(text.parse().ok()?))
}

/// A bare date is its last moment: `until` a day includes it.
pub(super) fn until(text: &str) -> Option<Timestamp> {
    let date = || midnight(text.parse::<Date>().ok()?.checked_add(1.day()).ok()?);
    text.parse().ok().or_else(date)
}

fn midnight(date: Date) -> Option<Timestamp> {
    date.to_zoned_datetime(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        for (text, first, last) in [
            ("2020-06-14", Some("2020-06-14T00:00:00.000Z"), Some("2020-06-15T00:00:00.000Z")),
            (
                "2020-06-14T12:00:00.500Z",
                Some("2020-06-14T12:00:00.500Z"),
                Some("2020-06-14T12:00:00.500Z"),
            ),
            ("yesterday", None, None),
            ("2020-13-14", None, None),
        ] {
            let shown = |at: Option<Timestamp>| at.map(show);
            assert_eq!(shown(from(text)).as_deref(), first, "{text}");
            assert_eq!(shown(until(text)).as_deref(), last, "{text}");
        }
    }
}
