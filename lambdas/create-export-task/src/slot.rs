//! The account's one export slot in a Region: whose task holds it, and which tasks are one's own.

use aws_config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::{
    Client,
    config::Builder,
    types::{ExportTask, ExportTaskStatusCode},
};
use chrono::{DateTime, TimeDelta, Utc};
use export_core::{
    ErrorName, ExportError,
    create::{Export, Request, Task},
    service::{ServiceFailure, logs_error},
    time::format_millis,
};
use function_runtime::service_failure;

/// How long after its end a task is still taken for the one that this export asks for. Long enough for any retry and for
/// a run started again; what is older has a manifest, or somebody removed it on purpose.
const ADOPTION_TIME: TimeDelta = TimeDelta::hours(24);

/// Tasks come newest first, and only one is active at a time.
const NEWEST: i32 = 50;

async fn newest_tasks(logs: &Client, config: Builder) -> Result<Vec<ExportTask>, ServiceFailure> {
    let answer = logs.describe_export_tasks().limit(NEWEST).customize().config_override(config).send().await;
    let tasks = answer.map_err(|error| service_failure("DescribeExportTasks", &error))?;
    Ok(tasks.export_tasks.unwrap_or_default())
}

/// The tasks that are exactly what `request` asks for, whoever created them.
pub struct Own<'a> {
    pub request: &'a Request,
    pub export: &'a Export,
    pub task_name: String,
    now: DateTime<Utc>,
}

/// A task of one's own that has ended well.
pub struct Completed {
    pub task_id: String,
    /// Created since the run began, so that nobody can have removed its objects to have the month exported again.
    pub of_this_run: bool,
}

impl<'a> Own<'a> {
    pub fn new(request: &'a Request, export: &'a Export, now: DateTime<Utc>) -> Self {
        Self { request, export, task_name: request.task_name(export), now }
    }

    /// Those that are there already, before one is created.
    pub async fn find(&self, logs: &Client) -> Result<(Option<String>, Option<Completed>), ExportError> {
        let tasks = newest_tasks(logs, Builder::new()).await.map_err(|failure| logs_error(&failure))?;
        Ok((self.active(&tasks), self.just_completed(&tasks)))
    }

    /// The name tells log stream prefix and run apart, which CloudWatch Logs does not echo; nothing relies on it alone.
    fn includes(&self, task: &ExportTask) -> bool {
        task.task_name() == Some(&self.task_name)
            && task.log_group_name() == Some(&self.request.log_group_name)
            && (task.from(), task.to()) == (Some(self.export.window.from), Some(self.export.window.to))
            && task.destination() == Some(&self.request.settings.s3_bucket_name)
            && task.destination_prefix() == Some(&self.export.destination_prefix)
    }

    fn active(&self, tasks: &[ExportTask]) -> Option<String> {
        let is_active = |task: &&ExportTask| matches!(code(task), Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running));
        tasks.iter().filter(|task| self.includes(task)).find(is_active)?.task_id.clone()
    }

    fn just_completed(&self, tasks: &[ExportTask]) -> Option<Completed> {
        let since = (self.now - ADOPTION_TIME).timestamp_millis();
        let completed = |task: &&ExportTask| {
            let at = task.execution_info().and_then(|info| info.completion_time());
            code(task) == Some(&ExportTaskStatusCode::Completed) && at.is_some_and(|at| at >= since)
        };
        let task = tasks.iter().filter(|task| self.includes(task)).find(completed)?;
        let created = task.execution_info().and_then(|info| info.creation_time());
        let run_began = self.request.start_time.map(|start| start.timestamp_millis());
        let of_this_run = created.zip(run_began).is_some_and(|(created, began)| created >= began);
        Some(Completed { task_id: task.task_id.clone()?, of_this_run })
    }

    /// The slot is taken: by one's own task, which another run has just created or whose answer was lost, or by another's,
    /// which has to be waited for. That the holder cannot be told must not hide that the slot is busy.
    pub async fn adopt_or_queue(&self, logs: &Client) -> Result<Task, ExportError> {
        // One attempt only: the slot is busy whoever holds it, and will be asked for again.
        let holder = match newest_tasks(logs, Builder::new().retry_config(RetryConfig::disabled())).await {
            Ok(tasks) => match self.active(&tasks) {
                Some(task_id) => return Ok(Task::Adopted { task_id }),
                None => tasks.iter().find(|task| holds_slot(task)).map_or_else(|| "a task that has ended since".to_owned(), describe),
            },
            Err(failure) => format!("a task that could not be looked up ({failure})"),
        };
        Err(ExportError::new(ErrorName::ExportSlotBusy, format!("the account's only export slot in this Region is held by {holder}")))
    }
}

fn code(task: &ExportTask) -> Option<&ExportTaskStatusCode> {
    task.status().and_then(|status| status.code())
}

fn holds_slot(task: &ExportTask) -> bool {
    matches!(code(task), Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running | ExportTaskStatusCode::PendingCancel))
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
