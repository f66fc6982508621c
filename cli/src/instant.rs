//! The times of `--since` and `--until`.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use export_core::{Window, month::LAST_YEAR, time::Millis, window::start_of_day};

use crate::{arguments::reading, failure::Failure};

const FORMS: &str =
    "write RFC 3339 such as 2026-10-01T09:30:00Z, a local time YYYY-MM-DD[THH:MM[:SS[.sss]]], or a time ago such as 30s, 10m, 2h, 3d or 1w";
const LOCAL_FORMS: [&str; 2] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];

/// A half-open period: from `since` until before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub since: Millis,
    pub until: Millis,
}

impl Period {
    /// Refuses a period that begins in the future, and an empty one.
    pub fn parse(arguments: &reading::Period, timezone: Tz, now: DateTime<Utc>) -> Result<Self, Failure> {
        let reading::Period { since, until } = arguments;
        let parse = |option: &str, text: &str| {
            parse_instant(text, timezone, now).map_err(|fix| Failure::Usage(format!("{option} {text:?} is not a time: {fix}")))
        };
        let period = Self { since: parse("--since", since)?, until: parse("--until", until)? };
        if period.since > Millis::of(now) {
            return Err(Failure::Usage(format!("--since {since:?} is {}, in the future: give a time before now", period.since)));
        }
        if period.since >= period.until {
            let (from, to) = (period.since, period.until);
            return Err(Failure::Usage(format!(
                "--since {since:?} is {from} and --until {until:?} is {to}: --since must be before --until"
            )));
        }
        Ok(period)
    }

    /// The same period as a window, whose ends are inclusive.
    pub fn window(self) -> Window {
        Window { from: self.since, to: Millis(self.until.0 - 1) }
    }
}

/// Parses a time, and rounds it up to a millisecond. The error says what to write instead.
pub fn parse_instant(text: &str, timezone: Tz, now: DateTime<Utc>) -> Result<Millis, String> {
    let instant = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(explain_digits(text));
    } else if let Some(before) = parse_time_ago(text) {
        now.checked_sub_signed(before).ok_or_else(out_of_range)?
    } else if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        instant.to_utc()
    } else if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        check_range(day.and_hms_opt(0, 0, 0).unwrap_or_default().and_utc())?;
        start_of_day(day, timezone)
    } else if let Some(local) = LOCAL_FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()) {
        check_range(local.and_utc())?;
        resolve_local(local, timezone)?
    } else {
        return Err(FORMS.to_owned());
    };
    check_range(instant)?;
    let rest = i64::from(instant.timestamp_subsec_nanos() % 1_000_000 != 0);
    Ok(Millis(instant.timestamp_millis() + rest))
}

/// What to write instead of digits alone, which could be seconds or milliseconds.
fn explain_digits(digits: &str) -> String {
    let instant = match digits.len() {
        10 => digits.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        13 => digits.parse().ok().and_then(DateTime::from_timestamp_millis),
        _ => None,
    };
    let unit = if digits.len() == 10 { "seconds" } else { "milliseconds" };
    match instant {
        Some(instant) => format!("for these {unit} since 1970, write {}", Millis::of(instant)),
        None => FORMS.to_owned(),
    }
}

/// `None`: the text is not a number with a unit.
fn parse_time_ago(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 24 * 3_600,
        'w' => 7 * 24 * 3_600,
        _ => return None,
    };
    if number.is_empty() {
        return None;
    }
    // A number that is too large for i64 is out of range later.
    let number: i64 = number.parse().unwrap_or(i64::MAX);
    Some(TimeDelta::try_seconds(number.saturating_mul(seconds)).unwrap_or(TimeDelta::MAX))
}

/// The instant of a local time. The error says what to write for a time that the clocks skip or show twice.
fn resolve_local(local: NaiveDateTime, timezone: Tz) -> Result<DateTime<Utc>, String> {
    let rfc3339 = |instant: DateTime<Tz>| instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    match timezone.from_local_datetime(&local) {
        LocalResult::Single(instant) => Ok(instant.to_utc()),
        LocalResult::Ambiguous(first, second) => {
            Err(format!("the clocks of {timezone} show this time twice: write {} or {}", rfc3339(first), rfc3339(second)))
        }
        LocalResult::None => {
            let first_after = (1..=24 * 60).find_map(|minutes| {
                // A gap ends at a full minute in every time zone.
                let minute = local.and_utc().timestamp().div_euclid(60) + minutes;
                timezone.from_local_datetime(&DateTime::from_timestamp(minute * 60, 0)?.naive_utc()).earliest()
            });
            let instead = first_after.map(|instant| format!(": write {}", rfc3339(instant))).unwrap_or_default();
            Err(format!("the clocks of {timezone} skip this time{instead}"))
        }
    }
}

fn check_range(instant: DateTime<Utc>) -> Result<(), String> {
    let year = chrono::Datelike::year(&instant);
    if (1970..=LAST_YEAR).contains(&year) { Ok(()) } else { Err(out_of_range()) }
}

fn out_of_range() -> String {
    format!("write a time between the years 1970 and {LAST_YEAR}")
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Africa, America, Asia, Europe, UTC};

    use super::*;

    /// 2026-11-28T08:14:13.250Z
    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_795_853_653_250).unwrap()
    }

    fn read(text: &str, timezone: Tz) -> Result<String, String> {
        parse_instant(text, timezone, now()).map(|instant| instant.to_string())
    }

    #[test]
    fn each_format_is_one_instant() {
        for (text, timezone, expected) in [
            ("2016-08-31T02:23:25.000Z", Asia::Tokyo, "2016-08-31T02:23:25.000Z"),
            ("2016-08-31T11:23:25+09:00", UTC, "2016-08-31T02:23:25.000Z"),
            // Rounded up to a millisecond.
            ("2016-08-31T02:23:25.0001Z", UTC, "2016-08-31T02:23:25.001Z"),
            ("2026-10-01", Asia::Tokyo, "2026-09-30T15:00:00.000Z"),
            ("2026-10-01T09:30", Asia::Tokyo, "2026-10-01T00:30:00.000Z"),
            ("2026-10-01T09:30:01", Asia::Tokyo, "2026-10-01T00:30:01.000Z"),
            ("2026-10-01T09:30:01.5", Asia::Tokyo, "2026-10-01T00:30:01.500Z"),
            ("0s", Asia::Tokyo, "2026-11-28T08:14:13.250Z"),
            ("30s", Asia::Tokyo, "2026-11-28T08:13:43.250Z"),
            ("10m", UTC, "2026-11-28T08:04:13.250Z"),
            ("2h", UTC, "2026-11-28T06:14:13.250Z"),
            ("1w", UTC, "2026-11-21T08:14:13.250Z"),
            // A day is 24 hours. In Berlin, the clocks go back on 2026-10-25.
            ("34d", Europe::Berlin, "2026-10-25T08:14:13.250Z"),
            ("35d", Europe::Berlin, "2026-10-24T08:14:13.250Z"),
            ("1970-01-01", UTC, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(read(text, timezone).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_a_hint() {
        for (text, hint) in [
            ("1504000000", "for these seconds since 1970, write 2017-08-29T09:46:40.000Z"),
            ("1504000000123", "for these milliseconds since 1970, write 2017-08-29T09:46:40.123Z"),
            ("15", "write RFC 3339"),
            ("11/08/2017", "YYYY-MM-DD"),
            ("2017-8", "YYYY-MM-DD"),
            ("2017-02-30", "YYYY-MM-DD"),
            ("2017-02-03T25:00", "YYYY-MM-DD"),
            ("", "write RFC 3339"),
            ("h", "such as 30s, 10m, 2h, 3d or 1w"),
            ("-2h", "such as 30s"),
            ("2y", "such as 30s"),
            ("2 h", "such as 30s"),
            ("é", "such as 30s"),
            ("99999999999999999999w", "between the years 1970 and 9998"),
            ("3000w", "between the years 1970 and 9998"),
            ("0001-01-01", "between the years 1970 and 9998"),
            ("9999-01-01T00:00", "between the years 1970 and 9998"),
            ("9999-01-01T00:00:00Z", "between the years 1970 and 9998"),
        ] {
            let error = read(text, UTC).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn a_local_day_has_23_to_25_hours() {
        let hours = |timezone: Tz, day: &str, next: &str| {
            let arguments = reading::Period { since: day.to_owned(), until: next.to_owned() };
            let period = Period::parse(&arguments, timezone, now()).unwrap();
            (period.until - period.since).num_hours()
        };
        for (timezone, day, next, expected) in [
            (Europe::Berlin, "2024-03-31", "2024-04-01", 23),
            (Europe::Berlin, "2024-10-27", "2024-10-28", 25),
            (Europe::Berlin, "2024-10-28", "2024-10-29", 24),
            // The clocks skip midnight in Cairo, and show it twice in Havana.
            (Africa::Cairo, "2024-04-26", "2024-04-27", 23),
            (America::Havana, "2024-11-03", "2024-11-04", 25),
            (Asia::Tokyo, "2024-03-31", "2024-04-01", 24),
        ] {
            assert_eq!(hours(timezone, day, next), expected, "{timezone} {day}");
        }
    }

    #[test]
    fn a_time_that_the_clocks_skip_or_show_twice_is_refused_with_unambiguous_times() {
        for (text, fix) in [
            (
                "2024-10-27T02:30",
                "the clocks of Europe/Berlin show this time twice: write 2024-10-27T02:30:00+02:00 or 2024-10-27T02:30:00+01:00",
            ),
            ("2024-03-31T02:30:01", "the clocks of Europe/Berlin skip this time: write 2024-03-31T03:00:00+02:00"),
        ] {
            assert_eq!(read(text, Europe::Berlin), Err(fix.to_owned()));
            let time = fix.rsplit(' ').next().unwrap_or_default();
            assert!(read(time, UTC).is_ok(), "a printed time is accepted: {time}");
        }
    }

    #[test]
    fn a_period_begins_in_the_past_and_before_its_end() {
        let period = |since: &str, until: &str| {
            Period::parse(&reading::Period { since: since.to_owned(), until: until.to_owned() }, Asia::Tokyo, now())
        };
        let day = period("2024-10-01", "2024-10-02").unwrap();
        assert_eq!(day, Period { since: Millis(1_727_708_400_000), until: Millis(1_727_794_800_000) });
        assert_eq!(day.window(), Window { from: day.since, to: Millis(day.until.0 - 1) });
        assert!(period("1h", "2222-01-01").is_ok(), "the end may be in the future");
        for (since, until, expected) in [
            ("2222-01-01", "2222-01-02", "in the future: give a time before now"),
            ("2024-10-02", "2024-10-01", "--since must be before --until"),
            ("2024-10-01", "2024-10-01", "--since must be before --until"),
            ("1h", "2h", "--since must be before --until"),
            ("1504000000", "0s", "--since \"1504000000\" is not a time: for these seconds"),
            ("1h", "11/08/2017", "--until \"11/08/2017\" is not a time: write RFC 3339"),
        ] {
            match period(since, until) {
                Err(Failure::Usage(message)) => assert!(message.contains(expected), "{message}"),
                other => panic!("{since} {until}: {other:?}"),
            }
        }
    }
}
