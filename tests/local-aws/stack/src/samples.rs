//! The sample logs: what the demo loads, and what the archive must then hold.
//!
//! They are the same on every run for a month: the generator is seeded with it.

mod text;

use anyhow::Result;
use fastrand::Rng;

use crate::calendar::{Month, Window};

/// CloudWatch Logs' limit of a PutLogEvents batch, which one event can fill: its message in UTF-8 and 26 bytes.
pub const MAX_BATCH_BYTES: usize = 1_048_576;
pub const EVENT_OVERHEAD_BYTES: usize = 26;

/// The sample groups existed this long before the month.
const GROUP_AGE_MS: i64 = 90 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// The log group that is asked for and does not exist.
pub const MISSING_LOG_GROUP: &str = "/app/retired";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Epoch milliseconds.
    pub timestamp: i64,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    pub name: String,
    /// In chronological order.
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    pub name: String,
    /// Epoch milliseconds.
    pub created: i64,
    pub streams: Vec<LogStream>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleLogs {
    pub month: Month,
    pub window: Window,
    pub groups: Vec<LogGroup>,
}

impl SampleLogs {
    pub fn generate(month: Month) -> Result<Self> {
        let window = month.window()?;
        let seed = u64::from(month.year().unsigned_abs()) * 100 + u64::from(month.month());
        let mut rng = Rng::with_seed(seed);
        let groups = vec![
            group("/aws/lambda/orders", window, lambda_streams(&mut rng, window)),
            group("/ecs/web", window, web_streams(&mut rng, window)),
            group("/ecs/billing", window, billing_streams(&mut rng, window)),
            group("/onprem/batch", window, batch_streams(&mut rng, window)),
            group("/app/edge-cases", window, edge_case_streams(window)),
            group("/app/other-months", window, other_months_streams(window)),
            // A group without a stream, and one whose only stream has no event.
            group("/app/empty", window, vec![]),
            group("/app/silent", window, vec![stream("silent", vec![])]),
        ];
        Ok(Self { month, window, groups })
    }

    /// How many events there are, of all months.
    pub fn events(&self) -> usize {
        self.groups.iter().flat_map(|group| &group.streams).map(|stream| stream.events.len()).sum()
    }

    /// How many of them the month's archive must hold.
    pub fn events_in_month(&self) -> usize {
        self.groups.iter().map(|group| group.events_in(self.window)).sum()
    }
}

impl LogGroup {
    pub fn events_in(&self, window: Window) -> usize {
        self.streams.iter().flat_map(|stream| &stream.events).filter(|event| window.contains(event.timestamp)).count()
    }
}

fn group(name: &str, window: Window, streams: Vec<LogStream>) -> LogGroup {
    LogGroup { name: name.to_owned(), created: window.from - GROUP_AGE_MS, streams }
}

fn stream(name: impl Into<String>, mut events: Vec<Event>) -> LogStream {
    events.sort_by_key(|event| event.timestamp);
    LogStream { name: name.into(), events }
}

fn event(timestamp: i64, message: impl Into<String>) -> Event {
    Event { timestamp, message: message.into() }
}

/// The last millisecond before the month, its first, its last, and the first after it.
fn edges(window: Window, mut message: impl FnMut(&str) -> String) -> Vec<Event> {
    [
        (window.from - 1, "the last millisecond of the month before"),
        (window.from, "the first millisecond of the month"),
        (window.to, "the last millisecond of the month"),
        (window.to + 1, "the first millisecond of the month after"),
    ]
    .map(|(timestamp, when)| event(timestamp, message(when)))
    .into()
}

/// Lambda's own log lines: 40 environments, each with its stream, spread over the month.
fn lambda_streams(rng: &mut Rng, window: Window) -> Vec<LogStream> {
    const ENVIRONMENTS: i64 = 40;
    const INVOCATIONS: i64 = 75;
    let length = window.to + 1 - window.from;
    (0..ENVIRONMENTS)
        .map(|environment| {
            let start = window.from + length * environment / ENVIRONMENTS;
            let mut events = Vec::new();
            for invocation in 0..INVOCATIONS {
                let timestamp = start + 1_000 + invocation * MINUTE_MS + rng.i64(0..20_000);
                events.extend(text::lambda_invocation(rng, timestamp, invocation == 0));
            }
            if environment == 0 {
                events.push(event(window.from - 1, text::lambda_line(rng, "before midnight")));
                events.push(event(window.from, text::lambda_line(rng, "at midnight")));
            }
            if environment == ENVIRONMENTS - 1 {
                events.push(event(window.to, text::lambda_line(rng, "before midnight")));
                events.push(event(window.to + 1, text::lambda_line(rng, "at midnight")));
            }
            stream(text::lambda_stream_name(rng, start), events)
        })
        .collect()
}

/// JSON application logs of three containers.
fn web_streams(rng: &mut Rng, window: Window) -> Vec<LogStream> {
    const REQUESTS: usize = 2_500;
    (0..3)
        .map(|container| {
            let mut events: Vec<Event> = (0..REQUESTS)
                .map(|_| {
                    let timestamp = rng.i64(window.from..=window.to);
                    event(timestamp, text::web_request(rng))
                })
                .collect();
            if container == 0 {
                events.extend(edges(window, |when| format!(r#"{{"level":"INFO","message":"{when}"}}"#)));
            }
            stream(format!("web/app/{}", text::hex(rng, 32)), events)
        })
        .collect()
}

/// A Java service that logs stack traces, each one event of many lines.
fn billing_streams(rng: &mut Rng, window: Window) -> Vec<LogStream> {
    let events = (0..1_200)
        .map(|_| {
            let timestamp = rng.i64(window.from..=window.to);
            event(timestamp, text::java_log(rng, timestamp))
        })
        .collect();
    vec![stream(format!("billing/jvm/{}", text::hex(rng, 32)), events)]
}

/// Plain text in Japanese, with tabs.
fn batch_streams(rng: &mut Rng, window: Window) -> Vec<LogStream> {
    ["東京", "大阪"]
        .map(|place| {
            let mut events: Vec<Event> = (0..1_000)
                .map(|_| {
                    let timestamp = rng.i64(window.from..=window.to);
                    event(timestamp, text::batch_line(rng, place))
                })
                .collect();
            events.extend(edges(window, |when| format!("月次境界\t{when}")));
            stream(place, events)
        })
        .into()
}

/// What is easily damaged on its way.
fn edge_case_streams(window: Window) -> Vec<LogStream> {
    let noon = window.from + DAY_MS / 2;
    let odd = [
        " ",
        "\t",
        "a line that ends with a newline\n",
        "\na line that begins with one",
        "Windows\r\nline\r\nends\r\n",
        "tabs\tbetween\t\tcolumns",
        "trailing spaces   ",
        "emoji 🗾🍣👩‍👩‍👧‍👦 and combining e\u{301}",
        "quotes \" ' ` and backslashes \\ \\n",
        "{\"not\": \"a timestamp\"}",
        "\u{feff}a byte order mark",
        "the same line twice in one millisecond",
        "the same line twice in one millisecond",
    ];
    let mut events: Vec<Event> = odd.iter().map(|message| event(noon, *message)).collect();
    events.extend(edges(window, str::to_owned));
    let mut streams =
        vec![stream("odd", events), stream("one-megabyte", vec![event(noon, text::long_message(MAX_BATCH_BYTES - EVENT_OVERHEAD_BYTES))])];
    // Each is a folder's name in the archive; the last two become the same one.
    for name in ["a", "a b", "ä", "a/b/c", "a-b-c"] {
        streams.push(stream(name, vec![event(noon, "the same line in several streams")]));
    }
    streams
}

/// A group that was busy, but not in this month.
fn other_months_streams(window: Window) -> Vec<LogStream> {
    let around = [window.from - 20 * DAY_MS, window.from - 1, window.to + 1, window.to + DAY_MS / 4];
    vec![stream("main", around.map(|timestamp| event(timestamp, "not of this month")).into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_have_edges_of_the_month_and_the_largest_message_on_every_run() {
        let samples = SampleLogs::generate("2026-10".parse().unwrap()).unwrap();
        assert_eq!(samples, SampleLogs::generate("2026-10".parse().unwrap()).unwrap());
        assert!(samples.events_in_month() >= 20_000, "{}", samples.events_in_month());
        let Window { from, to } = samples.window;
        let events = |group: &LogGroup| group.streams.iter().flat_map(|stream| stream.events.clone()).collect::<Vec<_>>();
        let on_edges =
            |group: &&LogGroup| [from - 1, from, to, to + 1].iter().all(|edge| events(group).iter().any(|event| event.timestamp == *edge));
        assert_eq!(samples.groups.iter().filter(on_edges).count(), 4);
        let largest = samples.groups.iter().flat_map(events).map(|event| event.message.len()).max();
        assert_eq!(largest, Some(MAX_BATCH_BYTES - EVENT_OVERHEAD_BYTES));
    }
}
