//! The demo: a month of sample logs through the whole pipeline, and the proof that all of it arrived. Then an object is removed from the
//! archive, and the next run repairs that.

mod follow;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::types::ExecutionStatus;
use chrono::Utc;
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use crate::calendar::{Month, TIMEZONE};
use crate::check::{self, Damaged, Evidence};
use crate::deploy::Deployment;
use crate::execution::Execution;
use crate::progress::Progress;
use crate::samples::{MISSING_LOG_GROUP, SampleLogs};
use crate::set_up::set_up;
use crate::stack::{LocalAws, Options};
use crate::stored_objects::StoredObject;

const S3_PREFIX: &str = "cloudwatch-logs";

/// Whose archive loses an object; it has several.
const DAMAGED_LOG_GROUP: &str = "/ecs/web";

/// How long each export task takes: short, and long enough to be seen.
const PENDING: Duration = Duration::from_millis(200);
const RUNNING: Duration = Duration::from_millis(500);

/// Runs the demo for a month. `false` when a check did not hold; the report on stdout then says which.
pub async fn run(month: Month) -> Result<(LocalAws, bool)> {
    let progress = Progress::default();
    let samples = SampleLogs::generate(month)?;
    let (local, stack) = set_up(&progress, &Options::default()).await?;
    local.set_task_timing(PENDING, RUNNING).await?;
    let demo = Demo { progress, samples, local, stack };
    demo.load().await?;
    let before = demo.evidence_of_run("Run", None).await?;
    let archived = check::check(&demo.samples, S3_PREFIX, None, &before)?;
    report::print(&report::of_archive(&demo.samples, &before, &archived))?;
    if !archived.passed() {
        return Ok((demo.local, false));
    }
    let damaged = demo.damage(before).await?;
    let after = demo.evidence_of_run("Next run", Some(&damaged)).await?;
    let repaired = check::check(&demo.samples, S3_PREFIX, Some(&damaged), &after)?;
    report::print(&report::of_repair(&damaged, &after, &repaired, demo.progress.elapsed()))?;
    Ok((demo.local, repaired.passed()))
}

struct Demo {
    progress: Progress,
    samples: SampleLogs,
    local: LocalAws,
    stack: Deployment,
}

impl Demo {
    async fn load(&self) -> Result<()> {
        let samples = &self.samples;
        let load = async {
            for group in &samples.groups {
                self.local.load(group).await?;
            }
            let (events, in_month) = (HumanCount(samples.events() as u64), HumanCount(samples.events_in_month() as u64));
            Ok(((), format!("{events} events in {} log groups, {in_month} of them in {}", samples.groups.len(), samples.month)))
        };
        self.progress.step("Sample logs", load).await
    }

    /// Runs the workflow, and looks at everything there is afterwards.
    async fn evidence_of_run(&self, name: &str, damaged: Option<&Damaged>) -> Result<Evidence> {
        let started = Utc::now().timestamp_millis();
        let execution = self.export(name, damaged).await?;
        let read = async {
            let (objects, tasks) = (self.local.read_bucket(&self.stack.bucket).await?, self.local.export_tasks().await?);
            let read = format!("{} objects read back", objects.len());
            Ok(((objects, tasks), read))
        };
        let (objects, tasks) = self.progress.step("Archive", read).await?;
        let athena_counts = self.query().await?;
        let output = execution.output.context("the execution has no output")?;
        Ok(Evidence { bucket: self.stack.bucket.clone(), objects, tasks, athena_counts, execution_arn: execution.arn, output, started })
    }

    async fn export(&self, name: &str, damaged: Option<&Damaged>) -> Result<Execution> {
        let mut names: Vec<&str> = self.samples.groups.iter().map(|group| group.name.as_str()).collect();
        // Asked for and not there: the run must say so rather than pass over it.
        names.push(MISSING_LOG_GROUP);
        let input = json!({
            "s3BucketName": self.stack.bucket,
            "s3Prefix": S3_PREFIX,
            "timezone": TIMEZONE.name(),
            "month": self.samples.month.to_string(),
            "logGroups": names,
        });
        eprintln!("            {name} for {}, one log group at a time:", self.samples.month);
        let run = async {
            let arn = self.local.start_execution(&self.stack, &input).await?;
            let earlier = damaged.map_or(&[][..], |damaged| &damaged.before.tasks);
            let execution = follow::until_end(&self.local, &self.stack, &arn, &names, earlier).await?;
            if execution.status != ExecutionStatus::Succeeded {
                let (error, cause) = (execution.error.as_deref().unwrap_or("no error given"), execution.cause.unwrap_or_default());
                bail!("the execution is {}: {error}\n{cause}", execution.status);
            }
            let ended = format!("execution {}", execution.status);
            Ok((execution, ended))
        };
        self.progress.step_with_own_output(name, run).await
    }

    /// Asks Athena for the number of events of each log group.
    async fn query(&self) -> Result<BTreeMap<String, usize>> {
        let samples = &self.samples;
        let names: Vec<String> = samples.groups.iter().map(|group| format!("'{}'", group.name)).collect();
        let sql = format!(
            "SELECT log_group, count(event_time) AS events FROM logs WHERE log_group IN ({}) AND year = {} AND month = {} GROUP BY log_group",
            names.join(", "),
            samples.month.year(),
            samples.month.month()
        );
        let query = async {
            let answer = self.local.query(&self.stack, &sql).await?;
            let mut events = BTreeMap::new();
            for row in &answer.rows {
                let [Some(log_group), Some(count)] = row.as_slice() else { bail!("Athena answered {row:?}") };
                events.insert(log_group.clone(), count.parse().with_context(|| format!("Athena counted {count:?}"))?);
            }
            let (rows, scanned) = (answer.rows.len(), HumanBytes(answer.scanned_bytes));
            Ok((events, format!("SELECT log_group, count(event_time) FROM logs ... GROUP BY log_group: {rows} rows, {scanned} scanned")))
        };
        self.progress.step("Athena", query).await
    }

    /// Removes the first of the damaged log group's objects, as a person with access to the bucket can.
    async fn damage(&self, before: Evidence) -> Result<Damaged> {
        let place = format!("/log_group={DAMAGED_LOG_GROUP}/");
        let is_data = |object: &&StoredObject| object.key.contains(&place) && object.key.ends_with(".gz");
        let removed = before.objects.iter().find(is_data).context("there is no object to remove")?.clone();
        let remove = async {
            self.local.delete_object(&before.bucket, &removed.key).await?;
            Ok(((), format!("one object of {DAMAGED_LOG_GROUP} is removed from the archive")))
        };
        self.progress.step("Damage", remove).await?;
        Ok(Damaged { before, log_group_name: DAMAGED_LOG_GROUP.to_owned(), removed })
    }
}
