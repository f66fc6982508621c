//! What an export takes of the slot and costs, before it is made; and what it costs to keep events.
//!
//! Times come from what was exported before. CloudWatch Logs publishes none, so without a manifest to learn from there is no time. Prices
//! and how often a window is polled are those of docs/cost.md.

use chrono::{DateTime, Utc};
use export_core::{Window, decide::LogGroup, time::Millis};

/// USD in Tokyo, without taxes and free tiers.
const PER_1000_TRANSITIONS: f64 = 0.025;
const PER_MILLION_REQUESTS: f64 = 0.2;
const PER_GB_SECOND: f64 = 0.000_013_333_4;
const PER_1000_PUT_OR_LIST: f64 = 0.0047;
const PER_GB_INGESTED: f64 = 0.76;
const PER_GB_MONTH_IN_CLOUDWATCH: f64 = 0.033;

/// What a window does, by docs/performance.md.
const S3_REQUESTS: f64 = 12.0;
const OWN_LOGS_GB: f64 = 0.000_15;
const SECONDS_OF_AN_INVOCATION: f64 = 0.2;
const GB_OF_CHECK_EXPORT_TASK: f64 = 0.25;

/// The task that docs/cost.md reckons with, where nothing tells how long it takes.
pub const USUAL_SECONDS: f64 = 60.0;

/// Of the state machine's polling.
const FIRST_WAIT: f64 = 2.0;
const BACKOFF: f64 = 1.06;
const LONGEST_WAIT: f64 = 300.0;

/// What a window costs in USD whose task takes so long.
pub fn cost(seconds: f64) -> f64 {
    let polls = f64::from(polls(seconds));
    let (transitions, invocations) = (3.0 + polls, 1.0 + polls);
    transitions / 1000.0 * PER_1000_TRANSITIONS
        + invocations * (PER_MILLION_REQUESTS / 1e6 + SECONDS_OF_AN_INVOCATION * GB_OF_CHECK_EXPORT_TASK * PER_GB_SECOND)
        + S3_REQUESTS / 1000.0 * PER_1000_PUT_OR_LIST
        + OWN_LOGS_GB * PER_GB_INGESTED
}

/// What CloudWatch Logs takes for keeping so many stored bytes for a month, in USD.
pub fn storage(bytes: f64) -> f64 {
    bytes / 1e9 * PER_GB_MONTH_IN_CLOUDWATCH
}

fn polls(seconds: f64) -> u32 {
    let (mut polls, mut waited, mut wait) = (0, 0.0, FIRST_WAIT);
    while waited < seconds {
        (polls, waited, wait) = (polls + 1, waited + wait, (wait * BACKOFF).min(LONGEST_WAIT));
    }
    polls.max(1)
}

/// The part of a log group's stored bytes that is of a window, if its events are spread evenly over the time that it keeps.
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

/// How fast stored bytes were exported, of all windows that tell.
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
        for (price, of) in [
            (PER_1000_TRANSITIONS, "1,000 state transitions"),
            (PER_MILLION_REQUESTS, "million requests"),
            (PER_GB_SECOND, "GB-second"),
            (PER_1000_PUT_OR_LIST, "1,000 PUT or LIST requests"),
            (PER_GB_INGESTED, "GB ingested"),
            (PER_GB_MONTH_IN_CLOUDWATCH, "GB-month stored"),
        ] {
            assert!(documentation.contains(&format!("{price} per {of}")), "{price} per {of}");
        }
    }

    #[test]
    fn stored_bytes_are_spread_over_the_time_that_is_kept() {
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
        assert_eq!(bytes(log_group(None, None), window(50, 60)), None, "nobody knows how old it is");
        assert_eq!(bytes(LogGroup::Absent, window(50, 60)), None);
    }

    #[test]
    fn a_rate_needs_something_to_learn_from() {
        let mut rate = Rate::default();
        rate.add(10.0, 0.0);
        assert_eq!(rate.seconds_for(5.0), None);
        rate.add(10.0, 100.0);
        rate.add(30.0, 100.0);
        assert_eq!(rate.seconds_for(5.0), Some(1.0));
    }
}
