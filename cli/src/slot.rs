//! The account's one export slot in a Region: which task holds it, and the state of a task.

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{
    Client,
    types::{ExportTask, ExportTaskStatusCode},
};
use chrono::{DateTime, Utc};
use export_core::{BucketName, service::ServiceFailure, time::Millis};

use crate::output::format_age;

/// The newest tasks suffice, because a new task cannot be created while another task holds the slot.
const PAGE_SIZE: i32 = 5;

/// The task that holds the slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub task_id: String,
    pub task_name: String,
    pub log_group: String,
    /// The bucket that the task writes to.
    pub bucket: String,
    pub status: String,
    pub since: Option<DateTime<Utc>>,
    /// Whether the task writes to the archive's bucket, under a name that only runs use.
    pub is_of_archive: bool,
}

impl Holder {
    /// The task, whose it is, its status, and its age.
    pub fn describe(&self, now: DateTime<Utc>) -> String {
        let Self { task_id, log_group, status, .. } = self;
        let owner = if self.is_of_archive { "the archive's own" } else { "another tool's" };
        let age = self.since.map(|since| format!(" for {}", format_age(since, now))).unwrap_or_default();
        format!("task {task_id} of log group {log_group}, {owner}, {status}{age}")
    }
}

/// Tasks are listed with the newest first. An empty page is not always the last one.
pub async fn find_holder(logs: &Client, bucket: &BucketName) -> Result<Option<Holder>, ServiceFailure> {
    let mut token = None;
    loop {
        let page = logs.describe_export_tasks().limit(PAGE_SIZE).set_next_token(token).send().await;
        let page = page.map_err(|error| service_failure("DescribeExportTasks", &error))?;
        token = page.next_token;
        let tasks = page.export_tasks.unwrap_or_default();
        if !tasks.is_empty() || token.is_none() {
            return Ok(tasks.iter().find(|task| is_active(task)).map(|task| to_holder(task, bucket)));
        }
    }
}

/// `None`: CloudWatch Logs does not list the task, for example in the first second after its creation.
pub async fn find_task(logs: &Client, task_id: &str) -> Result<Option<ExportTask>, ServiceFailure> {
    let mut token = None;
    loop {
        let page = logs.describe_export_tasks().task_id(task_id).set_next_token(token).send().await;
        let page = match page.map_err(|error| service_failure("DescribeExportTasks", &error)) {
            Err(failure) if failure.has_code("ResourceNotFoundException") => return Ok(None),
            page => page?,
        };
        let found = page.export_tasks.unwrap_or_default().into_iter().find(|task| task.task_id() == Some(task_id));
        token = page.next_token;
        if found.is_some() || token.is_none() {
            return Ok(found);
        }
    }
}

fn status_code(task: &ExportTask) -> Option<&ExportTaskStatusCode> {
    task.status().and_then(|status| status.code())
}

/// The task's status, or an empty text.
pub fn status(task: &ExportTask) -> &str {
    status_code(task).map_or("", ExportTaskStatusCode::as_str)
}

/// Whether the task holds the slot.
pub fn is_active(task: &ExportTask) -> bool {
    matches!(status_code(task), Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running | ExportTaskStatusCode::PendingCancel))
}

fn to_holder(task: &ExportTask, bucket: &BucketName) -> Holder {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let task_name = text(task.task_name());
    let is_of_archive = task_name.starts_with("archive-") && task.destination() == Some(bucket.as_str());
    Holder {
        task_id: text(task.task_id()),
        task_name,
        log_group: text(task.log_group_name()),
        bucket: text(task.destination()),
        status: status(task).to_owned(),
        since: task.execution_info().and_then(|info| info.creation_time()).and_then(|time| Millis(time).instant()),
        is_of_archive,
    }
}
