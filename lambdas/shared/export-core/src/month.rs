//! A calendar month, without a time zone: `2026-10`.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{SettleDays, Window, time::Millis};

/// From 1971 on, no month begins before the Unix epoch in any time zone. CloudWatch Logs does not take negative timestamps.
pub const FIRST_YEAR: i32 = 1971;
/// Up to 9998, every instant of a month has a year of four digits, in every time zone.
pub const LAST_YEAR: i32 = 9998;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    pub fn new(year: i32, month: u32) -> Option<Self> {
        (1..=12).contains(&month).then_some(Self { year, month })
    }

    /// The month of `instant` in `timezone`.
    pub fn at(instant: DateTime<Utc>, timezone: Tz) -> Self {
        let local = instant.with_timezone(&timezone);
        Self { year: local.year(), month: local.month() }
    }

    /// The due month of a run at this time: the month before, `settle_days` later.
    pub fn due(at: DateTime<Utc>, timezone: Tz, settle_days: SettleDays) -> Self {
        Self::at(at - settle_days.duration(), timezone).previous()
    }

    pub fn year(self) -> i32 {
        self.year
    }

    pub fn month(self) -> u32 {
        self.month
    }

    pub fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    pub fn previous(self) -> Self {
        match self.month {
            1 => Self { year: self.year - 1, month: 12 },
            month => Self { year: self.year, month: month - 1 },
        }
    }

    /// Splits `window` into parts by the months of `timezone`, in order of time.
    pub fn split_window(window: Window, timezone: Tz) -> Vec<(Self, Window)> {
        let month_of = |millis: Millis| Self::at(millis.instant().unwrap_or_default(), timezone);
        // Where the clocks are set back over midnight, some minutes of a month have the date of the month before.
        let last = month_of(window.to).next();
        let months = std::iter::successors(Some(month_of(window.from)), |month| Some(month.next())).take_while(|month| *month <= last);
        months.filter_map(|month| Some((month, Window::of(month, timezone).overlap(window)?))).collect()
    }

    pub(crate) fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).expect("a month between 1 and 12 has a first day")
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a calendar month between {FIRST_YEAR}-01 and {LAST_YEAR}-12")]
pub struct NotAMonth;

impl FromStr for Month {
    type Err = NotAMonth;

    /// Parses exactly `YYYY-MM`. `2026-1`, `2026/10` and `202610` are refused.
    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let digits = |part: &str, width: usize| {
            (part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u32>().ok())?
        };
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let year = digits(year, 4).and_then(|year| i32::try_from(year).ok()).ok_or(NotAMonth)?;
        if !(FIRST_YEAR..=LAST_YEAR).contains(&year) {
            return Err(NotAMonth);
        }
        digits(month, 2).and_then(|month| Self::new(year, month)).ok_or(NotAMonth)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_has_one_spelling() {
        assert_eq!(month("2026-10").to_string(), "2026-10");
        assert_eq!(month("1971-01").to_string(), "1971-01");
        for wrong in ["2026-13", "2026-00", "2026-1", "2026-010", "202610", "2026/10", "1970-12", "26-10", "", "+026-10", "2026-1０"] {
            assert_eq!(wrong.parse::<Month>(), Err(NotAMonth), "{wrong}");
        }
    }

    #[test]
    fn the_next_month_of_december_is_january() {
        assert_eq!(month("2026-12").next(), month("2027-01"));
        assert_eq!(month("2026-01").previous(), month("2025-12"));
        assert_eq!(month("2026-10").next().previous(), month("2026-10"));
    }

    #[test]
    fn the_month_of_an_instant_depends_on_the_time_zone() {
        let at = |text: &str, timezone: Tz| Month::at(text.parse().unwrap(), timezone).to_string();
        assert_eq!(at("2026-10-31T15:30:00Z", chrono_tz::Asia::Tokyo), "2026-11");
        assert_eq!(at("2026-10-31T14:59:59Z", chrono_tz::Asia::Tokyo), "2026-10");
        assert_eq!(at("2026-10-31T15:30:00Z", chrono_tz::UTC), "2026-10");
        assert_eq!(at("2026-11-01T03:59:59Z", chrono_tz::America::New_York), "2026-10");
    }
}
