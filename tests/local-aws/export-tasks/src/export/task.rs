//! The record of an export task, and its JSON.

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::scope::Caller;

/// A validated CreateExportTask request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExportRequest {
    pub(crate) task_name: Option<String>,
    pub(crate) log_group_name: String,
    pub(crate) log_stream_name_prefix: Option<String>,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) destination: String,
    pub(crate) destination_prefix: Option<String>,
}

impl ExportRequest {
    /// The prefix of the task's files.
    pub(crate) fn data_prefix(&self) -> &str {
        self.destination_prefix.as_deref().unwrap_or("exportedlogs")
    }

    /// The object that proves write access. Without a prefix in the request, it is at the bucket's root, although the data is below the
    /// default prefix.
    pub(crate) fn test_object_key(&self) -> String {
        match &self.destination_prefix {
            Some(prefix) => format!("{prefix}/aws-logs-write-test"),
            None => "aws-logs-write-test".to_owned(),
        }
    }
}

/// The status codes of the service model, and any other code of an injected fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TaskStatus {
    Pending,
    Running,
    PendingCancel,
    Completed,
    Failed,
    Cancelled,
    Other(String),
}

impl TaskStatus {
    pub(crate) const CODES: [&'static str; 6] = ["CANCELLED", "COMPLETED", "FAILED", "PENDING", "PENDING_CANCEL", "RUNNING"];

    pub(crate) fn parse(code: &str) -> Self {
        match code {
            "PENDING" => Self::Pending,
            "RUNNING" => Self::Running,
            "PENDING_CANCEL" => Self::PendingCancel,
            "COMPLETED" => Self::Completed,
            "FAILED" => Self::Failed,
            "CANCELLED" => Self::Cancelled,
            other => Self::Other(other.to_owned()),
        }
    }

    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::PendingCancel => "PENDING_CANCEL",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Other(code) => code,
        }
    }

    /// Whether the task holds its account's slot.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::PendingCancel)
    }
}

/// The record of an export task. It is never removed.
pub(crate) struct ExportTask {
    pub(crate) task_id: String,
    pub(crate) caller: Caller,
    pub(crate) request: ExportRequest,
    pub(crate) status: TaskStatus,
    pub(crate) message: String,
    pub(crate) creation_time: i64,
    pub(crate) completion_time: Option<i64>,
    /// `true` stops the task.
    pub(crate) cancel: watch::Sender<bool>,
}

impl ExportTask {
    /// The task in DescribeExportTasks. The service model has no logStreamNamePrefix there.
    pub(crate) fn describe(&self) -> Value {
        let request = &self.request;
        let mut task = json!({
            "taskId": self.task_id,
            "logGroupName": request.log_group_name,
            "from": request.from,
            "to": request.to,
            "destination": request.destination,
            "destinationPrefix": request.data_prefix(),
            "status": { "code": self.status.code(), "message": self.message },
            "executionInfo": { "creationTime": self.creation_time },
        });
        if let Some(name) = &request.task_name {
            task["taskName"] = name.as_str().into();
        }
        if let Some(time) = self.completion_time {
            task["executionInfo"]["completionTime"] = time.into();
        }
        task
    }

    /// The task in the control endpoint, with its account, its Region and its logStreamNamePrefix.
    pub(crate) fn inspect(&self) -> Value {
        let mut task = self.describe();
        task["accountId"] = self.caller.account.as_str().into();
        task["region"] = self.caller.region.as_str().into();
        if let Some(prefix) = &self.request.log_stream_name_prefix {
            task["logStreamNamePrefix"] = prefix.as_str().into();
        }
        task
    }
}
