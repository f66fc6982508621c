//! The export task as CloudWatch Logs describes it, and the error name of every status but COMPLETED.

use aws_sdk_cloudwatchlogs::{
    Client,
    operation::cancel_export_task::CancelExportTaskError,
    types::{ExportTask, ExportTaskStatusCode},
};
use chrono::TimeDelta;
use export_core::{ErrorName, ExportError, Window, service::logs_error};
use function_runtime::service_failure;

/// What a COMPLETED task says about itself.
#[derive(Debug)]
pub struct CompletedTask {
    pub log_group_name: String,
    pub bucket: String,
    pub destination_prefix: String,
    pub window: Window,
    /// UTC epoch ms.
    pub created: Option<i64>,
    pub completed: Option<i64>,
}

impl CompletedTask {
    /// As CloudWatch's clock has it.
    pub fn duration(&self) -> Option<TimeDelta> {
        TimeDelta::try_milliseconds(self.completed?.checked_sub(self.created?)?)
    }
}

pub async fn find(logs: &Client, task_id: &str) -> Result<ExportTask, ExportError> {
    let answer = logs.describe_export_tasks().task_id(task_id).send().await;
    let tasks = answer.map_err(|error| logs_error(&service_failure("DescribeExportTasks", &error)))?.export_tasks.unwrap_or_default();
    tasks.into_iter().find(|task| task.task_id() == Some(task_id)).ok_or_else(|| {
        ExportError::new(
            ErrorName::ExportTaskNotFound,
            format!("taskId is {task_id:?}: CloudWatch Logs knows no such export task in this account and Region"),
        )
    })
}

pub fn completed(task_id: &str, task: ExportTask) -> Result<CompletedTask, ExportError> {
    refuse_unless_completed(task_id, &task)?;
    read(task_id, task)
}

/// Takes the slot from a task that the polling has given up. Cancelled is an error, because nothing is archived; a task that
/// has ended just now is looked at like any other.
pub async fn cancel(logs: &Client, task_id: &str) -> Result<(), ExportError> {
    let Err(error) = logs.cancel_export_task().task_id(task_id).send().await else {
        let message = format!(
            "export task {task_id} was not done when the polling ended, after 26 hours and more: its cancellation is asked for, so that the slot becomes free"
        );
        return Err(ExportError::new(ErrorName::ExportTaskTimedOut, message));
    };
    match error.as_service_error() {
        Some(CancelExportTaskError::InvalidOperationException(_) | CancelExportTaskError::ResourceNotFoundException(_)) => Ok(()),
        _ => Err(logs_error(&service_failure("CancelExportTask", &error))),
    }
}

fn refuse_unless_completed(task_id: &str, task: &ExportTask) -> Result<(), ExportError> {
    let code = task.status().and_then(|status| status.code());
    let name = match code {
        Some(ExportTaskStatusCode::Completed) => return Ok(()),
        Some(ExportTaskStatusCode::Pending) => ErrorName::ExportTaskPending,
        Some(ExportTaskStatusCode::Running) => ErrorName::ExportTaskRunning,
        Some(ExportTaskStatusCode::PendingCancel) => ErrorName::ExportTaskCancelling,
        Some(ExportTaskStatusCode::Failed) => ErrorName::ExportTaskFailed,
        Some(ExportTaskStatusCode::Cancelled) => ErrorName::ExportTaskCancelled,
        _ => ErrorName::ExportTaskStatusUnknown,
    };
    let code = code.map_or("missing", |code| code.as_str());
    let message = task.status().and_then(|status| status.message()).filter(|message| !message.is_empty()).unwrap_or("no message");
    let log_group = task.log_group_name().unwrap_or("without name");
    Err(ExportError::new(name, format!("export task {task_id} of log group {log_group} is {code}; CloudWatch Logs says: {message}")))
}

fn read(task_id: &str, task: ExportTask) -> Result<CompletedTask, ExportError> {
    let missing = |field: &str| {
        ExportError::new(
            ErrorName::Unexpected,
            format!("export task {task_id} is COMPLETED, but CloudWatch Logs does not tell its {field}"),
        )
    };
    Ok(CompletedTask {
        window: Window { from: task.from.ok_or_else(|| missing("from"))?, to: task.to.ok_or_else(|| missing("to"))? },
        log_group_name: task.log_group_name.ok_or_else(|| missing("logGroupName"))?,
        bucket: task.destination.ok_or_else(|| missing("destination"))?,
        destination_prefix: task.destination_prefix.ok_or_else(|| missing("destinationPrefix"))?,
        created: task.execution_info.as_ref().and_then(|info| info.creation_time),
        completed: task.execution_info.as_ref().and_then(|info| info.completion_time),
    })
}
