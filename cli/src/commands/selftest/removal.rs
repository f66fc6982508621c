//! Removes what a self-test created: its log groups, and what lies in the archive's bucket of them. Nothing else bears its id.

use std::collections::BTreeSet;

use archive::{Archive, service_failure};
use aws_sdk_sfn::types::ExecutionStatus;
use export_core::{ExportError, LogGroupName};
use tokio::time::Duration;

use super::{
    direct::{CreatedTasks, MOST_INVISIBLE, is_active},
    trial::{FOLDER, Trial},
};
use crate::{context::Context, failure::Failure, slot};

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

pub struct Removal<'a> {
    pub context: &'a Context,
    pub trial: Trial<'a>,
    pub archive: &'a Archive,
    pub tasks: &'a CreatedTasks,
}

/// What stays, and why.
#[derive(Debug)]
pub struct Remainder {
    pub what: String,
    pub why: String,
}

#[derive(Debug, Default)]
pub struct Removed {
    pub objects: usize,
    pub log_groups: usize,
    pub remainders: Vec<Remainder>,
}

impl Removal<'_> {
    pub async fn remove(&self) -> Result<Removed, Failure> {
        self.wait_for_run().await?;
        self.cancel_tasks().await?;
        let mut removed = Removed::default();
        for folder in self.folders()? {
            self.empty(&folder, &mut removed).await;
        }
        self.delete_log_groups(&mut removed).await;
        Ok(removed)
    }

    /// A run that goes on would write again what is removed.
    async fn wait_for_run(&self) -> Result<(), Failure> {
        let (step_functions, execution) = (self.context.step_functions(), self.trial.execution_arn());
        loop {
            match step_functions.describe_execution().execution_arn(&execution).send().await {
                Ok(described) if described.status == ExecutionStatus::Running => tokio::time::sleep(BETWEEN_LOOKS).await,
                Ok(_) => return Ok(()),
                Err(error) => {
                    let failure = service_failure("DescribeExecution", &error);
                    let is_absent = failure.has_code("ExecutionDoesNotExist");
                    return if is_absent { Ok(()) } else { Err(Failure::of("states", &failure)) };
                }
            }
        }
    }

    /// So does a task. Those of an earlier self-test are known by their log groups only.
    async fn cancel_tasks(&self) -> Result<(), Failure> {
        for task_id in self.tasks.ids() {
            self.cancel(&task_id).await?;
        }
        let names = self.trial.log_groups();
        let holder = slot::holder(&self.archive.logs, &self.trial.stack.stack.bucket).await;
        let holder = holder.map_err(|failure| Failure::of("logs", &failure))?;
        match holder.filter(|holder| names.iter().any(|name| name.as_str() == holder.log_group)) {
            Some(holder) => self.cancel(&holder.task_id).await,
            None => Ok(()),
        }
    }

    /// Until the task has ended.
    async fn cancel(&self, task_id: &str) -> Result<(), Failure> {
        let (mut invisible, mut is_cancelled) = (0, false);
        loop {
            let task = slot::task(&self.archive.logs, task_id).await.map_err(|failure| Failure::of("logs", &failure))?;
            match task {
                Some(task) if !is_active(&task) => return Ok(()),
                None if invisible == MOST_INVISIBLE => return Ok(()),
                None => invisible += 1,
                Some(_) if !is_cancelled => {
                    // What cannot be cancelled ends by itself.
                    let _ = self.archive.logs.cancel_export_task().task_id(task_id).send().await;
                    is_cancelled = true;
                }
                Some(_) => {}
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Manifests first: until the objects are gone, nobody finds a manifest without its objects.
    fn folders(&self) -> Result<Vec<String>, Failure> {
        let (stack, month) = (&self.trial.stack.stack, self.trial.month());
        let mut folders = Vec::new();
        for log_group in self.trial.log_groups() {
            let place = self.trial.place(log_group)?.hash();
            folders.extend([stack.manifests_prefix(month, &place), stack.missing_prefix(&place)]);
        }
        folders.extend([self.trial.archived_folder(), self.trial.direct_folder()]);
        Ok(folders)
    }

    async fn empty(&self, prefix: &str, removed: &mut Removed) {
        let bucket = self.trial.stack.stack.bucket.as_str();
        let mut remains = |error: ExportError| {
            removed.remainders.push(Remainder { what: format!("s3://{bucket}/{prefix}"), why: Failure::from(error).to_string() });
        };
        let keys = match self.archive.list_keys(bucket, prefix).await {
            Ok(keys) => keys,
            Err(error) => return remains(error),
        };
        for (key, _) in keys {
            // The next one would be refused as well.
            if let Err(error) = self.archive.delete(bucket, &key).await {
                return remains(error);
            }
            removed.objects += 1;
        }
    }

    async fn delete_log_groups(&self, removed: &mut Removed) {
        for log_group in self.trial.log_groups() {
            match self.archive.logs.delete_log_group().log_group_name(log_group.as_str()).send().await {
                Ok(_) => removed.log_groups += 1,
                Err(error) => {
                    let failure = service_failure("DeleteLogGroup", &error);
                    if !failure.has_code("ResourceNotFoundException") {
                        let why = Failure::of("logs", &failure).to_string();
                        removed.remainders.push(Remainder { what: format!("log group {log_group}"), why });
                    }
                }
            }
        }
    }
}

/// The ids of other self-tests that have left something.
pub async fn left_by_others(archive: &Archive, trial: &Trial<'_>) -> Result<BTreeSet<String>, Failure> {
    let stack = &trial.stack.stack;
    let mut names: Vec<String> = Vec::new();
    let folder = LogGroupName::parse(FOLDER).expect("letters, hyphens and slashes");
    names.extend(archive.log_groups(&folder).await?.into_iter().map(|(name, _)| name.to_string()));
    for prefix in [stack.s3_prefix.join(&format!("log_group={FOLDER}")), stack.s3_prefix.join(&FOLDER[1..])] {
        let keys = archive.list_keys(stack.bucket.as_str(), &prefix).await?;
        names.extend(keys.into_iter().map(|(key, _)| format!("{FOLDER}{}", &key[prefix.len()..])));
    }
    let ids = names.iter().filter_map(|name| name.strip_prefix(FOLDER)?.split('/').next().map(str::to_owned));
    Ok(ids.filter(|id| Trial::named(trial.stack, id).is_ok()).collect())
}
