//! The windows of adjacent months tile the time line: for every time zone chrono-tz knows, every month from 1970 to 2100. What is
//! covered of a window, and what is not, tile it too; and so do its parts.
//!
//! One test checks all of them. The properties choose random instants and months, and shrink failures.

use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, TimeZone, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use export_core::{
    Month, SettleDays, Window,
    planner::{TaskSpeed, split_for_speed, split_in_halves},
    time::Millis,
    window::SETTLING_TIME,
};
use proptest::prelude::*;

fn months() -> impl Iterator<Item = Month> {
    (1970..=2100).flat_map(|year| (1..=12).map(move |month| Month::new(year, month).unwrap()))
}

#[test]
fn all_windows_of_all_time_zones_tile_and_begin_at_midnight() {
    for timezone in TZ_VARIANTS {
        let mut expected = Window::of(Month::new(1970, 1).unwrap(), timezone).from;
        for month in months() {
            let window = Window::of(month, timezone);
            assert_eq!(window.from, expected, "{month} {timezone}: a gap or an overlap");
            assert!(window.to > window.from, "{month} {timezone}");
            assert_begins_at_midnight(month, timezone);
            expected = Millis(window.to.0 + 1);
        }
    }
}

/// `from` is local midnight of day 1. If the clocks skip midnight, it is the first instant that exists.
fn assert_begins_at_midnight(month: Month, timezone: Tz) {
    let instant = |millis: Millis| millis.instant().unwrap().with_timezone(&timezone);
    let window = Window::of(month, timezone);
    let first = instant(window.from);
    let just_before = instant(Millis(window.from.0 - 1));
    let midnight = first.date_naive().with_day(1).unwrap().and_time(NaiveTime::MIN);
    if first.naive_local() == midnight {
        assert_eq!((first.year(), first.month()), (month.year(), month.month()), "{month} {timezone} begins at {first}");
    } else {
        let wanted = chrono::NaiveDate::from_ymd_opt(month.year(), month.month(), 1).unwrap().and_time(NaiveTime::MIN);
        assert!(
            timezone.from_local_datetime(&wanted).earliest().is_none(),
            "{month} {timezone}: midnight exists, but the month begins at {first}"
        );
        assert!(first.naive_local() > wanted, "{month} {timezone} begins at {first}");
        assert!(just_before.naive_local() < wanted, "{month} {timezone}: {just_before} is in the month too");
    }
}

fn any_timezone() -> impl Strategy<Value = Tz> {
    prop::sample::select(TZ_VARIANTS.to_vec())
}

fn any_window() -> impl Strategy<Value = Window> {
    (0i64..60, 0i64..20).prop_map(|(from, length)| Window { from: Millis(from), to: Millis(from + length) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// An instant lies in the window of its own month and in no neighbour's, unless the wall clock was just set back
    /// over midnight: those minutes are of the month before by the calendar, and come after the new month's start.
    #[test]
    fn an_instant_lies_in_exactly_one_window(timezone in any_timezone(), seconds in 0i64..4_133_980_800, milliseconds in 0i64..1000) {
        let timestamp = seconds * 1000 + milliseconds;
        let month = Month::at(DateTime::from_timestamp_millis(timestamp).unwrap(), timezone);
        let holds = |month: Month| { let window = Window::of(month, timezone); window.from.0 <= timestamp && timestamp <= window.to.0 };
        let holding: Vec<Month> = [month.previous(), month, month.next()].into_iter().filter(|month| holds(*month)).collect();
        prop_assert_eq!(holding.len(), 1, "{} {} in {:?}", timezone, timestamp, holding);
        if holding[0] != month {
            let local = DateTime::from_timestamp_millis(timestamp).unwrap().with_timezone(&timezone);
            prop_assert!(holding[0] == month.next() && local.hour() == 23, "{local} is in {}", holding[0]);
        }
    }

    /// The due month is the last month for which no run waits for late events, except for the time until events are exportable.
    #[test]
    fn the_due_month_ended_settle_days_before(timezone in any_timezone(), seconds in 100_000_000i64..4_133_980_800, days in 0..=15u8) {
        let at = DateTime::from_timestamp(seconds, 0).unwrap();
        let settle_days = SettleDays::new(days.into()).unwrap();
        let due = Month::due(at, timezone, settle_days);
        let settled = |month: Month| Window::of(month, timezone).settled_at(settle_days) - SETTLING_TIME;
        let local = (at - settle_days.duration()).with_timezone(&timezone);
        // If the clock was just set back over midnight, the date is in the month before.
        let is_repeated = local.hour() == 23 && local.day() > 27;
        prop_assert!(settled(due) <= at && (is_repeated || at < settled(due.next())), "{due} at {local}");
    }

    #[test]
    fn a_month_parses_back(year in 1971i32..=9998, month in 1u32..=12) {
        let written = Month::new(year, month).unwrap();
        prop_assert_eq!(written.to_string().parse::<Month>(), Ok(written));
        prop_assert_eq!(written.next().previous(), written);
    }

    /// Each millisecond is in one of the others or in the remainder, never in both. The remainder is maximal gaps, in order.
    #[test]
    fn subtraction_leaves_exactly_the_uncovered_parts((window, others) in (any_window(), prop::collection::vec(any_window(), 0..6))) {
        let left = window.without(&others);
        let holds = |windows: &[Window], at| windows.iter().filter(|window| window.from.0 <= at && at <= window.to.0).count();
        for at in window.from.0..=window.to.0 {
            prop_assert_eq!(holds(&left, at), usize::from(holds(&others, at) == 0), "{} of {:?}", at, left);
        }
        prop_assert!(left.iter().all(|part| window.contains(*part)), "{left:?}");
        prop_assert!(left.windows(2).all(|pair| pair[0].to.0 + 1 < pair[1].from.0), "{left:?}");
    }

    /// A window of one time zone is split at the months of another, without a gap, each part inside its month.
    #[test]
    fn the_parts_of_a_window_by_months_tile_it(timezone in any_timezone(), from in 0i64..4_000_000_000_000, length in 0i64..10_000_000_000) {
        let window = Window { from: Millis(from), to: Millis(from + length) };
        let parts = Month::split_window(window, timezone);
        let mut expected = window.from;
        for (month, part) in &parts {
            prop_assert_eq!(part.from, expected);
            prop_assert!(Window::of(*month, timezone).contains(*part) && part.from <= part.to);
            expected = Millis(part.to.0 + 1);
        }
        prop_assert_eq!(expected.0 - 1, window.to.0);
    }

    /// A month starts in as many parts as its hours need, and a part is halved whenever its task takes too long, in run after run: the
    /// parts tile the month at any time, and only what is longer than a day is halved.
    #[test]
    fn the_parts_of_a_month_tile_it(
        timezone in any_timezone(), year in 1971i32..2100, month in 1u32..=12,
        expected in 0u32..1000, hours_in_runs in prop::collection::vec(0u32..1000, 1..8),
    ) {
        let window = Window::of(Month::new(year, month).unwrap(), timezone);
        let (day, most) = (TimeDelta::days(1), window.duration().num_days());
        let mut parts = split_for_speed(window, TaskSpeed::new(window, f64::from(expected) * 3600.0));
        prop_assert_eq!(parts.len() as i64, (i64::from(expected) / 16 + 1).min(most));
        for hours in hours_in_runs {
            // Hours of the whole month. CloudWatch Logs ends a task after 24.
            let takes_too_long =
                |part: Window| i128::from(part.duration().num_milliseconds()) * i128::from(hours) > i128::from(window.duration().num_milliseconds()) * 24;
            parts = parts.into_iter().flat_map(|part| if takes_too_long(part) { split_in_halves(part) } else { vec![part] }).collect();
            prop_assert_eq!((parts[0].from, parts[parts.len() - 1].to), (window.from, window.to));
            prop_assert!(parts.windows(2).all(|pair| pair[0].to.0 + 1 == pair[1].from.0), "{parts:?}");
            prop_assert!(parts.iter().all(|part| part.duration() > day / 2), "{parts:?}");
        }
    }
}

/// St. John's, 2009-11-01: at 00:01 the clocks go back to 23:01 of October.
#[test]
fn a_window_that_begins_or_ends_in_a_repeated_hour_is_split_completely() {
    let timezone = chrono_tz::America::St_Johns;
    let november = Window::of("2009-11".parse().unwrap(), timezone);
    let minutes = |minutes: i64| Millis(november.from.0 + minutes * 60_000);
    for window in [Window { from: minutes(30), to: minutes(90) }, Window { from: minutes(0), to: minutes(30) }] {
        assert_eq!(Month::split_window(window, timezone), [("2009-11".parse().unwrap(), window)]);
    }
}
