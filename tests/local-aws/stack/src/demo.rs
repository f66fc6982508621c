//! The demo: a month of sample logs through the whole pipeline, and the proof that all of it arrived.

mod follow;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::types::ExecutionStatus;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use crate::calendar::{Month, TIMEZONE};
use crate::check::{self, Evidence};
use crate::deploy::Deployment;
use crate::execution::Execution;
use crate::progress::Progress;
use crate::samples::{MISSING_LOG_GROUP, SampleLogs};
use crate::set_up::set_up;
use crate::stack::{LocalAws, Options};

const S3_PREFIX: &str = "cloudwatch-logs";

/// How long each export task takes: short, and long enough to be seen.
const PENDING: Duration = Duration::from_millis(200);
const RUNNING: Duration = Duration::from_millis(500);

/// Runs the demo for a month. `false` when a check did not hold; the report on stdout then says which.
pub async fn run(month: Month) -> Result<bool> {
    let progress = Progress::default();
    let samples = SampleLogs::generate(month)?;
    let (local, deployment) = set_up(&progress, &Options::default()).await?;
    local.set_task_timing(PENDING, RUNNING).await?;
    load(&progress, &local, &samples).await?;
    let execution = export(&progress, &local, &deployment, &samples).await?;
    let (objects, tasks) = progress
        .step("Archive", async {
            let objects = local.read_bucket(&deployment.bucket).await?;
            let read = format!("{} objects read back", objects.len());
            Ok(((objects, local.export_tasks().await?), read))
        })
        .await?;
    let answers = query(&progress, &local, &deployment, &samples).await?;
    let output = execution.output.context("the execution has no output")?;
    let evidence = Evidence { bucket: deployment.bucket.clone(), objects, tasks, answers, output };
    let report = check::check(&samples, S3_PREFIX, &evidence)?;
    report::print(&samples, &report, progress.elapsed())?;
    Ok(report.held())
}

async fn load(progress: &Progress, local: &LocalAws, samples: &SampleLogs) -> Result<()> {
    progress
        .step("Sample logs", async {
            for group in &samples.groups {
                local.load(group).await?;
            }
            let loaded = format!(
                "{} events in {} log groups, {} of them in {}",
                HumanCount(samples.events() as u64),
                samples.groups.len(),
                HumanCount(samples.events_in_month() as u64),
                samples.month
            );
            Ok(((), loaded))
        })
        .await
}

async fn export(progress: &Progress, local: &LocalAws, deployment: &Deployment, samples: &SampleLogs) -> Result<Execution> {
    let mut names: Vec<&str> = samples.groups.iter().map(|group| group.name.as_str()).collect();
    // Asked for and not there: the run must say so rather than pass over it.
    names.push(MISSING_LOG_GROUP);
    let input = input(deployment, samples, &names);
    eprintln!("            Run for {}, one log group at a time:", samples.month);
    progress
        .step_with_own_output("Run", async {
            let arn = local.start_execution(deployment, &input).await?;
            let execution = follow::until_end(local, &arn, &names).await?;
            if execution.status != ExecutionStatus::Succeeded {
                bail!(
                    "the execution is {}: {}\n{}",
                    execution.status,
                    execution.error.as_deref().unwrap_or("no error given"),
                    execution.cause.as_deref().unwrap_or_default()
                );
            }
            let ended = format!("execution {}", execution.status);
            Ok((execution, ended))
        })
        .await
}

/// Asks Athena for the number of events of each log group.
async fn query(progress: &Progress, local: &LocalAws, deployment: &Deployment, samples: &SampleLogs) -> Result<BTreeMap<String, usize>> {
    progress
        .step("Athena", async {
            let names: Vec<String> = samples.groups.iter().map(|group| format!("'{}'", group.name)).collect();
            let sql = format!(
                "SELECT log_group, count(event_time) AS events FROM logs WHERE log_group IN ({}) AND year = {} AND month = {} GROUP BY log_group",
                names.join(", "),
                samples.month.year(),
                samples.month.month()
            );
            let answer = local.query(deployment, &sql).await?;
            let mut events = BTreeMap::new();
            for row in &answer.rows {
                let [Some(log_group), Some(count)] = row.as_slice() else { bail!("Athena answered {row:?}") };
                events.insert(log_group.clone(), count.parse().with_context(|| format!("Athena counted {count:?}"))?);
            }
            let scanned = HumanBytes(answer.scanned_bytes);
            Ok((events, format!("SELECT log_group, count(event_time) FROM logs ... GROUP BY log_group: {} rows, {scanned} scanned", answer.rows.len())))
        })
        .await
}

fn input(deployment: &Deployment, samples: &SampleLogs, names: &[&str]) -> Value {
    json!({
        "s3BucketName": deployment.bucket,
        "s3Prefix": S3_PREFIX,
        "timezone": TIMEZONE.name(),
        "month": samples.month.to_string(),
        "logGroups": names,
    })
}
