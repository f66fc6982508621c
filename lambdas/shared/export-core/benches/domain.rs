//! Parsing, planning and window math, so that a regression shows: `cargo bench -p export-core`.
//!
//! What they are made of is timed beside them: on any machine, a regression is a larger multiple of its baseline.

use std::hint::black_box;

use chrono::{DateTime, Utc};
use divan::Bencher;
use export_core::{
    Month, Window,
    create::Request,
    plan::ValidateRequest,
    run::RunInput,
    service::{ServiceFailure, logs_error},
};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

fn run(log_groups: usize) -> Value {
    let names: Vec<String> = (0..log_groups).map(|index| format!("/aws/lambda/production-order-service-{index:05}-handler")).collect();
    json!({"s3BucketName": "my-log-archive", "s3Prefix": "logs", "month": "2024-10", "logGroups": names})
}

fn event() -> Value {
    json!({"s3BucketName": "my-log-archive", "s3Prefix": "logs", "logGroupName": "/aws/lambda/orders", "month": "2024-10"})
}

fn now() -> DateTime<Utc> {
    "2024-11-02T04:00:00Z".parse().expect("an instant")
}

/// The libraries' part alone.
mod baseline {
    use chrono::{NaiveDate, TimeZone};
    use chrono_tz::Tz;

    use super::*;

    /// For windows: both of a month's midnights in a time zone, where there is such a time.
    #[divan::bench(args = ["Asia/Tokyo", "Europe/Berlin", "America/Asuncion"])]
    fn two_local_midnights(bencher: Bencher, timezone: &str) {
        let timezone: Tz = timezone.parse().expect("a time zone");
        let first = |month| NaiveDate::from_ymd_opt(2017, month, 1).expect("a date").into();
        bencher.bench(|| [10, 11].map(|month| black_box(timezone).from_local_datetime(&first(black_box(month))).earliest()));
    }

    /// For events, inputs and plans: the same JSON, from its text.
    #[divan::bench(args = [1, 100, 4_000])]
    fn json_of_a_run(bencher: Bencher, log_groups: usize) {
        let text = run(log_groups).to_string();
        bencher.bench(|| serde_json::from_str::<Value>(black_box(&text)).expect("JSON"));
    }
}

#[divan::bench(args = ["Asia/Tokyo", "Europe/Berlin", "America/Asuncion"])]
fn window_of_a_month(bencher: Bencher, timezone: &str) {
    // Asuncion's clocks skipped the first midnight of this month.
    let month: Month = "2017-10".parse().expect("a month");
    let timezone = timezone.parse().expect("a time zone");
    bencher.bench(|| Window::of(black_box(month), black_box(timezone)));
}

#[divan::bench]
fn month_at_an_instant(bencher: Bencher) {
    let now = now();
    bencher.bench(|| Month::at(black_box(now), black_box(chrono_tz::Asia::Tokyo)).previous());
}

#[divan::bench]
fn month_from_text() -> Month {
    black_box("2024-10").parse().expect("a month")
}

#[divan::bench]
fn event_of_create_export_task(bencher: Bencher) {
    let now = now();
    bencher.with_inputs(event).bench_refs(|event| {
        let request = Request::parse(event).expect("a valid event");
        request.export(black_box(now)).expect("a month that is over")
    });
}

#[divan::bench(args = [1, 100, 4_000])]
fn input_of_a_run(bencher: Bencher, log_groups: usize) {
    bencher.with_inputs(|| run(log_groups)).bench_refs(|input| RunInput::parse(input).expect("a valid input"));
}

#[divan::bench(args = [100, 4_000])]
fn plan_of_a_run(bencher: Bencher, log_groups: usize) {
    let event = json!({"validate": run(log_groups), "startTime": "2024-11-02T04:00:00Z"});
    let request = ValidateRequest::parse(&event).expect("a valid event");
    bencher.bench(|| request.plan().expect("a plan"));
}

#[divan::bench]
fn name_of_a_failure(bencher: Bencher) {
    let failure = ServiceFailure {
        operation: "DescribeExportTasks",
        code: Some("ThrottlingException".to_owned()),
        message: "Rate exceeded".to_owned(),
        status: Some(400),
    };
    bencher.bench(|| logs_error(black_box(&failure)));
}
