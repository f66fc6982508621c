//! Archives without exports: manifests, objects and reports, in the shapes that a run writes.

use anyhow::{Result, anyhow};
use bytes::Bytes;
use export_core::contract::report::{Counts, SCHEMA_VERSION as SCHEMA_VERSION_OF_REPORTS};
use export_core::destination::{self, task_folder};
use export_core::manifest::{Manifest, Outcome, SCHEMA_VERSION};
use export_core::place::{Stack, hexadecimal};
use export_core::target::Target;
use export_core::{BucketName, LogGroupName, Month, Prefix, SettleDays, TaskId, Window};
use futures_util::{StreamExt, TryStreamExt, stream};
use local_aws::LocalAws;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const S3_PREFIX: &str = "cloudwatch-logs";
pub const TIMEZONE: &str = "Asia/Tokyo";
pub const PARTITION: &str = "aws";

const TASK_ID: &str = "cda45419-90ea-4db5-9833-aade86253e66";
/// The only object of a task. No benchmark decompresses it.
const OBJECT: &str = "x";
pub const ETAG: &str = "\"9dd4e461268c8034f5c8564e155c67a6\"";

pub fn stack(account: &str, region: &str, bucket: &str) -> Result<Stack> {
    Ok(Stack {
        account: account.to_owned(),
        region: region.to_owned(),
        partition: PARTITION.to_owned(),
        bucket: BucketName::parse(bucket).map_err(|fix| anyhow!("{bucket}: {fix}"))?,
        s3_prefix: Prefix::parse(S3_PREFIX).map_err(|fix| anyhow!("{S3_PREFIX}: {fix}"))?,
        timezone: TIMEZONE.parse()?,
        settle_days: SettleDays::default(),
    })
}

/// The manifest and the only object of an exported log-group-month, by key.
pub fn export_objects(stack: &Stack, log_group: &str, month: Month) -> Result<[(String, Bytes); 2]> {
    let log_group = LogGroupName::parse(log_group).map_err(|fix| anyhow!("{log_group}: {fix}"))?;
    let destination = destination::DEFAULT_TEMPLATE.render(&stack.s3_prefix, &log_group).map_err(|problem| anyhow!(problem))?;
    let place = stack.place(stack.bucket.clone(), log_group.clone(), destination);
    let window = Window::of(month, stack.timezone);
    let target = Target { place, stream_prefix: None, month, window };
    let task_id = TaskId::parse(TASK_ID).map_err(|fix| anyhow!("{TASK_ID}: {fix}"))?;
    let object = task_folder(&target.destination_prefix(), &task_id) + "main/000000.gz";
    let completed = window.complete_at() + chrono::TimeDelta::hours(1);
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        outcome: Outcome::Exported,
        reason: None,
        account: stack.account.clone(),
        region: stack.region.clone(),
        bucket: stack.bucket.clone(),
        log_group,
        log_stream_name_prefix: None,
        timezone: TIMEZONE.to_owned(),
        window_from: window.from,
        window_to: window.to,
        complete_from: None,
        destination_prefix: target.destination_prefix(),
        task_id: Some(task_id),
        objects: 1,
        hidden_objects: 0,
        bytes: OBJECT.len() as u64,
        digest: Some(hexadecimal(&Sha256::digest(format!("{object} {} {ETAG}\n", OBJECT.len())), 32)),
        created: export_core::time::format_instant(window.complete_at()),
        completed: Some(export_core::time::format_instant(completed)),
        execution: None,
        warnings: Vec::new(),
    };
    let key = stack.manifest_key(&target.manifest_key());
    Ok([(key, Bytes::from(serde_json::to_vec(&manifest)?)), (object, Bytes::from_static(OBJECT.as_bytes()))])
}

/// The number of concurrent calls to the local AWS.
const CONCURRENCY: usize = 16;

/// Creates log groups on the local AWS, with an archived month.
pub async fn create_archived(local: &LocalAws, bucket: &str, log_groups: &[String], month: Month) -> Result<()> {
    let (logs, s3) = (aws_sdk_cloudwatchlogs::Client::new(&local.sdk_config()), s3_client(local));
    let stack = stack(local.account_id(), local.region(), bucket)?;
    let create = log_groups.iter().map(|name| {
        let (logs, s3, stack) = (&logs, &s3, &stack);
        async move {
            logs.create_log_group().log_group_name(name).send().await?;
            for (key, body) in export_objects(stack, name, month)? {
                s3.put_object().bucket(bucket).key(key).body(body.into()).send().await?;
            }
            anyhow::Ok(())
        }
    });
    stream::iter(create).buffer_unordered(CONCURRENCY).try_collect().await
}

pub fn s3_client(local: &LocalAws) -> aws_sdk_s3::Client {
    // The endpoint is an IP address, so it needs path-style addresses.
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&local.sdk_config()).force_path_style(true).build())
}

/// The report of a scheduled run. Its key makes it the newest. A run reads the reports back to the newest one of a scheduled run.
pub fn scheduled_report(stack: &Stack) -> (String, Bytes) {
    let report = report("2020-01-01T04:00:00Z", "2020-01-01T04:00:00Z", "2019-12", &[]);
    (format!("{}year=2999/month=12/fixture.json", stack.reports_folder()), Bytes::from(report.to_string()))
}

/// The report of a scheduled run that compared everything, without decisions.
pub fn report(started: &str, ended: &str, due_month: &str, found: &[String]) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION_OF_REPORTS, "execution": "fixture", "started": started, "ended": ended, "scheduled_time": started,
        "compared_everything": true, "due_month": due_month, "due_month_archived": true, "timezone": TIMEZONE, "months": [],
        "counts": Counts::default(), "missing_count": 0, "slot_hours_used": 0.0, "slot_hours_needed": 0.0, "error": null,
        "compaction_error": null, "warnings": [], "told": true, "decided": [], "missing": [], "found": found,
    })
}
