//! Creates the export task if the slot is free, and follows it to its end.

use archive::service_failure;
use aws_config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::{Client, config::Builder};
use chrono::{DateTime, Utc};
use export_core::{
    LogGroupName, Prefix, TaskId, Window,
    place::Stack,
    service::{FailureKind, ServiceFailure},
};

use crate::{
    failure::Failure,
    output::{Output, format_age, note},
    polling::{MAX_FAILED_POLLS, Polling, is_temporary},
    slot::{self, Holder},
};

pub struct ExportTask<'a> {
    pub logs: &'a Client,
    pub stack: &'a Stack,
    pub log_group: &'a LogGroupName,
    pub window: Window,
    pub prefix: &'a Prefix,
    pub now: DateTime<Utc>,
}

pub enum Creation {
    Created(TaskId),
    /// The message describes the task that holds the slot.
    SlotIsBusy(String),
}

pub struct TaskEnd {
    pub status: String,
    pub message: Option<String>,
}

impl ExportTask<'_> {
    /// The task's name. Runs use other names, so no run adopts the task.
    fn name(&self) -> String {
        format!("by-hand-{}", self.now.format("%Y-%m-%dT%H-%M-%S-%3fZ"))
    }

    /// Creates the task, if the slot is free. It does not wait for the slot, so that runs come first.
    pub async fn create(&self) -> Result<Creation, Failure> {
        if let Some(holder) = self.find_holder().await? {
            return Ok(Creation::SlotIsBusy(self.describe_holder(Some(&holder))));
        }
        let Window { from, to } = self.window;
        let request = self.logs.create_export_task().task_name(self.name()).log_group_name(self.log_group.as_str()).from(from.0).to(to.0);
        let request = request.destination(self.stack.bucket.as_str()).destination_prefix(self.prefix.as_str());
        // One attempt only: the SDK would retry a busy slot, and create a second task after a lost response.
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let failure = match request.customize().config_override(once).send().await {
            Ok(created) => return parse_task_id(created.task_id.as_deref()).map(Creation::Created),
            Err(error) => service_failure("CreateExportTask", &error),
        };
        let is_unknown = matches!(failure.kind(), FailureKind::NoAnswer | FailureKind::Unavailable);
        if !is_unknown && !failure.has_code("LimitExceededException") {
            return Err(Failure::of_call("logs", &failure));
        }
        match self.find_holder().await? {
            Some(holder) if holder.task_name == self.name() => parse_task_id(Some(&holder.task_id)).map(Creation::Created),
            _ if is_unknown => Err(self.creation_unknown(&failure)),
            holder => Ok(Creation::SlotIsBusy(self.describe_holder(holder.as_ref()))),
        }
    }

    async fn find_holder(&self) -> Result<Option<Holder>, Failure> {
        slot::find_holder(self.logs, &self.stack.bucket).await.map_err(|failure| Failure::of_call("logs", &failure))
    }

    fn describe_holder(&self, holder: Option<&Holder>) -> String {
        let holder = holder.map(|holder| format!("the export slot is held by {}", holder.describe(self.now)));
        holder.unwrap_or_else(|| "the export slot was held by a task that has ended since".to_owned())
    }

    fn creation_unknown(&self, failure: &ServiceFailure) -> Failure {
        Failure::Aws(format!(
            "{failure}\nWhether the task was created is unknown. Look for {} in aws logs describe-export-tasks --region {}, then repeat the \
             command.",
            self.name(),
            self.stack.region
        ))
    }

    pub async fn follow(&self, task_id: &TaskId, output: &Output) -> Result<TaskEnd, Failure> {
        let bar = output.progress_bar("{spinner} {wide_msg}");
        let (mut last_line, mut polling, mut failed_polls) = (None, Polling::start(), 0);
        loop {
            let task = match slot::find_task(self.logs, task_id.as_str()).await {
                Ok(Some(task)) => Some(task),
                Ok(None) if failed_polls < MAX_FAILED_POLLS => None,
                Ok(None) => {
                    bar.finish_and_clear();
                    return Err(Failure::Aws(format!("CloudWatch Logs does not list export task {task_id} any more: repeat the command")));
                }
                Err(failure) if failed_polls < MAX_FAILED_POLLS && is_temporary(&failure) => {
                    note(format_args!("{failure}\nThe tool continues to follow the task."));
                    None
                }
                Err(failure) => {
                    bar.finish_and_clear();
                    return Err(Failure::of_call("logs", &failure));
                }
            };
            failed_polls = if task.is_some() { 0 } else { failed_polls + 1 };
            if let Some(task) = task {
                let status = slot::status(&task).to_owned();
                if !slot::is_active(&task) {
                    bar.finish_and_clear();
                    let message = task.status.and_then(|status| status.message).filter(|message| !message.is_empty());
                    return Ok(TaskEnd { status, message });
                }
                let line = format!("{} {status}, task {task_id}", self.log_group);
                let now = Utc::now();
                bar.set_message(format!("{line}, for {}", format_age(self.now, now)));
                bar.tick();
                if last_line.as_ref() != Some(&line) {
                    if !output.draws_progress() {
                        note(format_args!("{} {line}", now.format("%H:%M:%SZ")));
                    }
                    last_line = Some(line);
                    polling.record_change();
                }
            }
            polling.wait().await;
        }
    }
}

fn parse_task_id(task_id: Option<&str>) -> Result<TaskId, Failure> {
    let task_id = task_id.unwrap_or_default();
    TaskId::parse(task_id).map_err(|fix| Failure::Aws(format!("CreateExportTask returned the task id {task_id:?}: {fix}")))
}
