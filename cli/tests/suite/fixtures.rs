//! Writes manifests and open windows to a stack's archive, as the functions do.

use chrono::{TimeDelta, Utc};
use e2e::Stage;
use export_core::{
    BucketName, LogGroupName, Month, Prefix, SettleDays, Window,
    destination::DEFAULT_TEMPLATE,
    manifest::{Manifest, Outcome, Reason},
    missing::{OpenOutcome, OpenWindow},
    place::Stack,
    target::Target,
    time::{Millis, format_instant},
};
use serde::Serialize;

pub fn month(text: &str) -> Month {
    text.parse().expect("a month")
}

/// The stack as the functions know it.
pub fn stack(stage: &Stage) -> Stack {
    Stack {
        account: stage.local.account_id().to_owned(),
        region: stage.local.region().to_owned(),
        partition: "aws".to_owned(),
        bucket: BucketName::parse(&stage.stack.bucket).expect("a name"),
        s3_prefix: Prefix::parse(e2e::S3_PREFIX).expect("a prefix"),
        timezone: chrono_tz::Asia::Tokyo,
        settle_days: SettleDays::default(),
    }
}

/// A whole month of a log group.
pub fn target(stack: &Stack, log_group: &str, month_text: &str) -> Target {
    let log_group = LogGroupName::parse(log_group).expect("a name");
    let destination = DEFAULT_TEMPLATE.render(&stack.s3_prefix, &log_group).expect("it is short");
    let month = month(month_text);
    let window = Window::of(month, stack.timezone);
    Target { place: stack.place(stack.bucket.clone(), log_group, destination), stream_prefix: None, month, window }
}

pub async fn put_json(stage: &Stage, key: &str, value: &impl Serialize) {
    stage.put(key, serde_json::to_vec(value).expect("it is JSON")).await;
}

/// A manifest with `objects` objects of 100 bytes each.
pub fn manifest(target: &Target, outcome: Outcome, reason: Option<Reason>, objects: u64) -> Manifest {
    let task = matches!(outcome, Outcome::Exported | Outcome::Empty).then(|| "task-1".to_owned().try_into().expect("an id"));
    let created = Millis::of(target.window.complete_at());
    Manifest { reason, objects, bytes: objects * 100, task_id: task, ..Manifest::new(target, "Asia/Tokyo", outcome, created) }
}

pub async fn put_manifest(stage: &Stage, target: &Target, outcome: Outcome, reason: Option<Reason>, objects: u64) {
    put_json(stage, &stack(stage).manifest_key(&target.manifest_key()), &manifest(target, outcome, reason, objects)).await;
}

/// An open window that is `days_ago` days old.
pub fn open_window(target: &Target, outcome: OpenOutcome, days_ago: i64) -> OpenWindow {
    OpenWindow {
        schema_version: export_core::missing::SCHEMA_VERSION,
        outcome,
        error: (outcome == OpenOutcome::Failed).then(|| "AccessDenied".to_owned()),
        message: "as AWS says <b>it</b>".to_owned(),
        place: target.place.clone(),
        log_stream_name_prefix: None,
        timezone: "Asia/Tokyo".to_owned(),
        month: target.month,
        window_from: target.window.from,
        window_to: target.window.to,
        since: format_instant(Utc::now() - TimeDelta::days(days_ago)),
        tries: 1,
        execution: "arn:aws:states:run".to_owned(),
        blocked_by: None,
    }
}

pub async fn put_new_open_window(stage: &Stage, target: &Target, outcome: OpenOutcome, days_ago: i64) {
    put_open_window(stage, &open_window(target, outcome, days_ago)).await;
}

pub async fn put_open_window(stage: &Stage, open: &OpenWindow) {
    put_json(stage, &open.key(&stack(stage)), open).await;
}
