//! Estimates the time and the cost of an export, and the cost of keeping events in CloudWatch Logs.
//!
//! The time comes from earlier exports, because AWS publishes no speed. Without an earlier manifest, the time is unknown. The prices and
//! the number of polls are those of docs/cost.md.

use chrono::{DateTime, Utc};
use export_core::{Window, decide::LogGroup, time::Millis};

/// Prices in USD in Tokyo, without taxes and free tiers.
const PER_1000_TRANSITIONS: f64 = 0.025;
const PER_MILLION_REQUESTS: f64 = 0.2;
const PER_GB_SECOND: f64 = 0.000_013_333_4;
const PER_1000_PUT_OR_LIST: f64 = 0.0047;
const PER_GB_INGESTED: f64 = 0.76;
const PER_GB_MONTH_IN_CLOUDWATCH: f64 = 0.033;

/// What one window needs, by docs/performance.md.
const S3_REQUESTS: f64 = 12.0;
const OWN_LOGS_GB: f64 = 0.000_15;
const INVOCATION_SECONDS: f64 = 0.2;
const CHECK_EXPORT_TASK_GB: f64 = 0.25;

/// The length of a task in docs/cost.md, for windows whose time is unknown.
pub const ASSUMED_SECONDS: f64 = 60.0;

/// The state machine's polling.
const FIRST_WAIT: f64 = 2.0;
const BACKOFF: f64 = 1.06;
const MAX_WAIT: f64 = 300.0;

/// The states CreateExportTask, RouteTask and WaitForExportTask.
const TRANSITIONS_BESIDE_POLLS: f64 = 3.0;
/// The invocation of create-export-task.
const INVOCATIONS_BESIDE_POLLS: f64 = 1.0;

/// The cost in USD of a window whose task takes so long.
pub fn cost(seconds: f64) -> f64 {
    let polls = f64::from(polls(seconds));
    let (transitions, invocations) = (TRANSITIONS_BESIDE_POLLS + polls, INVOCATIONS_BESIDE_POLLS + polls);
    transitions / 1000.0 * PER_1000_TRANSITIONS
        + invocations * (PER_MILLION_REQUESTS / 1e6 + INVOCATION_SECONDS * CHECK_EXPORT_TASK_GB * PER_GB_SECOND)
        + S3_REQUESTS / 1000.0 * PER_1000_PUT_OR_LIST
        + OWN_LOGS_GB * PER_GB_INGESTED
}

/// The cost in USD of keeping stored bytes in CloudWatch Logs for a month.
pub fn storage(bytes: f64) -> f64 {
    bytes / 1e9 * PER_GB_MONTH_IN_CLOUDWATCH
}

fn polls(seconds: f64) -> u32 {
    let (mut polls, mut waited, mut wait) = (0, 0.0, FIRST_WAIT);
    while waited < seconds {
        (polls, waited, wait) = (polls + 1, waited + wait, (wait * BACKOFF).min(MAX_WAIT));
    }
    polls.max(1)
}

/// The part of a log group's stored bytes that belongs to a window. It assumes that the events are spread evenly.
pub fn stored_bytes_of(log_group: &LogGroup, window: Window, now: DateTime<Utc>) -> Option<f64> {
    let LogGroup::Present { created, retention_in_days, stored_bytes, .. } = log_group else { return None };
    let now = Millis::of(now);
    let kept_from = retention_in_days.map(|days| now - chrono::TimeDelta::days(days.into()));
    let first = [*created, kept_from].into_iter().flatten().max()?;
    let kept = Window { from: first, to: now.max(first) };
    let of_window = kept.overlap(window)?;
    let length = |window: Window| window.duration().num_milliseconds() as f64;
    Some((*stored_bytes)? as f64 * length(of_window) / length(kept))
}

/// How fast stored bytes were exported: the average over the windows with a known time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    seconds: f64,
    bytes: f64,
}

impl Rate {
    pub fn add(&mut self, seconds: f64, bytes: f64) {
        if bytes > 0.0 {
            self.seconds += seconds;
            self.bytes += bytes;
        }
    }

    pub fn seconds_for(self, bytes: f64) -> Option<f64> {
        (self.bytes > 0.0).then(|| self.seconds * bytes / self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of docs/cost.md: 1,000 log groups, each with a task of a minute.
    #[test]
    fn a_thousand_windows_cost_what_the_documentation_says() {
        let polls_of: Vec<u32> = [0.0, 10.0, 60.0, 600.0].map(polls).into();
        assert_eq!(polls_of, [1, 5, 18, 51]);
        let cost = 1000.0 * cost(60.0);
        assert!((0.70..0.72).contains(&cost), "{cost}");
    }

    #[test]
    fn the_prices_are_those_of_the_documentation() {
        let documentation = include_str!("../../../../docs/cost.md");
        for (price, unit) in [
            (PER_1000_TRANSITIONS, "1,000 state transitions"),
            (PER_MILLION_REQUESTS, "million requests"),
            (PER_GB_SECOND, "GB-second"),
            (PER_1000_PUT_OR_LIST, "1,000 PUT or LIST requests"),
            (PER_GB_INGESTED, "GB ingested"),
            (PER_GB_MONTH_IN_CLOUDWATCH, "GB-month stored"),
        ] {
            assert!(documentation.contains(&format!("{price} per {unit}")), "{price} per {unit}");
        }
    }

    #[test]
    fn stored_bytes_are_spread_evenly_over_the_retention() {
        let day = 86_400_000;
        let now = Millis(100 * day).instant().unwrap();
        let log_group = |created, retention_in_days| LogGroup::Present {
            created,
            retention_in_days,
            retention_policy: None,
            is_exportable: true,
            stored_bytes: Some(1_000),
        };
        let window = |from: i64, to: i64| Window { from: Millis(from * day), to: Millis(to * day - 1) };
        let bytes = |log_group: LogGroup, window| stored_bytes_of(&log_group, window, now).map(f64::round);
        assert_eq!(bytes(log_group(Some(Millis(0)), None), window(50, 60)), Some(100.0));
        assert_eq!(bytes(log_group(Some(Millis(0)), Some(50)), window(40, 55)), Some(100.0), "ten days have expired");
        assert_eq!(bytes(log_group(Some(Millis(70 * day)), None), window(50, 60)), None);
        assert_eq!(bytes(log_group(None, None), window(50, 60)), None, "its age is unknown");
        assert_eq!(bytes(LogGroup::Absent, window(50, 60)), None);
    }

    #[test]
    fn a_rate_is_unknown_without_an_export() {
        let mut rate = Rate::default();
        rate.add(10.0, 0.0);
        assert_eq!(rate.seconds_for(5.0), None);
        rate.add(10.0, 100.0);
        rate.add(30.0, 100.0);
        assert_eq!(rate.seconds_for(5.0), Some(1.0));
    }
}
