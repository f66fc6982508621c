//! The account's one export slot in this Region: who holds it, and for how long.

use archive::service_failure;
use aws_sdk_cloudwatchlogs::types::{ExportTask, ExportTaskStatusCode};
use chrono::{DateTime, TimeDelta, Utc};

use super::finding::{Asked, Call, Findings, Name};
use crate::{context::Context, failure::Failure, stack::DeployedStack};

/// CloudWatch Logs ends a task after 24 hours; check-export-task waits for two more.
const LONGEST: TimeDelta = TimeDelta::hours(26);

pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    for code in [ExportTaskStatusCode::Pending, ExportTaskStatusCode::Running, ExportTaskStatusCode::PendingCancel] {
        let mut token = None;
        loop {
            let page = context.logs().describe_export_tasks().status_code(code.clone()).limit(50).set_next_token(token).send().await;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let call = Call { operation: "DescribeExportTasks", action: "logs:DescribeExportTasks", resource: "*", absent: &[] };
                    let _: Asked<()> = findings.refused(call, &service_failure(call.operation, &error))?;
                    return Ok(());
                }
            };
            for task in page.export_tasks.unwrap_or_default() {
                look_at(&task, stack, findings);
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
    }
    Ok(())
}

fn look_at(task: &ExportTask, stack: &DeployedStack, findings: &mut Findings) {
    let id = task.task_id().unwrap_or_default();
    let created = task.execution_info().and_then(|info| DateTime::from_timestamp_millis(info.creation_time()?));
    let age = created.map(|created| Utc::now() - created);
    let since = age.map_or_else(String::new, |age| format!(" for {} h {:02} min", age.num_hours(), age.num_minutes() % 60));
    let status = task.status().and_then(|status| status.code()).map_or("", ExportTaskStatusCode::as_str);
    let what = format!(
        "Export task {} of log group {} to bucket {} holds the slot{since}; it is {status}.",
        task.task_name().unwrap_or(id),
        task.log_group_name().unwrap_or_default(),
        task.destination().unwrap_or_default()
    );
    let is_own =
        task.destination() == Some(stack.stack.bucket.as_str()) && task.task_name().is_some_and(|name| name.starts_with("archive-"));
    let name = match age.is_some_and(|age| age > LONGEST) {
        true => Name::SlotHeldTooLong,
        false if !is_own => Name::SlotHeldByOthers,
        false => return,
    };
    findings.add(name, id, what, format!("aws logs cancel-export-task --task-id {id}"));
}
