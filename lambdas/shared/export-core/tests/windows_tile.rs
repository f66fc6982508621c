//! The windows of adjacent months tile the time line: for every time zone chrono-tz knows, every month from 1970 to 2100.
//!
//! The exhaustive test walks all of them; the properties draw their own instants and months and shrink what fails.

use chrono::{DateTime, Datelike, NaiveTime, TimeZone, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use export_core::{Month, Window};
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
            expected = window.to + 1;
        }
    }
}

/// `from` is local midnight of day 1, or, where the clocks skip that midnight, the first instant that exists.
fn assert_begins_at_midnight(month: Month, timezone: Tz) {
    let instant = |milliseconds| DateTime::from_timestamp_millis(milliseconds).unwrap().with_timezone(&timezone);
    let window = Window::of(month, timezone);
    let first = instant(window.from);
    let just_before = instant(window.from - 1);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// An instant lies in the window of its own month and in no neighbour's, unless the wall clock was just set back
    /// over midnight: those minutes are of the month before by the calendar, and come after the new month's start.
    #[test]
    fn an_instant_lies_in_exactly_one_window(timezone in any_timezone(), seconds in 0i64..4_133_980_800, milliseconds in 0i64..1000) {
        let timestamp = seconds * 1000 + milliseconds;
        let month = Month::at(DateTime::from_timestamp_millis(timestamp).unwrap(), timezone);
        let holds = |month: Month| { let window = Window::of(month, timezone); window.from <= timestamp && timestamp <= window.to };
        let holding: Vec<Month> = [month.previous(), month, month.next()].into_iter().filter(|month| holds(*month)).collect();
        prop_assert_eq!(holding.len(), 1, "{} {} in {:?}", timezone, timestamp, holding);
        if holding[0] != month {
            let local = DateTime::from_timestamp_millis(timestamp).unwrap().with_timezone(&timezone);
            prop_assert!(holding[0] == month.next() && local.hour() == 23, "{local} is in {}", holding[0]);
        }
    }

    #[test]
    fn a_month_reads_back_as_written(year in 1971i32..=9998, month in 1u32..=12) {
        let written = Month::new(year, month).unwrap();
        prop_assert_eq!(written.to_string().parse::<Month>(), Ok(written));
        prop_assert_eq!(written.next().previous(), written);
    }
}
