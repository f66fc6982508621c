//! Instants as the contract writes them: RFC 3339 with a time zone, `2026-11-01T04:00:00Z`.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use crate::month::{FIRST_YEAR, LAST_YEAR};

/// Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|+hh:mm|-hh:mm)`, and nothing looser: no space for the `T`, no missing zone,
/// no leap second.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let shape = text.as_bytes();
    // chrono also takes a typographic minus sign.
    let strict = text.is_ascii() && shape.len() >= 20 && shape[10] == b'T' && &shape[17..19] != b"60" && !text.ends_with('z');
    let instant = strict.then(|| DateTime::parse_from_rfc3339(text).ok()).flatten()?;
    (FIRST_YEAR..=LAST_YEAR).contains(&instant.year()).then(|| instant.to_utc())
}

pub fn format_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// CloudWatch Logs' epoch milliseconds, as the manifest writes them.
pub fn format_millis(milliseconds: i64) -> Option<String> {
    DateTime::from_timestamp_millis(milliseconds).map(|instant| instant.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_an_instant() {
        assert_eq!(parse_instant("2026-11-01T04:00:00Z").map(format_instant).as_deref(), Some("2026-11-01T04:00:00Z"));
        assert_eq!(parse_instant("2026-11-01T13:00:00.250+09:00").map(format_instant).as_deref(), Some("2026-11-01T04:00:00.250Z"));
        for wrong in [
            "2026-11-01",
            "2026-11-01 04:00:00Z",
            "2026-11-01T04:00:00",
            "2026-11-01t04:00:00z",
            "2026-02-30T00:00:00Z",
            "2026-11-01T04:00:60Z",
            "2026-11-01T04:00:00\u{2212}09:00",
            "1970-11-01T04:00:00Z",
            "now",
            "",
            "<aws.scheduler.scheduled-time>",
        ] {
            assert_eq!(parse_instant(wrong), None, "{wrong}");
        }
    }
}
