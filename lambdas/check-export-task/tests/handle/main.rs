//! The function as the state machine calls it: the real SDK clients with an AWS in memory.

mod manifests;
mod task;

use archive::Archive;
use check_export_task::CheckExportTask;
use export_core::ExportError;
use fake_aws::{Aws, EXECUTION, FROM, NOW, State, TO, october, stack};
use function_runtime::Invocation;
use serde_json::{Value, json};

const PREFIX: &str = "logs/log_group=/ecs/web/year=2026/month=10";

/// `task-1` is COMPLETED and wrote five bytes of two log streams.
fn aws() -> Aws {
    let aws = Aws::default();
    aws.state().log_groups = vec![json!({"logGroupName": "/ecs/web"})];
    aws.state().export_tasks = vec![fake_aws::task(&october("/ecs/web"), json!({}))];
    wrote(&mut aws.state(), "task-1", &[("a", "abc"), ("b", "de")]);
    aws
}

fn aws_with(change: impl FnOnce(&mut State)) -> Aws {
    let aws = aws();
    change(&mut aws.state());
    aws
}

fn wrote(aws: &mut State, task_id: &str, streams: &[(&str, &str)]) {
    for (stream, text) in streams {
        aws.objects.insert(format!("archive/{PREFIX}/{task_id}/{stream}/000000.gz"), text.as_bytes().to_vec());
    }
}

/// The response of create-export-task.
fn event() -> Value {
    json!({"s3BucketName": "archive", "s3Prefix": "logs", "logGroupName": "/ecs/web", "timezone": "Asia/Tokyo", "force": false,
        "execution": EXECUTION, "month": "2026-10", "from": FROM, "to": TO, "destinationPrefix": PREFIX,
        "destination": "logs/log_group=/ecs/web/year={year}/month={month}", "taskId": "task-1", "status": "CREATED", "reason": null,
        "warnings": [{"name": "RetentionShorterThanMonth", "message": "m"}]})
}

async fn handle(aws: &Aws, event: Value) -> Result<Value, ExportError> {
    handle_in(&mut invocation(), aws, event).await
}

async fn handle_in(invocation: &mut Invocation, aws: &Aws, event: Value) -> Result<Value, ExportError> {
    let config = aws.config();
    let archive = Archive::new(stack(), &config);
    CheckExportTask::with(archive).handle(event, invocation).await
}

fn invocation() -> Invocation {
    Invocation::new("request-1", NOW.parse().unwrap())
}
