//! Times of parsing, decisions and window math, to find regressions: `cargo bench -p export-core`.
//!
//! Baselines are timed too: on any machine, a regression is a larger multiple of its baseline.

use std::hint::black_box;

use chrono::{DateTime, Utc};
use divan::Bencher;
use export_core::{
    BucketName, LogGroupName, Month, Prefix, SettleDays, Window,
    contract::create::Request,
    decide::{Evidence, Question, decide},
    destination,
    input::RunInput,
    manifest::{Content, FolderContents, FoundManifest},
    place::Stack,
    service::{ServiceFailure, logs_error},
    target::Target,
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

fn stack() -> Stack {
    Stack {
        account: "123456789012".into(),
        region: "ap-northeast-1".into(),
        partition: "aws".into(),
        bucket: BucketName::parse("my-log-archive").expect("a bucket"),
        s3_prefix: Prefix::parse("logs").expect("a prefix"),
        timezone: chrono_tz::Asia::Tokyo,
        settle_days: SettleDays::default(),
    }
}

fn target() -> Target {
    let request = Request::parse(&event(), &stack()).expect("a valid event");
    request.target(&stack(), now()).expect("a month that is over")
}

/// The manifest of what a task wrote, and its task's folder.
fn manifest(target: &Target) -> (String, FolderContents) {
    let Target { place, window, .. } = target;
    let manifest = json!({"schema_version": 2, "outcome": "exported", "reason": null, "account": place.account, "region": place.region,
        "bucket": place.bucket, "log_group": place.log_group, "log_stream_name_prefix": null, "timezone": "Asia/Tokyo", "window_from": window.from,
        "window_to": window.to, "destination_prefix": target.destination_prefix(), "task_id": "cda45419-90ea-4db5-9833-aade86253e66", "objects": 4,
        "hidden_objects": 0, "bytes": 4000, "digest": "d", "created": "2024-11-01T04:00:05.000Z", "completed": "2024-11-01T04:01:05.000Z",
        "execution": "arn:aws:states:ap-northeast-1:123456789012:execution:export-logs:1", "warnings": []});
    (manifest.to_string(), FolderContents { objects: 4, bytes: 4000, digest: "d".into(), ..FolderContents::default() })
}

fn now() -> DateTime<Utc> {
    "2024-11-02T04:00:00Z".parse().expect("an instant")
}

/// Only the part of the libraries.
mod baseline {
    use chrono::{NaiveDate, TimeZone};
    use chrono_tz::Tz;

    use super::*;

    /// For windows: both midnights of a month in a time zone, if they exist.
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
    let (stack, now) = (stack(), now());
    bencher.with_inputs(event).bench_refs(|event| {
        let request = Request::parse(event, &stack).expect("a valid event");
        request.target(&stack, black_box(now)).expect("a month that is over")
    });
}

#[divan::bench(args = [1, 100, 4_000])]
fn input_of_a_run(bencher: Bencher, log_groups: usize) {
    let stack = stack();
    bencher.with_inputs(|| run(log_groups)).bench_refs(|input| RunInput::parse(input, &stack).expect("a valid input"));
}

/// The work of a run for each archived log-group-month, without its calls.
#[divan::bench]
fn archived_log_group_month(bencher: Bencher) {
    let (target, now) = (target(), now());
    let key = target.manifest_key();
    let (text, folder) = manifest(&target);
    bencher.with_inputs(|| folder.clone()).bench_values(|folder| {
        let content = Content::parse(black_box(text.as_bytes()), &target.place, &key, now).with_folder(folder);
        let evidence =
            Evidence { manifests: Some(vec![FoundManifest { key: key.clone(), etag: String::new(), content }]), ..Evidence::default() };
        decide(&Question::new(&target, now), &evidence).expect("it is archived")
    });
}

/// The hash of a place, by which a run finds its manifests.
#[divan::bench]
fn place_of_a_log_group(bencher: Bencher) {
    let stack = stack();
    let log_group = LogGroupName::parse("/aws/lambda/production-order-service-00001-handler").expect("a log group");
    bencher.bench(|| {
        let destination = destination::DEFAULT_TEMPLATE.render(&stack.s3_prefix, black_box(&log_group)).expect("a destination");
        stack.place(stack.bucket.clone(), log_group.clone(), destination).hash()
    });
}

#[divan::bench]
fn name_of_a_failure(bencher: Bencher) {
    let failure = ServiceFailure {
        operation: "DescribeExportTasks",
        code: Some("ThrottlingException".into()),
        message: "Rate exceeded".to_owned(),
        status: Some(400),
    };
    bencher.bench(|| logs_error(black_box(&failure)));
}
