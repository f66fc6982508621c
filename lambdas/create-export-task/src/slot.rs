//! The account's one export slot in a Region: which task holds it, and which tasks the function adopts.

use archive::service_failure;
use aws_config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::{
    Client,
    config::Builder,
    types::{ExportTask, ExportTaskStatusCode},
};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError, TaskId,
    contract::create::TaskAction,
    service::{ServiceFailure, logs_error},
    target::Target,
    time::Millis,
};

/// One task runs at a time, and a run checks each task soon after its end. So a task to adopt is among the newest tasks. A long run has
/// thousands of tasks.
const MAX_TASKS: usize = 100;

/// The most tasks of one DescribeExportTasks.
const PAGE_SIZE: i32 = 50;

/// The tasks for exactly this target, whoever created them.
pub struct TargetTasks<'a> {
    pub target: &'a Target,
    pub task_name: String,
    /// A COMPLETED task counts only if it was created since then. An older task's objects may have been deleted to export the window again.
    run_start: Millis,
}

impl<'a> TargetTasks<'a> {
    pub fn new(target: &'a Target, run_start: DateTime<Utc>) -> Self {
        Self { target, task_name: target.task_name(), run_start: Millis::of(run_start) }
    }

    /// The task to adopt instead of creating one.
    pub async fn find(&self, logs: &Client) -> Result<Option<TaskId>, ExportError> {
        let tasks = self.newest_tasks(logs, Builder::new()).await.map_err(|failure| logs_error(&failure))?;
        tasks.iter().find(|task| self.is_adoptable(task)).map(task_id).transpose()
    }

    /// The account's tasks since the run began, [`MAX_TASKS`] at most. An empty page is not always the last one.
    async fn newest_tasks(&self, logs: &Client, config: Builder) -> Result<Vec<ExportTask>, ServiceFailure> {
        let mut tasks: Vec<ExportTask> = Vec::new();
        let mut token = None;
        loop {
            let request = logs.describe_export_tasks().limit(PAGE_SIZE).set_next_token(token);
            let page = request.customize().config_override(config.clone()).send().await;
            let page = page.map_err(|error| service_failure("DescribeExportTasks", &error))?;
            tasks.extend(page.export_tasks.unwrap_or_default());
            token = page.next_token;
            let is_older = |task: &ExportTask| created(task).is_some_and(|created| created < self.run_start) && !holds_slot(task);
            if token.is_none() || tasks.len() >= MAX_TASKS || tasks.last().is_some_and(is_older) {
                return Ok(tasks);
            }
        }
    }

    /// Whether the task is for this target. Only its name contains the log stream prefix, which CloudWatch Logs does not return. All other
    /// fields are compared too.
    fn includes(&self, task: &ExportTask) -> bool {
        let place = &self.target.place;
        task.task_name() == Some(&self.task_name)
            && task.log_group_name() == Some(place.log_group.as_str())
            && (task.from(), task.to()) == (Some(self.target.window.from.0), Some(self.target.window.to.0))
            && task.destination() == Some(place.bucket.as_str())
            && task.destination_prefix() == Some(&self.target.destination_prefix())
    }

    fn is_adoptable(&self, task: &ExportTask) -> bool {
        let has_usable_status = match status_code(task) {
            Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running) => true,
            Some(ExportTaskStatusCode::Completed) => created(task).is_some_and(|created| created >= self.run_start),
            _ => false,
        };
        has_usable_status && self.includes(task)
    }

    /// Handles a busy slot. If the slot's task is for this target, the function adopts it: another run created it, or the response to the
    /// first call was lost. Any other task is the error `ExportSlotBusy`, also if it cannot be looked up.
    pub async fn adopt_or_wait(&self, logs: &Client, failure: &ServiceFailure) -> Result<TaskAction, ExportError> {
        // One attempt only: the slot is busy in any case, and the state machine asks again.
        let holder = match self.newest_tasks(logs, Builder::new().retry_config(RetryConfig::disabled())).await {
            Ok(tasks) => match tasks.iter().find(|task| self.is_adoptable(task)) {
                Some(task) => return Ok(TaskAction::Adopted(task_id(task)?)),
                None => tasks.iter().find(|task| holds_slot(task)).map_or_else(|| "a task that has ended since".to_owned(), describe),
            },
            Err(failure) => format!("a task that could not be looked up ({failure})"),
        };
        let message = format!("the account's only export slot in this Region is held by {holder}; {failure}");
        Err(ExportError::new(ErrorName::ExportSlotBusy, message))
    }
}

fn task_id(task: &ExportTask) -> Result<TaskId, ExportError> {
    crate::parse_task_id(task.task_id().unwrap_or_default())
}

fn created(task: &ExportTask) -> Option<Millis> {
    task.execution_info().and_then(|info| info.creation_time()).map(Millis)
}

fn status_code(task: &ExportTask) -> Option<&ExportTaskStatusCode> {
    task.status().and_then(|status| status.code())
}

fn holds_slot(task: &ExportTask) -> bool {
    matches!(status_code(task), Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running | ExportTaskStatusCode::PendingCancel))
}

fn describe(task: &ExportTask) -> String {
    format!(
        "task {} of log group {} (name {}, created {})",
        task.task_id().unwrap_or("without id"),
        task.log_group_name().unwrap_or("without name"),
        task.task_name().unwrap_or("none"),
        created(task).map_or_else(|| "at an unknown time".to_owned(), |created| created.to_string())
    )
}
