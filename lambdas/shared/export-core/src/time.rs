//! Instants: RFC 3339 with a time zone, such as `2026-11-01T04:00:00Z`, and the epoch milliseconds of CloudWatch Logs.

use std::{
    fmt,
    ops::{Add, Sub},
};

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize, Serializer};

use crate::month::{FIRST_YEAR, LAST_YEAR};

/// Parses `YYYY-MM-DDThh:mm:ss[.fraction](Z|+hh:mm|-hh:mm)` only: with the `T`, with a time zone, without a leap second.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let shape = text.as_bytes();
    // chrono also accepts a typographic minus sign.
    let strict = text.is_ascii() && shape.len() >= 20 && shape[10] == b'T' && &shape[17..19] != b"60" && !text.ends_with('z');
    let instant = strict.then(|| DateTime::parse_from_rfc3339(text).ok()).flatten()?;
    (FIRST_YEAR..=LAST_YEAR).contains(&instant.year()).then(|| instant.to_utc())
}

/// With milliseconds, where it has any.
pub fn format_instant(instant: DateTime<Utc>) -> String {
    instant.trunc_subsecs(3).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

pub(crate) fn serialize_instant<S: Serializer>(instant: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    instant.map(format_instant).serialize(serializer)
}

/// UTC epoch milliseconds, the time of CloudWatch Logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// The start of the year 9999. This project does not write later times.
    pub(crate) const LAST: Self = Self(253_370_764_800_000);

    pub fn of(instant: DateTime<Utc>) -> Self {
        Self(instant.timestamp_millis())
    }

    /// `None`: chrono cannot hold this time.
    pub fn instant(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0)
    }
}

impl Add<TimeDelta> for Millis {
    type Output = Self;

    fn add(self, time: TimeDelta) -> Self {
        Self(self.0.saturating_add(time.num_milliseconds()))
    }
}

impl Sub<TimeDelta> for Millis {
    type Output = Self;

    fn sub(self, time: TimeDelta) -> Self {
        self + -time
    }
}

impl Sub for Millis {
    type Output = TimeDelta;

    fn sub(self, earlier: Self) -> TimeDelta {
        TimeDelta::try_milliseconds(self.0.saturating_sub(earlier.0)).unwrap_or(TimeDelta::MAX)
    }
}

/// RFC 3339 with milliseconds, as in manifests.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instant() {
            Some(instant) => f.write_str(&instant.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_one_spelling() {
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
