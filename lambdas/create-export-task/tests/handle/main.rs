//! The function as the state machine calls it, with the real SDK client and AWS's answers mocked on the wire.

mod adoption;
mod archived;
mod aws;
mod log;
mod refusals;
mod request;
mod skips;

use aws_smithy_mocks::{Rule, RuleMode, mock_client};
use chrono::{DateTime, Utc};
use create_export_task::CreateExportTask;
use export_core::ExportError;
use function_runtime::Invocation;
use serde_json::{Value, json};

use aws::{export_tasks, log_streams, s3_refuses};

const WINDOW: (i64, i64) = (1_790_780_400_000, 1_793_458_799_999);

fn now() -> DateTime<Utc> {
    "2026-11-01T04:00:05Z".parse().unwrap()
}

fn event() -> Value {
    json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web"})
}

/// Calls the function with these answers, and with harmless ones for what they leave open: no manifest, no export tasks,
/// one log stream with events in the month.
async fn handle(event: Value, rules: &[&Rule]) -> Result<Value, ExportError> {
    handle_with_s3(event, rules, &[]).await
}

async fn handle_with_s3(event: Value, logs: &[&Rule], s3: &[&Rule]) -> Result<Value, ExportError> {
    handle_in(&mut Invocation::new("request-1", now()), event, logs, s3).await
}

async fn handle_in(invocation: &mut Invocation, event: Value, logs: &[&Rule], s3: &[&Rule]) -> Result<Value, ExportError> {
    let (no_tasks, streams) = (export_tasks(json!([])), log_streams(json!([{"logStreamName": "s", "lastEventTimestamp": WINDOW.0}])));
    let no_manifest = s3_refuses(404, "NoSuchKey");
    let logs = mock_client!(aws_sdk_cloudwatchlogs, RuleMode::MatchAny, logs.iter().copied().chain([&no_tasks, &streams]));
    let s3 = mock_client!(aws_sdk_s3, RuleMode::MatchAny, s3.iter().copied().chain([&no_manifest]));
    CreateExportTask::with_clients(logs, s3, "ap-northeast-1".into()).handle(event, invocation).await
}
