//! Months and their windows, told by chrono-tz alone: the checks must not share a mistake with the code that they check.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Datelike, Duration, TimeZone, Utc};
use chrono_tz::Tz;

/// The time zone in which the samples' months begin and end, and the state machine's default.
pub const TIMEZONE: Tz = chrono_tz::Asia::Tokyo;

/// A month is exported no sooner than this after its end.
const COMPLETE_AFTER: Duration = Duration::hours(12);

/// A calendar month, written `2026-10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

/// The milliseconds of a month, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: i64,
    pub to: i64,
}

impl Month {
    pub fn new(year: i32, month: u32) -> Result<Self> {
        // The years that CloudWatch Logs can hold events of, and a little more.
        if !(1971..=2999).contains(&year) || !(1..=12).contains(&month) {
            bail!("there is no month {year:04}-{month:02}; give one such as 2026-10");
        }
        Ok(Self { year, month })
    }

    /// The latest month that is complete at `now`.
    pub fn latest_complete(now: DateTime<Utc>) -> Result<Self> {
        let local = (now - COMPLETE_AFTER).with_timezone(&TIMEZONE);
        match local.month() {
            1 => Self::new(local.year() - 1, 12),
            month => Self::new(local.year(), month - 1),
        }
    }

    pub fn year(self) -> i32 {
        self.year
    }

    pub fn month(self) -> u32 {
        self.month
    }

    /// The month's window in [`TIMEZONE`].
    pub fn window(self) -> Result<Window> {
        let (next_year, next_month) = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        Ok(Window { from: first_millisecond(self.year, self.month)?, to: first_millisecond(next_year, next_month)? - 1 })
    }
}

fn first_millisecond(year: i32, month: u32) -> Result<i64> {
    let midnight =
        TIMEZONE.with_ymd_and_hms(year, month, 1, 0, 0, 0).single().with_context(|| format!("{year:04}-{month:02}-01 has no midnight"))?;
    Ok(midnight.timestamp_millis())
}

impl Window {
    pub fn contains(self, timestamp: i64) -> bool {
        (self.from..=self.to).contains(&timestamp)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once('-') {
            Some((year, month)) if digits(year, 4) && digits(month, 2) => Self::new(year.parse()?, month.parse()?),
            _ => bail!("{text:?} is not a month; give one such as 2026-10"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_at_midnight_in_tokyo() {
        let window = "2026-10".parse::<Month>().unwrap().window().unwrap();
        // 2026-09-30T15:00:00Z and 2026-10-31T14:59:59.999Z
        assert_eq!(window, Window { from: 1_790_780_400_000, to: 1_793_458_799_999 });
    }

    #[test]
    fn the_latest_complete_month_ended_12_hours_ago_or_earlier() {
        for (now, month) in [
            ("2026-11-01T02:59:59Z", "2026-09"),
            ("2026-11-01T03:00:00Z", "2026-10"),
            ("2026-11-20T00:00:00Z", "2026-10"),
            ("2027-01-15T00:00:00Z", "2026-12"),
        ] {
            let latest = Month::latest_complete(now.parse().unwrap()).unwrap();
            assert_eq!(latest.to_string(), month, "at {now}");
        }
    }
}
