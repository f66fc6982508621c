//! The account's one export slot in a Region: which task holds it, and how a task is doing.

use archive::service_failure;
use aws_sdk_cloudwatchlogs::{
    Client,
    types::{ExportTask, ExportTaskStatusCode},
};
use chrono::{DateTime, Utc};
use export_core::{BucketName, service::ServiceFailure, time::Millis};

/// The task that holds the slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub task_id: String,
    pub task_name: String,
    pub log_group: String,
    /// The bucket that it writes to.
    pub destination: String,
    pub status: String,
    pub since: Option<DateTime<Utc>>,
    /// It writes to the archive's bucket, under a name that only the archive gives.
    pub is_own: bool,
}

/// Tasks come with the newest first, and none is created while another holds the slot. A page may be empty and not be the last.
pub async fn holder(logs: &Client, bucket: &BucketName) -> Result<Option<Holder>, ServiceFailure> {
    let mut token = None;
    loop {
        let page = logs.describe_export_tasks().limit(5).set_next_token(token).send().await;
        let page = page.map_err(|error| service_failure("DescribeExportTasks", &error))?;
        token = page.next_token;
        let tasks = page.export_tasks.unwrap_or_default();
        if !tasks.is_empty() || token.is_none() {
            return Ok(tasks.iter().find_map(|task| held_by(task, bucket)));
        }
    }
}

/// `None`: CloudWatch Logs does not show the task, as in the second after it was created.
pub async fn task(logs: &Client, task_id: &str) -> Result<Option<ExportTask>, ServiceFailure> {
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

fn held_by(task: &ExportTask, bucket: &BucketName) -> Option<Holder> {
    let status = task.status()?.code()?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let task_name = text(task.task_name());
    let is_own = task_name.starts_with("archive-") && task.destination() == Some(bucket.as_str());
    matches!(status, ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running | ExportTaskStatusCode::PendingCancel).then(|| Holder {
        task_id: text(task.task_id()),
        task_name,
        log_group: text(task.log_group_name()),
        destination: text(task.destination()),
        status: status.as_str().to_owned(),
        since: task.execution_info().and_then(|info| info.creation_time()).and_then(|time| Millis(time).instant()),
        is_own,
    })
}
