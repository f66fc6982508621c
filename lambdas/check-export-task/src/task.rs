//! The export task as CloudWatch Logs describes it, and the error name of every status but COMPLETED.

use std::time::Duration;

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{
    Client,
    operation::cancel_export_task::CancelExportTaskError,
    types::{ExportTask, ExportTaskStatusCode},
};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{ErrorName, ExportError, TaskId, Window, service::logs_error, time::Millis};

/// CloudWatch Logs ends a task after 24 hours. One that is older still would hold the slot for ever.
const OLDEST: TimeDelta = TimeDelta::hours(26);

/// A task that ends without completing after so long is one that CloudWatch Logs ended, or would have ended. What it says of those is
/// not documented.
const TOO_LONG: TimeDelta = TimeDelta::hours(20);

/// A task is not always visible in the second after it was created.
const LOOKS: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What a COMPLETED task says about itself.
#[derive(Debug)]
pub struct CompletedTask {
    pub name: Option<String>,
    pub log_group_name: String,
    pub bucket: String,
    pub destination_prefix: String,
    pub window: Window,
    pub created: Option<Millis>,
    pub completed: Option<Millis>,
}

impl CompletedTask {
    /// As CloudWatch's clock has it.
    pub fn duration(&self) -> Option<TimeDelta> {
        Some(self.completed? - self.created?)
    }
}

pub async fn find(logs: &Client, task_id: &TaskId) -> Result<ExportTask, ExportError> {
    for look in 1..=LOOKS {
        if let Some(task) = look_once(logs, task_id).await? {
            return Ok(task);
        }
        if look < LOOKS {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
    let message = format!("taskId is \"{task_id}\": CloudWatch Logs knows no such export task in this account and Region");
    Err(ExportError::new(ErrorName::ExportTaskNotFound, message))
}

/// A page may be empty and not be the last.
async fn look_once(logs: &Client, task_id: &TaskId) -> Result<Option<ExportTask>, ExportError> {
    let mut token = None;
    loop {
        let page = match logs.describe_export_tasks().task_id(task_id.as_str()).set_next_token(token).send().await {
            Ok(page) => page,
            Err(error) => {
                let failure = service_failure("DescribeExportTasks", &error);
                return if failure.has_code("ResourceNotFoundException") { Ok(None) } else { Err(logs_error(&failure)) };
            }
        };
        let mut tasks = page.export_tasks.unwrap_or_default().into_iter();
        if let Some(task) = tasks.find(|task| task.task_id() == Some(task_id.as_str())) {
            return Ok(Some(task));
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(None);
        }
    }
}

/// The task, if it is COMPLETED. One that is too old and still active is cancelled.
pub async fn completed(logs: &Client, task_id: &TaskId, task: ExportTask, now: DateTime<Utc>) -> Result<CompletedTask, ExportError> {
    let task = if is_too_old(&task, now) && !cancel(logs, task_id).await? { find(logs, task_id).await? } else { task };
    refuse_unless_completed(task_id, &task, now)?;
    read(task_id, task)
}

fn is_too_old(task: &ExportTask, now: DateTime<Utc>) -> bool {
    let is_active = matches!(code(task), Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running));
    is_active && age(task, now).is_some_and(|age| age > OLDEST)
}

/// From its creation to its end, or to now.
fn age(task: &ExportTask, now: DateTime<Utc>) -> Option<TimeDelta> {
    let info = task.execution_info()?;
    Some(info.completion_time().map_or(Millis::of(now), Millis) - Millis(info.creation_time()?))
}

/// Takes the slot from a task. Asked for, that is an error, because nothing is archived; false where the task ended just now.
async fn cancel(logs: &Client, task_id: &TaskId) -> Result<bool, ExportError> {
    let Err(error) = logs.cancel_export_task().task_id(task_id.as_str()).send().await else {
        let message = format!(
            "export task {task_id} was not done {} hours after CloudWatch Logs created it: its cancellation is asked for, so that the slot becomes free",
            OLDEST.num_hours()
        );
        return Err(ExportError::new(ErrorName::ExportTaskTimedOut, message));
    };
    match error.as_service_error() {
        Some(CancelExportTaskError::InvalidOperationException(_) | CancelExportTaskError::ResourceNotFoundException(_)) => Ok(false),
        _ => Err(logs_error(&service_failure("CancelExportTask", &error))),
    }
}

fn code(task: &ExportTask) -> Option<&ExportTaskStatusCode> {
    task.status().and_then(|status| status.code())
}

fn refuse_unless_completed(task_id: &TaskId, task: &ExportTask, now: DateTime<Utc>) -> Result<(), ExportError> {
    let took_too_long = age(task, now).is_some_and(|age| age >= TOO_LONG);
    let name = match code(task) {
        Some(ExportTaskStatusCode::Completed) => return Ok(()),
        Some(ExportTaskStatusCode::Failed | ExportTaskStatusCode::Cancelled) if took_too_long => ErrorName::ExportTaskTimedOut,
        Some(ExportTaskStatusCode::Pending) => ErrorName::ExportTaskPending,
        Some(ExportTaskStatusCode::Running) => ErrorName::ExportTaskRunning,
        Some(ExportTaskStatusCode::PendingCancel) => ErrorName::ExportTaskCancelling,
        Some(ExportTaskStatusCode::Failed) => ErrorName::ExportTaskFailed,
        Some(ExportTaskStatusCode::Cancelled) => ErrorName::ExportTaskCancelled,
        _ => ErrorName::ExportTaskStatusUnknown,
    };
    let code = code(task).map_or("missing", |code| code.as_str());
    let message = task.status().and_then(|status| status.message()).filter(|message| !message.is_empty()).unwrap_or("no message");
    let log_group = task.log_group_name().unwrap_or("without name");
    Err(ExportError::new(name, format!("export task {task_id} of log group {log_group} is {code}; CloudWatch Logs says: {message}")))
}

fn read(task_id: &TaskId, task: ExportTask) -> Result<CompletedTask, ExportError> {
    let missing = |field: &str| {
        ExportError::new(
            ErrorName::Unexpected,
            format!("export task {task_id} is COMPLETED, but CloudWatch Logs does not tell its {field}"),
        )
    };
    Ok(CompletedTask {
        name: task.task_name,
        window: Window { from: Millis(task.from.ok_or_else(|| missing("from"))?), to: Millis(task.to.ok_or_else(|| missing("to"))?) },
        log_group_name: task.log_group_name.ok_or_else(|| missing("logGroupName"))?,
        bucket: task.destination.ok_or_else(|| missing("destination"))?,
        destination_prefix: task.destination_prefix.ok_or_else(|| missing("destinationPrefix"))?,
        created: task.execution_info.as_ref().and_then(|info| info.creation_time).map(Millis),
        completed: task.execution_info.as_ref().and_then(|info| info.completion_time).map(Millis),
    })
}
