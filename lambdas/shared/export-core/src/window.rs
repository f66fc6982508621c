//! The window of a month: `[from, to]` in UTC epoch milliseconds, both ends included.

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::Month;

/// Data may take this long to become exportable, so a month is complete only this long after its end.
pub const SETTLING_TIME: TimeDelta = TimeDelta::hours(12);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// First millisecond of the month, UTC epoch ms.
    pub from: i64,
    /// Last millisecond of the month, UTC epoch ms: CloudWatch Logs' `to` includes it.
    pub to: i64,
}

impl Window {
    /// `to` is derived from the next month's start, never from this month's length: that is what makes adjacent windows
    /// tile without gap or overlap, whatever the clocks do in between.
    pub fn of(month: Month, timezone: Tz) -> Self {
        Self { from: start_of(month, timezone).timestamp_millis(), to: start_of(month.next(), timezone).timestamp_millis() - 1 }
    }

    /// The first instant after the window.
    pub fn end(self) -> DateTime<Utc> {
        utc(self.to + 1)
    }

    /// When the whole month is sure to be exportable.
    pub fn complete_at(self) -> DateTime<Utc> {
        self.end() + SETTLING_TIME
    }
}

fn utc(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).expect("windows lie between the years 1970 and 10000")
}

/// The first instant of the month: local midnight on day 1. Where the clocks skip that midnight, the first instant that
/// exists; where it occurs twice, the first of the two.
fn start_of(month: Month, timezone: Tz) -> DateTime<Utc> {
    let midnight = month.first_day().and_time(NaiveTime::MIN);
    match timezone.from_local_datetime(&midnight) {
        LocalResult::Single(start) | LocalResult::Ambiguous(start, _) => start.to_utc(),
        LocalResult::None => first_instant_after_gap(midnight, timezone),
    }
}

/// Walks up to the gap in hours, then halves down to the second. No offset from UTC is 16 hours or more.
fn first_instant_after_gap(midnight: NaiveDateTime, timezone: Tz) -> DateTime<Utc> {
    let reached = |instant: DateTime<Utc>| instant.with_timezone(&timezone).naive_local() >= midnight;
    let mut after = midnight.and_utc() - Duration::hours(16);
    while !reached(after) {
        after += Duration::hours(1);
    }
    let mut before = after - Duration::hours(1);
    while after - before > Duration::seconds(1) {
        let middle = before + Duration::seconds((after - before).num_seconds() / 2);
        if reached(middle) { after = middle } else { before = middle }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(month: &str, timezone: &str) -> String {
        let window = Window::of(month.parse().unwrap(), timezone.parse().unwrap());
        utc(window.from).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }

    #[test]
    fn tokyo_months_begin_at_15_utc_the_day_before() {
        let october = Window::of("2026-10".parse().unwrap(), chrono_tz::Asia::Tokyo);
        assert_eq!(october, Window { from: 1_790_780_400_000, to: 1_793_458_799_999 });
        assert_eq!(from("2026-10", "Asia/Tokyo"), "2026-09-30T15:00:00.000Z");
        assert_eq!(october.complete_at().to_rfc3339(), "2026-11-01T03:00:00+00:00");
    }

    #[test]
    fn months_with_a_clock_change_are_an_hour_shorter_or_longer() {
        let hours = |month: &str| {
            let window = Window::of(month.parse().unwrap(), chrono_tz::Europe::Berlin);
            (window.to + 1 - window.from) as f64 / 3_600_000.0
        };
        assert_eq!(hours("2026-03"), 31.0 * 24.0 - 1.0);
        assert_eq!(hours("2026-10"), 31.0 * 24.0 + 1.0);
        assert_eq!(hours("2026-02"), 28.0 * 24.0);
        assert_eq!(hours("2028-02"), 29.0 * 24.0);
    }

    #[test]
    fn a_month_that_starts_in_a_gap_starts_at_the_first_instant_that_exists() {
        // Asuncion, 2017-10-01: 00:00 becomes 01:00 at 04:00 UTC. Amman, 2022-04-01 is such a day no longer, 1988 was.
        assert_eq!(from("2017-10", "America/Asuncion"), "2017-10-01T04:00:00.000Z");
        assert_eq!(from("1988-04", "Asia/Amman"), "1988-03-31T22:00:00.000Z");
    }

    #[test]
    fn a_midnight_that_occurs_twice_counts_from_the_first() {
        // St. John's, 2009-11-01: at 00:01 the clocks go back to 23:01 on October 31st.
        assert_eq!(from("2009-11", "America/St_Johns"), "2009-11-01T02:30:00.000Z");
    }
}
