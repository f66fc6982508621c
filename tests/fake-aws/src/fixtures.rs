//! Test data: one archive, and October 2026 of its log groups.

use export_core::{BucketName, LogGroupName, Prefix, SettleDays, Window, destination, place::Stack, target::Target, time::Millis};
use serde_json::{Value, json};

pub const NOW: &str = "2026-11-01T04:00:05Z";
pub const EXECUTION: &str = "arn:aws:states:ap-northeast-1:123456789012:execution:archive:run-1";

/// October 2026 in Asia/Tokyo.
pub const FROM: i64 = 1_790_780_400_000;
pub const TO: i64 = 1_793_458_799_999;

/// The environment of a function's process. The process reads the real clock, so the run's time limit is a hundred years.
pub const STACK: [(&str, &str); 10] = [
    ("ARCHIVE_NAME", "archive"),
    ("ACCOUNT_ID", "123456789012"),
    ("PARTITION", "aws"),
    ("ARCHIVE_BUCKET", "archive"),
    ("S3_PREFIX", "logs"),
    ("TIME_ZONE", "Asia/Tokyo"),
    ("SETTLE_DAYS", "0"),
    ("WORK_BUCKET", "work"),
    ("TOPIC_ARN", "arn:aws:sns:ap-northeast-1:123456789012:archive"),
    ("RUN_TIME_LIMIT_SECONDS", "3153600000"),
];

pub fn stack() -> Stack {
    Stack {
        account: "123456789012".to_owned(),
        region: "ap-northeast-1".to_owned(),
        partition: "aws".to_owned(),
        bucket: BucketName::parse("archive").expect("valid"),
        s3_prefix: Prefix::parse("logs").expect("valid"),
        timezone: "Asia/Tokyo".parse().expect("valid"),
        settle_days: SettleDays::default(),
    }
}

pub fn october(log_group: &str) -> Target {
    let log_group = LogGroupName::parse(log_group).expect("valid");
    let destination = destination::DEFAULT_TEMPLATE.render(&stack().s3_prefix, &log_group).expect("valid");
    Target {
        place: stack().place(stack().bucket, log_group, destination),
        stream_prefix: None,
        month: "2026-10".parse().expect("valid"),
        window: Window { from: Millis(FROM), to: Millis(TO) },
    }
}

/// The bucket and key of a target's manifest.
pub fn path_of(target: &Target) -> String {
    format!("archive/{}", stack().manifest_key(&target.manifest_key()))
}

/// The manifest of `task-0`, which wrote one object of three bytes.
pub fn manifest(target: &Target, changes: Value) -> Value {
    let manifest = json!({
        "schema_version": 2, "outcome": "exported", "reason": null, "account": "123456789012", "region": "ap-northeast-1", "bucket": "archive",
        "log_group": target.place.log_group, "log_stream_name_prefix": null, "timezone": "Asia/Tokyo", "window_from": target.window.from,
        "window_to": target.window.to, "complete_from": null, "destination_prefix": target.destination_prefix(), "task_id": "task-0", "objects": 1,
        "hidden_objects": 0, "bytes": 3, "digest": null, "created": "2026-11-01T03:30:00.000Z", "completed": "2026-11-01T03:30:09.000Z",
        "execution": null, "warnings": [],
    });
    merged(manifest, changes)
}

/// The bucket and key of a target's open window.
pub fn open_path_of(target: &Target) -> String {
    format!("archive/{}", stack().missing_key(&target.place.hash(), target.window))
}

/// An open window that an earlier run left.
pub fn open_window(target: &Target, changes: Value) -> Value {
    let open = json!({
        "schema_version": 1, "outcome": "failed", "error": "ExportTaskFailed", "message": "in AWS's words.", "account": "123456789012",
        "region": "ap-northeast-1", "bucket": target.place.bucket, "log_group": target.place.log_group, "log_stream_name_prefix": null,
        "destination": target.place.destination, "timezone": "Asia/Tokyo", "month": target.month, "window_from": target.window.from,
        "window_to": target.window.to, "since": "2026-10-20T04:00:05Z", "tries": 3,
        "execution": "arn:aws:states:ap-northeast-1:123456789012:execution:archive:run-0", "blocked_by": null,
    });
    merged(open, changes)
}

/// The part of October from the day `first` to the day `last`. Days start at 0.
pub fn days(log_group: &str, first: i64, last: i64) -> Target {
    const DAY: i64 = 86_400_000;
    let mut target = october(log_group);
    (target.window.from.0, target.window.to.0) = (FROM + first * DAY, FROM + (last + 1) * DAY - 1);
    target
}

/// The export task that create-export-task creates for a target.
pub fn task(target: &Target, changes: Value) -> Value {
    let task = json!({
        "taskId": "task-1", "taskName": target.task_name(), "logGroupName": target.place.log_group, "from": target.window.from,
        "to": target.window.to, "destination": "archive", "destinationPrefix": target.destination_prefix(),
        "status": {"code": "COMPLETED", "message": "Completed successfully"},
        "executionInfo": {"creationTime": 1_793_502_005_000_i64, "completionTime": 1_793_502_007_250_i64},
    });
    merged(task, changes)
}

/// The object with some of its members replaced.
pub fn merged(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}
