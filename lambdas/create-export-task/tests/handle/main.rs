//! The function as the state machine calls it: the real SDK clients with an AWS in memory.

mod archived;
mod create;
mod slot;

use archive::Archive;
use create_export_task::CreateExportTask;
use export_core::{ExportError, input::RUN_TIME_LIMIT};
use fake_aws::{Aws, FROM, NOW, State, merged, stack};
use function_runtime::Invocation;
use serde_json::{Value, json};

const DAY: i64 = 86_400_000;

/// `NOW` in milliseconds.
const NOW_MILLIS: i64 = 1_793_505_605_000;

/// One log group with an event in October, and one whose name has the same beginning.
fn aws() -> Aws {
    let aws = Aws::default();
    aws.state().log_groups = vec![json!({"logGroupName": "/ecs/web-api"}), json!({"logGroupName": "/ecs/web"})];
    aws.state().log_streams = vec![json!({"logStreamName": "prod/s", "lastEventTimestamp": FROM})];
    aws
}

fn aws_with(change: impl FnOnce(&mut State)) -> Aws {
    let aws = aws();
    change(&mut aws.state());
    aws
}

async fn handle(aws: &Aws, event: Value) -> Result<Value, ExportError> {
    handle_in(&mut invocation(), aws, event).await
}

/// For an event with only a log group, `/ecs/web`, the month is the one before `NOW`.
async fn handle_in(invocation: &mut Invocation, aws: &Aws, changes: Value) -> Result<Value, ExportError> {
    let config = aws.config();
    let archive = Archive::new(stack(), &config);
    let event = if changes.is_object() { merged(json!({"logGroupName": "/ecs/web"}), changes) } else { changes };
    CreateExportTask::with(archive, RUN_TIME_LIMIT).handle(event, invocation).await
}

fn invocation() -> Invocation {
    Invocation::new("request-1", NOW.parse().unwrap())
}

/// How many times CreateExportTask was called.
fn creations(aws: &Aws) -> usize {
    aws.bodies("CreateExportTask").len()
}
