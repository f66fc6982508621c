//! Removes what a self-test created: its log groups, and their objects in the archive's bucket. Nothing else has the self-test's id.

use std::collections::BTreeSet;

use archive::{Archive, service_failure};
use aws_sdk_sfn::types::ExecutionStatus;
use export_core::{ExportError, LogGroupName};
use tokio::time::Duration;

use super::{
    direct::{CreatedTasks, MAX_INVISIBLE_POLLS},
    self_test::{LOG_GROUP_PREFIX, SelfTest},
};
use crate::{context::Context, failure::Failure, slot};

const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub struct Removal<'a> {
    pub context: &'a Context,
    pub self_test: SelfTest<'a>,
    pub archive: &'a Archive,
    pub tasks: &'a CreatedTasks,
}

/// A log group or a folder that was not removed, and why.
#[derive(Debug)]
pub struct Leftover {
    pub name: String,
    pub why: String,
}

#[derive(Debug, Default)]
pub struct RemovalResult {
    pub objects: usize,
    pub log_groups: usize,
    pub leftovers: Vec<Leftover>,
}

impl Removal<'_> {
    pub async fn remove(&self) -> Result<RemovalResult, Failure> {
        self.wait_for_run().await?;
        self.cancel_tasks().await?;
        let mut removed = RemovalResult::default();
        for folder in self.folders()? {
            self.delete_objects(&folder, &mut removed).await;
        }
        self.delete_log_groups(&mut removed).await;
        Ok(removed)
    }

    /// Waits for the end of the run, which would write new objects.
    async fn wait_for_run(&self) -> Result<(), Failure> {
        let (step_functions, execution) = (self.context.step_functions(), self.self_test.execution_arn());
        loop {
            match step_functions.describe_execution().execution_arn(&execution).send().await {
                Ok(description) if description.status == ExecutionStatus::Running => tokio::time::sleep(POLL_INTERVAL).await,
                Ok(_) => return Ok(()),
                Err(error) => {
                    let failure = service_failure("DescribeExecution", &error);
                    let is_absent = failure.has_code("ExecutionDoesNotExist");
                    return if is_absent { Ok(()) } else { Err(Failure::of_call("states", &failure)) };
                }
            }
        }
    }

    /// Cancels the tasks, which would write new objects. The tasks of an earlier self-test are known by their log groups only.
    async fn cancel_tasks(&self) -> Result<(), Failure> {
        for task_id in self.tasks.ids() {
            self.cancel(&task_id).await?;
        }
        let names = self.self_test.log_groups();
        let holder = slot::find_holder(&self.archive.logs, &self.self_test.stack.settings.bucket).await;
        let holder = holder.map_err(|failure| Failure::of_call("logs", &failure))?;
        match holder.filter(|holder| names.iter().any(|name| name.as_str() == holder.log_group)) {
            Some(holder) => self.cancel(&holder.task_id).await,
            None => Ok(()),
        }
    }

    /// Cancels a task, and waits for its end.
    async fn cancel(&self, task_id: &str) -> Result<(), Failure> {
        let (mut invisible_polls, mut is_cancelled) = (0, false);
        loop {
            let task = slot::find_task(&self.archive.logs, task_id).await.map_err(|failure| Failure::of_call("logs", &failure))?;
            match task {
                Some(task) if !slot::is_active(&task) => return Ok(()),
                None if invisible_polls == MAX_INVISIBLE_POLLS => return Ok(()),
                None => invisible_polls += 1,
                Some(_) if !is_cancelled => {
                    // A task that cannot be cancelled ends by itself.
                    let _ = self.archive.logs.cancel_export_task().task_id(task_id).send().await;
                    is_cancelled = true;
                }
                Some(_) => {}
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The folders with manifests come first, so no manifest exists without its objects.
    fn folders(&self) -> Result<Vec<String>, Failure> {
        let (stack, month) = (&self.self_test.stack.settings, self.self_test.month());
        let mut folders = Vec::new();
        for log_group in self.self_test.log_groups() {
            let place = self.self_test.place(log_group)?.hash();
            folders.extend([stack.manifests_prefix(month, &place), stack.missing_prefix(&place)]);
        }
        folders.extend([self.self_test.archived_folder(), self.self_test.direct_folder()]);
        Ok(folders)
    }

    async fn delete_objects(&self, prefix: &str, removed: &mut RemovalResult) {
        let bucket = self.self_test.stack.settings.bucket.as_str();
        let mut push_leftover = |error: ExportError| {
            removed.leftovers.push(Leftover { name: format!("s3://{bucket}/{prefix}"), why: Failure::from(error).to_string() });
        };
        let keys = match self.archive.list_keys(bucket, prefix).await {
            Ok(keys) => keys,
            Err(error) => return push_leftover(error),
        };
        for (key, _) in keys {
            // S3 would probably refuse the other objects, too.
            if let Err(error) = self.archive.delete(bucket, &key).await {
                return push_leftover(error);
            }
            removed.objects += 1;
        }
    }

    async fn delete_log_groups(&self, removed: &mut RemovalResult) {
        for log_group in self.self_test.log_groups() {
            match self.archive.logs.delete_log_group().log_group_name(log_group.as_str()).send().await {
                Ok(_) => removed.log_groups += 1,
                Err(error) => {
                    let failure = service_failure("DeleteLogGroup", &error);
                    if !failure.has_code("ResourceNotFoundException") {
                        let why = Failure::of_call("logs", &failure).to_string();
                        removed.leftovers.push(Leftover { name: format!("log group {log_group}"), why });
                    }
                }
            }
        }
    }
}

/// The ids of other self-tests whose objects or log groups still exist.
pub async fn unremoved_ids(archive: &Archive, self_test: &SelfTest<'_>) -> Result<BTreeSet<String>, Failure> {
    let stack = &self_test.stack.settings;
    let mut names: Vec<String> = Vec::new();
    let folder = LogGroupName::parse(LOG_GROUP_PREFIX).expect("letters, hyphens and slashes");
    names.extend(archive.log_groups(&folder).await?.into_iter().map(|(name, _)| name.to_string()));
    for prefix in [stack.s3_prefix.join(&format!("log_group={LOG_GROUP_PREFIX}")), stack.s3_prefix.join(&LOG_GROUP_PREFIX[1..])] {
        let keys = archive.list_keys(stack.bucket.as_str(), &prefix).await?;
        names.extend(keys.into_iter().map(|(key, _)| format!("{LOG_GROUP_PREFIX}{}", &key[prefix.len()..])));
    }
    let ids = names.iter().filter_map(|name| name.strip_prefix(LOG_GROUP_PREFIX)?.split('/').next().map(str::to_owned));
    Ok(ids.filter(|id| SelfTest::from_id(self_test.stack, id).is_ok()).collect())
}
