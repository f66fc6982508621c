//! The account's one export slot in a Region, and who holds it.

use aws_config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::{
    Client,
    config::Builder,
    types::{ExportTask, ExportTaskStatusCode},
};
use export_core::{ErrorName, ExportError, time::format_millis};
use function_runtime::service_failure;

/// The error for a taken slot. It names the holder, who may be any tool in the account. Not finding out must not hide
/// that the slot is busy, so a failed look is told in the message.
pub async fn busy(logs: &Client) -> ExportError {
    let holder = match find_holder(logs).await {
        Ok(Some(task)) => describe(&task),
        Ok(None) => "a task that has ended since".to_owned(),
        Err(reason) => format!("a task that could not be looked up ({reason})"),
    };
    ExportError::new(ErrorName::ExportSlotBusy, format!("the account's only export slot in this Region is held by {holder}"))
}

/// Tasks come newest first and only one is active at a time, so the active one is among the first.
async fn find_holder(logs: &Client) -> Result<Option<ExportTask>, String> {
    let asked = logs.describe_export_tasks().limit(10).customize();
    // Worth one attempt: three could use up the function's time, and the slot is busy whoever holds it.
    let answer = asked.config_override(Builder::new().retry_config(RetryConfig::disabled())).send().await;
    let tasks = answer.map_err(|error| service_failure("DescribeExportTasks", &error).to_string())?;
    Ok(tasks.export_tasks.unwrap_or_default().into_iter().find(is_active))
}

fn is_active(task: &ExportTask) -> bool {
    matches!(
        task.status().and_then(|status| status.code()),
        Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running | ExportTaskStatusCode::PendingCancel)
    )
}

fn describe(task: &ExportTask) -> String {
    let created = task.execution_info().and_then(|info| info.creation_time()).and_then(format_millis);
    format!(
        "task {} of log group {} (name {}, created {})",
        task.task_id().unwrap_or("without id"),
        task.log_group_name().unwrap_or("without name"),
        task.task_name().unwrap_or("none"),
        created.as_deref().unwrap_or("at an unknown time")
    )
}
