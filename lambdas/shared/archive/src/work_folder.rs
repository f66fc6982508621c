//! The state of a run in the work bucket, below `plans/<execution>/`. Each call of `plan-exports` is a step and writes its state.
//! `report-archive` reads it.

use export_core::{
    ErrorName, ExecutionArn, ExportError, Month,
    contract::plan::{DecidedWindow, Item, Next, Plan, Run, S3Folder, S3Object, work_folder},
    decide::LogGroup,
    entry::Source,
    missing::Memory,
    planner::{Group, Progress},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Archive, objects::to_json};

/// The folder of one run.
pub struct WorkFolder<'a> {
    archive: &'a Archive,
    bucket: &'a str,
    execution: &'a ExecutionArn,
}

/// The state with which a step begins.
pub struct Step {
    pub run: Run,
    pub groups: Vec<Group>,
    pub memory: Memory,
    pub progress: Progress,
}

impl<'a> WorkFolder<'a> {
    pub fn new(archive: &'a Archive, bucket: &'a str, execution: &'a ExecutionArn) -> Self {
        Self { archive, bucket, execution }
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", work_folder(self.execution))
    }

    fn step_key(&self, sequence: u32, name: &str) -> String {
        self.key(&format!("{sequence:04}/{name}"))
    }

    /// If the object does not exist, somebody removed it, or the state was not made by a plan.
    async fn read<T: DeserializeOwned>(&self, key: String) -> Result<T, ExportError> {
        let value = self.archive.read_json(self.bucket, &key).await?;
        value.ok_or_else(|| {
            let message =
                format!("plan is not a known field of a run's input, and bucket {} has no plan of this run at {key}", self.bucket);
            ExportError::new(ErrorName::InvalidInput, message)
        })
    }

    async fn write(&self, key: String, value: &impl Serialize) -> Result<(), ExportError> {
        self.archive.write_json(self.bucket, &key, value).await
    }

    /// Fixes the facts of a run. If the first step is repeated, the facts of the first call count, because later steps use indexes in them.
    pub async fn record_run(&self, run: Run, groups: Vec<Group>, memory: Memory) -> Result<Step, ExportError> {
        let listed: Vec<(&Source, &LogGroup)> = groups.iter().map(|group| (&group.source, &group.log_group)).collect();
        let is_first = self.write_once(self.key("log-groups.json"), &listed).await?;
        let groups = if is_first { groups } else { self.read_groups().await? };
        let is_first = self.write_once(self.key("memory.json"), &memory).await?;
        let memory = if is_first { memory } else { self.read_memory().await? };
        let is_first = self.write_once(self.key("run.json"), &run).await?;
        let run = if is_first { run } else { self.read_run().await? };
        Ok(Step { run, groups, memory, progress: Progress::default() })
    }

    /// `false`: the object exists already.
    async fn write_once(&self, key: String, value: &impl Serialize) -> Result<bool, ExportError> {
        Ok(self.archive.write_if_unchanged(self.bucket, &key, to_json(&key, value)?, None).await?.is_some())
    }

    pub async fn read_run(&self) -> Result<Run, ExportError> {
        self.read(self.key("run.json")).await
    }

    pub async fn read_progress(&self, sequence: u32) -> Result<Progress, ExportError> {
        self.read(self.step_key(sequence, "progress.json")).await
    }

    /// The end of step `sequence`, with which the next step begins.
    pub async fn read_step(&self, sequence: u32) -> Result<Step, ExportError> {
        let progress = self.read_progress(sequence).await?;
        Ok(Step { run: self.read_run().await?, groups: self.read_groups().await?, memory: self.read_memory().await?, progress })
    }

    async fn read_memory(&self) -> Result<Memory, ExportError> {
        self.read(self.key("memory.json")).await
    }

    async fn read_groups(&self) -> Result<Vec<Group>, ExportError> {
        let groups: Vec<(Source, LogGroup)> = self.read(self.key("log-groups.json")).await?;
        let group = |(source, log_group): (Source, LogGroup)| {
            let place = source.place(&self.archive.stack).map_err(|problem| ExportError::new(ErrorName::InvalidInput, problem))?;
            Ok(Group { source, place, log_group })
        };
        groups.into_iter().map(group).collect()
    }

    /// Everything that a run has decided up to a step.
    pub async fn read_decided(&self, sequence: u32) -> Result<Vec<DecidedWindow>, ExportError> {
        let mut decided = Vec::new();
        for sequence in 1..=sequence {
            decided.extend(self.read::<Vec<DecidedWindow>>(self.step_key(sequence, "decided.json")).await?);
        }
        Ok(decided)
    }

    /// Writes a step. Its progress is last, so that a step with progress is complete.
    pub async fn write_step(
        &self,
        sequence: u32,
        next: Next,
        compact: Vec<Month>,
        items: &[Item],
        decided: &[DecidedWindow],
        progress: &Progress,
    ) -> Result<Plan, ExportError> {
        let items_key = self.step_key(sequence, "windows.json");
        self.write(items_key.clone(), &items).await?;
        self.write(self.step_key(sequence, "decided.json"), &decided).await?;
        self.write(self.step_key(sequence, "progress.json"), progress).await?;
        Ok(Plan {
            sequence,
            next,
            items: S3Object { bucket: self.bucket.to_owned(), key: items_key },
            results: S3Folder { bucket: self.bucket.to_owned(), prefix: self.step_key(sequence, "results") },
            compact,
        })
    }

    /// An object that Step Functions wrote. `None`: it does not exist.
    pub async fn read_result<T: DeserializeOwned>(&self, bucket: &str, key: &str) -> Result<Option<T>, ExportError> {
        self.archive.read_json(bucket, key).await
    }
}
