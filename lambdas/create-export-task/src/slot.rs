//! The account's one export slot in a Region: whose task holds it, and which tasks are one's own.

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
    contract::create::Task,
    service::{ServiceFailure, logs_error},
    target::Target,
    time::Millis,
};

/// One task runs at a time, and each is looked at as soon as it has ended: what can be adopted is among the newest few. A long run has
/// thousands.
const MOST_TASKS: usize = 100;

/// The tasks for exactly this target, whoever created them.
pub struct Own<'a> {
    pub target: &'a Target,
    pub task_name: String,
    /// A completed task counts if it was created since: nobody can have removed its objects to have the window exported again.
    run_since: Millis,
}

impl<'a> Own<'a> {
    pub fn new(target: &'a Target, run_since: DateTime<Utc>) -> Self {
        Self { target, task_name: target.task_name(), run_since: Millis::of(run_since) }
    }

    /// The one that is there already, before one is created.
    pub async fn find(&self, logs: &Client) -> Result<Option<TaskId>, ExportError> {
        let tasks = self.newest_tasks(logs, Builder::new()).await.map_err(|failure| logs_error(&failure))?;
        tasks.iter().find(|task| self.is_adopted(task)).map(task_id).transpose()
    }

    /// The newest tasks: those since the run began, and [`MOST_TASKS`] at most. A page may be empty and not be the last.
    async fn newest_tasks(&self, logs: &Client, config: Builder) -> Result<Vec<ExportTask>, ServiceFailure> {
        let mut tasks: Vec<ExportTask> = Vec::new();
        let mut token = None;
        loop {
            let page =
                logs.describe_export_tasks().limit(50).set_next_token(token).customize().config_override(config.clone()).send().await;
            let page = page.map_err(|error| service_failure("DescribeExportTasks", &error))?;
            tasks.extend(page.export_tasks.unwrap_or_default());
            token = page.next_token;
            let is_older = |task: &ExportTask| created(task).is_some_and(|created| created < self.run_since) && !holds_slot(task);
            if token.is_none() || tasks.len() >= MOST_TASKS || tasks.last().is_some_and(is_older) {
                return Ok(tasks);
            }
        }
    }

    /// The name tells the log stream prefix, which CloudWatch Logs does not echo; nothing relies on it alone.
    fn includes(&self, task: &ExportTask) -> bool {
        let place = &self.target.place;
        task.task_name() == Some(&self.task_name)
            && task.log_group_name() == Some(place.log_group.as_str())
            && (task.from(), task.to()) == (Some(self.target.window.from.0), Some(self.target.window.to.0))
            && task.destination() == Some(place.bucket.as_str())
            && task.destination_prefix() == Some(&self.target.destination_prefix())
    }

    fn is_adopted(&self, task: &ExportTask) -> bool {
        let is_usable = match code(task) {
            Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running) => true,
            Some(ExportTaskStatusCode::Completed) => created(task).is_some_and(|created| created >= self.run_since),
            _ => false,
        };
        is_usable && self.includes(task)
    }

    /// The slot is taken: by one's own task, which another run has just created or whose answer was lost, or by another's, which has to
    /// be waited for. That the holder cannot be told must not hide that the slot is busy.
    pub async fn adopt_or_queue(&self, logs: &Client, refusal: &ServiceFailure) -> Result<Task, ExportError> {
        // One attempt only: the slot is busy whoever holds it, and will be asked for again.
        let holder = match self.newest_tasks(logs, Builder::new().retry_config(RetryConfig::disabled())).await {
            Ok(tasks) => match tasks.iter().find(|task| self.is_adopted(task)) {
                Some(task) => return Ok(Task::Adopted(task_id(task)?)),
                None => tasks.iter().find(|task| holds_slot(task)).map_or_else(|| "a task that has ended since".to_owned(), describe),
            },
            Err(failure) => format!("a task that could not be looked up ({failure})"),
        };
        let message = format!("the account's only export slot in this Region is held by {holder}; {refusal}");
        Err(ExportError::new(ErrorName::ExportSlotBusy, message))
    }
}

fn task_id(task: &ExportTask) -> Result<TaskId, ExportError> {
    crate::parse_task_id(task.task_id().unwrap_or_default())
}

fn created(task: &ExportTask) -> Option<Millis> {
    task.execution_info().and_then(|info| info.creation_time()).map(Millis)
}

fn code(task: &ExportTask) -> Option<&ExportTaskStatusCode> {
    task.status().and_then(|status| status.code())
}

fn holds_slot(task: &ExportTask) -> bool {
    matches!(code(task), Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running | ExportTaskStatusCode::PendingCancel))
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
