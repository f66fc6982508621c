//! The one export task: created if the slot is free, and followed to its end.

use std::fmt;

use archive::service_failure;
use aws_config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::{Client, config::Builder, types::ExportTaskStatusCode};
use chrono::{DateTime, Utc};
use export_core::{
    LogGroupName, Prefix, TaskId, Window,
    place::Stack,
    service::{FailureKind, ServiceFailure},
};
use tokio::time::Instant;

use crate::{
    commands::watch::{
        follow::{FIRST_WAITS, LONGEST_WAIT, MOST_SILENT_LOOKS, SHORTEST_WAIT, is_passing},
        progress::ago,
    },
    failure::Failure,
    output::{Output, note},
    slot::{self, Holder},
};

pub struct Task<'a> {
    pub logs: &'a Client,
    pub stack: &'a Stack,
    pub log_group: &'a LogGroupName,
    pub window: Window,
    pub prefix: &'a Prefix,
    pub now: DateTime<Utc>,
}

pub enum Created {
    Task(TaskId),
    SlotIsBusy(BusySlot),
}

/// Who holds the slot; `None`: a task that has ended since.
pub struct BusySlot {
    holder: Option<Holder>,
    now: DateTime<Utc>,
}

pub struct Ended {
    pub status: String,
    pub message: Option<String>,
}

impl Task<'_> {
    /// No name of the archive, so that no run adopts it.
    fn name(&self) -> String {
        format!("by-hand-{}", self.now.format("%Y-%m-%dT%H-%M-%S-%3fZ"))
    }

    /// A run that waits for the slot has its turn first: nothing is created while the slot is held, and it is not waited for.
    pub async fn create(&self) -> Result<Created, Failure> {
        if let Some(holder) = self.holder().await? {
            return Ok(Created::SlotIsBusy(self.busy(Some(holder))));
        }
        let Window { from, to } = self.window;
        let request = self.logs.create_export_task().task_name(self.name()).log_group_name(self.log_group.as_str()).from(from.0).to(to.0);
        let request = request.destination(self.stack.bucket.as_str()).destination_prefix(self.prefix.as_str());
        // Once: the SDK would take a busy slot for throttling, and create a second task where an answer was lost.
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let failure = match request.customize().config_override(once).send().await {
            Ok(created) => return read(created.task_id.as_deref()).map(Created::Task),
            Err(error) => service_failure("CreateExportTask", &error),
        };
        let is_unknown = matches!(failure.kind(), FailureKind::NoAnswer | FailureKind::Unavailable);
        if !is_unknown && !failure.has_code("LimitExceededException") {
            return Err(Failure::of("logs", &failure));
        }
        match self.holder().await? {
            Some(own) if own.task_name == self.name() => read(Some(&own.task_id)).map(Created::Task),
            _ if is_unknown => Err(self.not_known(&failure)),
            holder => Ok(Created::SlotIsBusy(self.busy(holder))),
        }
    }

    async fn holder(&self) -> Result<Option<Holder>, Failure> {
        slot::holder(self.logs, &self.stack.bucket).await.map_err(|failure| Failure::of("logs", &failure))
    }

    fn busy(&self, holder: Option<Holder>) -> BusySlot {
        BusySlot { holder, now: self.now }
    }

    fn not_known(&self, failure: &ServiceFailure) -> Failure {
        Failure::Aws(format!(
            "{failure}\nWhether the task was created is not known. Look for {} in aws logs describe-export-tasks --region {}, then repeat \
             the command.",
            self.name(),
            self.stack.region
        ))
    }

    pub async fn follow(&self, task_id: &TaskId, output: &Output) -> Result<Ended, Failure> {
        let bar = output.bar("{spinner} {wide_msg}");
        let (mut last, mut changed, mut silent) = (None, Instant::now(), 0);
        let mut first = FIRST_WAITS.into_iter().map(std::time::Duration::from_millis);
        loop {
            let looked = slot::task(self.logs, task_id.as_str()).await;
            let status = match looked {
                Ok(Some(task)) => task.status,
                Ok(None) if silent < MOST_SILENT_LOOKS => None,
                Ok(None) => {
                    bar.finish_and_clear();
                    return Err(Failure::Aws(format!("CloudWatch Logs does not show export task {task_id} any more")));
                }
                Err(failure) if silent < MOST_SILENT_LOOKS && is_passing(&failure) => {
                    note(format_args!("{failure}\nStill following."));
                    None
                }
                Err(failure) => {
                    bar.finish_and_clear();
                    return Err(Failure::of("logs", &failure));
                }
            };
            silent = if status.is_some() { 0 } else { silent + 1 };
            if let Some((code, message)) = status.and_then(|status| Some((status.code?, status.message))) {
                if is_over(&code) {
                    bar.finish_and_clear();
                    return Ok(Ended { status: code.as_str().to_owned(), message: message.filter(|message| !message.is_empty()) });
                }
                let line = format!("{} {}, task {task_id}", self.log_group, code.as_str());
                let now = Utc::now();
                bar.set_message(format!("{line}, for {}", ago(self.now, now)));
                bar.tick();
                if last.as_ref() != Some(&line) {
                    if !output.bars() {
                        note(format_args!("{} {line}", now.format("%H:%M:%SZ")));
                    }
                    (last, changed) = (Some(line), Instant::now());
                }
            }
            let wait = first.next().unwrap_or_else(|| (changed.elapsed() / 4).clamp(SHORTEST_WAIT, LONGEST_WAIT));
            tokio::time::sleep(wait).await;
        }
    }
}

fn read(task_id: Option<&str>) -> Result<TaskId, Failure> {
    let task_id = task_id.unwrap_or_default();
    TaskId::parse(task_id).map_err(|fix| Failure::Aws(format!("CreateExportTask answered with the task id {task_id:?}: {fix}")))
}

fn is_over(status: &ExportTaskStatusCode) -> bool {
    !matches!(status, ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running | ExportTaskStatusCode::PendingCancel)
}

impl fmt::Display for BusySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Holder { task_id, log_group, status, since, is_own, .. }) = &self.holder else {
            return f.write_str("the export slot was held by a task that has ended since.");
        };
        let whose = if *is_own { "the archive's own" } else { "another tool's" };
        let since = since.map(|since| format!(" for {}", ago(since, self.now))).unwrap_or_default();
        write!(f, "the export slot is held by task {task_id} of log group {log_group}, {whose}, {status}{since}.")
    }
}
