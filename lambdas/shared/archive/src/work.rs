//! What a run keeps in the work bucket from step to step, below `plans/<execution>/`. `plan-exports` writes it; `report-archive` reads it.

use export_core::{
    ErrorName, ExecutionArn, ExportError, Month,
    contract::plan::{Decided, Folder, Item, Next, Object, Plan, Run, folder},
    decide::LogGroup,
    entry::Source,
    missing::Memory,
    planner::{Group, Progress},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Archive,
    objects::{Permissions, json},
};

const READ: Permissions = "s3:GetObject and s3:ListBucket on plans/";
const WRITE: Permissions = "s3:PutObject on plans/";

/// One run's folder.
pub struct Work<'a> {
    archive: &'a Archive,
    bucket: &'a str,
    execution: &'a ExecutionArn,
}

/// What a step begins with.
pub struct Step {
    pub run: Run,
    pub groups: Vec<Group>,
    pub memory: Memory,
    pub progress: Progress,
}

impl<'a> Work<'a> {
    pub fn new(archive: &'a Archive, bucket: &'a str, execution: &'a ExecutionArn) -> Self {
        Self { archive, bucket, execution }
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", folder(self.execution))
    }

    fn key_of_step(&self, sequence: u32, name: &str) -> String {
        self.key(&format!("{sequence:04}/{name}"))
    }

    /// A step that a state refers to and that is not there: somebody removed it, or the state is no plan's.
    async fn read<T: DeserializeOwned>(&self, key: String) -> Result<T, ExportError> {
        let value = self.archive.read_json(self.bucket, &key, READ).await?;
        value.ok_or_else(|| {
            let message =
                format!("plan is not a known field of a run's input, and no plan of this run lies at {key} of bucket {}", self.bucket);
            ExportError::new(ErrorName::InvalidInput, message)
        })
    }

    async fn write(&self, key: String, value: &impl Serialize) -> Result<(), ExportError> {
        self.archive.write_json(self.bucket, &key, value, WRITE).await
    }

    /// What the first step fixes: once, also where it is called twice, because later steps count in these lists.
    pub async fn fix_run(&self, run: Run, groups: Vec<Group>, memory: Memory) -> Result<Step, ExportError> {
        let listed: Vec<(&Source, &LogGroup)> = groups.iter().map(|group| (&group.source, &group.log_group)).collect();
        let is_first = self.write_once(self.key("log-groups.json"), &listed).await?;
        let groups = if is_first { groups } else { self.read_groups().await? };
        let is_first = self.write_once(self.key("memory.json"), &memory).await?;
        let memory = if is_first { memory } else { self.read_memory().await? };
        let is_first = self.write_once(self.key("run.json"), &run).await?;
        let run = if is_first { run } else { self.read_run().await? };
        Ok(Step { run, groups, memory, progress: Progress::default() })
    }

    /// False where it is there already.
    async fn write_once(&self, key: String, value: &impl Serialize) -> Result<bool, ExportError> {
        Ok(self.archive.write_if_unchanged(self.bucket, &key, json(&key, value)?, None, WRITE).await?.is_some())
    }

    pub async fn read_run(&self) -> Result<Run, ExportError> {
        self.read(self.key("run.json")).await
    }

    pub async fn read_progress(&self, sequence: u32) -> Result<Progress, ExportError> {
        self.read(self.key_of_step(sequence, "progress.json")).await
    }

    /// The end of step `sequence`, which the next one begins with.
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

    /// What a run has decided up to a step.
    pub async fn read_decided(&self, sequence: u32) -> Result<Vec<Decided>, ExportError> {
        let mut decided = Vec::new();
        for sequence in 1..=sequence {
            decided.extend(self.read::<Vec<Decided>>(self.key_of_step(sequence, "decided.json")).await?);
        }
        Ok(decided)
    }

    /// Writes a step; its progress last, so that a step that is read is whole.
    pub async fn write_step(
        &self,
        sequence: u32,
        next: Next,
        compact: Vec<Month>,
        items: &[Item],
        decided: &[Decided],
        progress: &Progress,
    ) -> Result<Plan, ExportError> {
        let items_key = self.key_of_step(sequence, "windows.json");
        self.write(items_key.clone(), &items).await?;
        self.write(self.key_of_step(sequence, "decided.json"), &decided).await?;
        self.write(self.key_of_step(sequence, "progress.json"), progress).await?;
        Ok(Plan {
            sequence,
            next,
            items: Object { bucket: self.bucket.to_owned(), key: items_key },
            results: Folder { bucket: self.bucket.to_owned(), prefix: self.key_of_step(sequence, "results") },
            compact,
        })
    }

    /// An object that Step Functions wrote; `None` where there is none.
    pub async fn read_result<T: DeserializeOwned>(&self, bucket: &str, key: &str) -> Result<Option<T>, ExportError> {
        self.archive.read_json(bucket, key, READ).await
    }
}
