//! Windows: intervals `[from, to]` in UTC epoch milliseconds, both ends included.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{Month, SettleDays, time::Millis};

/// Events may take this long to become exportable. A window is complete only this long after its end.
pub const SETTLING_TIME: TimeDelta = TimeDelta::hours(12);

/// Clocks differ. An instant is in the future only if it is later than this from now.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// PutLogEvents takes events that are up to this old.
pub const LATE_EVENTS: TimeDelta = TimeDelta::days(14);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    pub from: Millis,
    /// Included, as in CloudWatch Logs' `to`.
    pub to: Millis,
}

impl Window {
    /// The window of a month. `to` comes from the start of the next month. So the windows of adjacent months have no gap and no overlap, also
    /// where the clocks change.
    pub fn of(month: Month, timezone: Tz) -> Self {
        Self { from: Millis::of(start_of(month, timezone)), to: Millis(start_of(month.next(), timezone).timestamp_millis() - 1) }
    }

    /// The first instant after the window.
    pub fn end(self) -> DateTime<Utc> {
        utc(self.to.0 + 1)
    }

    /// From when the whole window is exportable.
    pub fn complete_at(self) -> DateTime<Utc> {
        self.end() + SETTLING_TIME
    }

    /// From when a run does not wait for late events any more.
    pub fn settled_at(self, settle_days: SettleDays) -> DateTime<Utc> {
        self.complete_at() + settle_days.duration()
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// Whether the window includes this time.
    pub fn includes(self, at: Millis) -> bool {
        self.from <= at && at <= self.to
    }

    pub fn contains(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    pub fn overlap(self, other: Self) -> Option<Self> {
        self.overlaps(other).then(|| Self { from: self.from.max(other.from), to: self.to.min(other.to) })
    }

    /// The parts of the window outside `others`, in order of time.
    pub fn without(self, others: &[Self]) -> Vec<Self> {
        let mut left = vec![self];
        for other in others {
            left = left.into_iter().flat_map(|window| window.subtract(*other)).collect();
        }
        left
    }

    /// Splits the window where one of `others` begins or ends.
    pub fn split_at_bounds_of(self, others: &[Self]) -> Vec<Self> {
        let mut starts: Vec<i64> = others.iter().flat_map(|other| [other.from.0, other.to.0 + 1]).collect();
        starts.retain(|start| (self.from.0 + 1..=self.to.0).contains(start));
        starts.extend([self.from.0, self.to.0 + 1]);
        starts.sort_unstable();
        starts.dedup();
        starts.windows(2).map(|ends| Self { from: Millis(ends[0]), to: Millis(ends[1] - 1) }).collect()
    }

    /// Splits the window into `count` equal parts, to the millisecond.
    pub fn split_equally(self, count: i64) -> Vec<Self> {
        let start = |part: i64| self.from.0 + (i128::from(self.to.0 + 1 - self.from.0) * i128::from(part) / i128::from(count)) as i64;
        (0..count).map(|part| Self { from: Millis(start(part)), to: Millis(start(part + 1) - 1) }).collect()
    }

    pub fn duration(self) -> TimeDelta {
        Millis(self.to.0 + 1) - self.from
    }

    fn subtract(self, other: Self) -> Vec<Self> {
        if !self.overlaps(other) {
            return vec![self];
        }
        let before = Self { from: self.from, to: Millis(other.from.0 - 1) };
        let after = Self { from: Millis(other.to.0 + 1), to: self.to };
        [before, after].into_iter().filter(|window| window.from <= window.to).collect()
    }
}

fn utc(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).expect("windows lie between the years 1970 and 10000")
}

/// The first instant of the month: that of its day 1.
fn start_of(month: Month, timezone: Tz) -> DateTime<Utc> {
    start_of_day(month.first_day(), timezone)
}

/// The first instant of a day: local midnight. If the clocks skip midnight, it is the first instant that exists. If midnight occurs twice,
/// it is the first of the two.
pub fn start_of_day(day: NaiveDate, timezone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    match timezone.from_local_datetime(&midnight) {
        LocalResult::Single(start) | LocalResult::Ambiguous(start, _) => start.to_utc(),
        LocalResult::None => first_instant_after_gap(midnight, timezone),
    }
}

/// Searches in steps of an hour, then by bisection to the second.
fn first_instant_after_gap(midnight: NaiveDateTime, timezone: Tz) -> DateTime<Utc> {
    /// No time zone differs from UTC by so much.
    const LARGER_THAN_ANY_OFFSET: TimeDelta = TimeDelta::hours(16);
    let reached = |instant: DateTime<Utc>| instant.with_timezone(&timezone).naive_local() >= midnight;
    let mut after = midnight.and_utc() - LARGER_THAN_ANY_OFFSET;
    while !reached(after) {
        after += TimeDelta::hours(1);
    }
    let mut before = after - TimeDelta::hours(1);
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if reached(middle) { after = middle } else { before = middle }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(month: &str, timezone: &str) -> String {
        let window = Window::of(month.parse().unwrap(), timezone.parse().unwrap());
        window.from.to_string()
    }

    #[test]
    fn tokyo_months_begin_at_15_utc_the_day_before() {
        let october = Window::of("2026-10".parse().unwrap(), chrono_tz::Asia::Tokyo);
        assert_eq!(october, Window { from: Millis(1_790_780_400_000), to: Millis(1_793_458_799_999) });
        assert_eq!(from("2026-10", "Asia/Tokyo"), "2026-09-30T15:00:00.000Z");
        assert_eq!(october.complete_at().to_rfc3339(), "2026-11-01T03:00:00+00:00");
    }

    #[test]
    fn months_with_a_clock_change_are_an_hour_shorter_or_longer() {
        let hours = |month: &str| {
            let window = Window::of(month.parse().unwrap(), chrono_tz::Europe::Berlin);
            (window.to.0 + 1 - window.from.0) as f64 / 3_600_000.0
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

    #[test]
    fn subtraction_leaves_the_other_parts_of_a_window() {
        let window = |from, to| Window { from: Millis(from), to: Millis(to) };
        for (others, left) in [
            (vec![], vec![window(10, 20)]),
            (vec![window(0, 9), window(21, 30)], vec![window(10, 20)]),
            (vec![window(0, 30)], vec![]),
            (vec![window(10, 20)], vec![]),
            (vec![window(5, 10)], vec![window(11, 20)]),
            (vec![window(20, 25)], vec![window(10, 19)]),
            (vec![window(18, 19), window(12, 15)], vec![window(10, 11), window(16, 17), window(20, 20)]),
        ] {
            assert_eq!(window(10, 20).without(&others), left, "{others:?}");
        }
    }

    #[test]
    fn a_window_is_split_where_others_begin_or_end() {
        let window = |from, to| Window { from: Millis(from), to: Millis(to) };
        for (others, parts) in [
            (vec![], vec![window(10, 20)]),
            (vec![window(0, 9), window(21, 30), window(10, 20), window(0, 30)], vec![window(10, 20)]),
            (vec![window(5, 10), window(20, 25)], vec![window(10, 10), window(11, 19), window(20, 20)]),
            (vec![window(10, 15), window(13, 20)], vec![window(10, 12), window(13, 15), window(16, 20)]),
        ] {
            assert_eq!(window(10, 20).split_at_bounds_of(&others), parts, "{others:?}");
        }
    }
}
