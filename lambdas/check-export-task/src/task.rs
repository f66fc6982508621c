//! The export task as CloudWatch Logs describes it. Every status except COMPLETED has an error name.

use std::time::Duration;

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{
    Client,
    operation::cancel_export_task::CancelExportTaskError,
    types::{ExportTask, ExportTaskStatusCode},
};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{ErrorName, ExportError, TaskId, Window, service::logs_error, time::Millis};

/// CloudWatch Logs ends a task after 24 hours. An active task that is older would hold the slot for ever.
const MAX_AGE: TimeDelta = TimeDelta::hours(26);

/// A task that failed or was cancelled after this time reached the limit of 24 hours, or nearly did. AWS does not document the status of
/// such tasks.
const TOO_LONG: TimeDelta = TimeDelta::hours(20);

/// A new task is not always visible at once.
const FIND_ATTEMPTS: usize = 5;
const FIND_INTERVAL: Duration = Duration::from_secs(1);

/// The description of a COMPLETED task.
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
    /// By CloudWatch's clock.
    pub fn duration(&self) -> Option<TimeDelta> {
        Some(self.completed? - self.created?)
    }
}

pub async fn find(logs: &Client, task_id: &TaskId) -> Result<ExportTask, ExportError> {
    for attempt in 1..=FIND_ATTEMPTS {
        if let Some(task) = find_once(logs, task_id).await? {
            return Ok(task);
        }
        if attempt < FIND_ATTEMPTS {
            tokio::time::sleep(FIND_INTERVAL).await;
        }
    }
    let message = format!("taskId is \"{task_id}\": CloudWatch Logs knows no such export task in this account and Region");
    Err(ExportError::new(ErrorName::ExportTaskNotFound, message))
}

/// An empty page is not always the last one.
async fn find_once(logs: &Client, task_id: &TaskId) -> Result<Option<ExportTask>, ExportError> {
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

/// The task, if it is COMPLETED. A task that is too old and still active is cancelled.
pub async fn require_completed(
    logs: &Client,
    task_id: &TaskId,
    task: ExportTask,
    now: DateTime<Utc>,
) -> Result<CompletedTask, ExportError> {
    let task = if is_too_old(&task, now) && !cancel(logs, task_id).await? { find(logs, task_id).await? } else { task };
    refuse_unless_completed(task_id, &task, now)?;
    parse(task_id, task)
}

fn is_too_old(task: &ExportTask, now: DateTime<Utc>) -> bool {
    let is_active = matches!(status_code(task), Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running));
    is_active && age(task, now).is_some_and(|age| age > MAX_AGE)
}

/// The time from the task's creation to its end, or to now.
fn age(task: &ExportTask, now: DateTime<Utc>) -> Option<TimeDelta> {
    let info = task.execution_info()?;
    Some(info.completion_time().map_or(Millis::of(now), Millis) - Millis(info.creation_time()?))
}

/// Cancels a task. A requested cancellation is an error, because nothing is archived. `false`: the task has ended meanwhile.
async fn cancel(logs: &Client, task_id: &TaskId) -> Result<bool, ExportError> {
    let Err(error) = logs.cancel_export_task().task_id(task_id.as_str()).send().await else {
        let message = format!(
            "export task {task_id} was not done {} hours after CloudWatch Logs created it: the function requested its cancellation, so that the slot becomes free",
            MAX_AGE.num_hours()
        );
        return Err(ExportError::new(ErrorName::ExportTaskTimedOut, message));
    };
    match error.as_service_error() {
        Some(CancelExportTaskError::InvalidOperationException(_) | CancelExportTaskError::ResourceNotFoundException(_)) => Ok(false),
        _ => Err(logs_error(&service_failure("CancelExportTask", &error))),
    }
}

fn status_code(task: &ExportTask) -> Option<&ExportTaskStatusCode> {
    task.status().and_then(|status| status.code())
}

fn refuse_unless_completed(task_id: &TaskId, task: &ExportTask, now: DateTime<Utc>) -> Result<(), ExportError> {
    let took_too_long = age(task, now).is_some_and(|age| age >= TOO_LONG);
    let name = match status_code(task) {
        Some(ExportTaskStatusCode::Completed) => return Ok(()),
        Some(ExportTaskStatusCode::Failed | ExportTaskStatusCode::Cancelled) if took_too_long => ErrorName::ExportTaskTimedOut,
        Some(ExportTaskStatusCode::Pending) => ErrorName::ExportTaskPending,
        Some(ExportTaskStatusCode::Running) => ErrorName::ExportTaskRunning,
        Some(ExportTaskStatusCode::PendingCancel) => ErrorName::ExportTaskCancelling,
        Some(ExportTaskStatusCode::Failed) => ErrorName::ExportTaskFailed,
        Some(ExportTaskStatusCode::Cancelled) => ErrorName::ExportTaskCancelled,
        _ => ErrorName::ExportTaskStatusUnknown,
    };
    let code = status_code(task).map_or("missing", |code| code.as_str());
    let message = task.status().and_then(|status| status.message()).filter(|message| !message.is_empty()).unwrap_or("no message");
    let log_group = task.log_group_name().unwrap_or("without name");
    Err(ExportError::new(name, format!("export task {task_id} of log group {log_group} is {code}; CloudWatch Logs says: {message}")))
}

fn parse(task_id: &TaskId, task: ExportTask) -> Result<CompletedTask, ExportError> {
    let missing = |field: &str| {
        ExportError::new(
            ErrorName::Unexpected,
            format!("export task {task_id} is COMPLETED, but CloudWatch Logs does not give its {field}"),
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
