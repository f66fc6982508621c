//! The cost of a comparison, measured on the functions without an engine: memory per log-group-month, and calls of Amazon S3 in a bucket with
//! many other objects.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use export_core::Month;
use serde_json::{Map, Value, json};

use super::{PREFIX, name};
use crate::aws::{ACCOUNT, Aws, BUCKET, Contents, LOG_GROUP, REGION, Source};
use crate::direct_run::{self, DirectRun};
use crate::fixtures;
use crate::month;
use crate::programs::Programs;
use crate::stats::rounded;

#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub log_groups: usize,
    pub months: usize,
    pub other_objects: usize,
}

/// The archived log groups of the runs whose calls are counted. Their manifests fill more than one page of a listing.
const ARCHIVED_LOG_GROUPS: usize = 1_100;
/// The events of the log group that these runs export.
const EVENTS: usize = 10;
/// After every window, and after the last event that could still arrive.
const CREATED_AFTER_MONTH: i64 = month::TO + 60 * 86_400_000;

pub async fn measure(programs: &Programs, sizes: Sizes) -> Result<Map<String, Value>> {
    let mut results = Map::new();
    results.insert("objects".to_owned(), compare_calls(programs, sizes.other_objects).await.context("S3 calls")?);
    results.insert("memory".to_owned(), measure_memory(programs, sizes).context("memory")?);
    Ok(results)
}

/// Counts the S3 calls of the same run in two buckets. One has other objects in addition.
async fn compare_calls(programs: &Programs, other_objects: usize) -> Result<Value> {
    let (without, with) = (count_calls(programs, 0).await?, count_calls(programs, other_objects).await?);
    Ok(json!({"added": other_objects, "s3_calls": without, "s3_calls_beside_them": with, "calls_added": with as i64 - without as i64}))
}

async fn count_calls(programs: &Programs, other_objects: usize) -> Result<u64> {
    let mut log_groups = vec![LOG_GROUP.to_owned()];
    log_groups.extend((0..ARCHIVED_LOG_GROUPS).map(name));
    let contents = Contents::log_groups(log_groups.clone(), month::CREATED, EVENTS);
    let settings = json!({"pendingMs": 0, "runningMs": 0});
    let aws = Aws::start(programs, contents, &settings).await?;
    put_exports(aws.source(), &log_groups[1..], &[month::MONTH.parse()?])?;
    for index in 0..other_objects {
        // Objects of other log groups, objects of other months, and manifests of other years.
        let key = match index % 3 {
            0 => format!("{}/log_group=/elsewhere/{index}/year=2024/month=10/task/main/000000.gz", fixtures::S3_PREFIX),
            1 => {
                let log_group = name(index % ARCHIVED_LOG_GROUPS);
                format!("{}/log_group={log_group}/year=2020/month=01/task/main/{index:06}.gz", fixtures::S3_PREFIX)
            }
            _ => format!("{}/manifests/year=2020/month=01/{index:032x}-1577804400000-1580482799999.json", fixtures::S3_PREFIX),
        };
        aws.source().objects().put(BUCKET, &key, Bytes::new());
    }
    let input = json!({"month": month::MONTH, "logGroups": [LOG_GROUP, {"logGroupNamePrefix": PREFIX}]});
    let DirectRun { output, .. } = tokio::task::block_in_place(|| direct_run::run(programs, aws.addr(), aws.source(), input))?;
    ensure!(output["exported"] == 1 && output["alreadyArchived"] == ARCHIVED_LOG_GROUPS, "the run's output is {output}");
    Ok(aws.source().objects().calls())
}

/// Measures two runs with many log-group-months. In one, all are archived. In the other, the run decides and records each.
fn measure_memory(programs: &Programs, sizes: Sizes) -> Result<Value> {
    let months: Vec<Month> =
        std::iter::successors(Some(month::MONTH.parse::<Month>()?), |month| Some(month.previous())).take(sizes.months).collect();
    let since = months.last().context("no month")?;
    let log_group_months = sizes.log_groups * months.len();
    let log_groups: Vec<String> = (0..sizes.log_groups).map(name).collect();
    let input = json!({"since": since, "logGroups": [{"logGroupNamePrefix": PREFIX}]});
    let run = |source: &Source, outcome: &str| {
        let run = tokio::task::block_in_place(|| direct_run::run(programs, source.addr(), source, input.clone()))?;
        month::require_outcome(&run.output, outcome, log_group_months)?;
        anyhow::Ok(usage(&run))
    };
    let source = Source::start(Contents::log_groups(log_groups.clone(), month::CREATED, 0))?;
    put_exports(&source, &log_groups, &months)?;
    let archived = run(&source, "alreadyArchived")?;
    let skipped = run(&Source::start(Contents::log_groups(log_groups, CREATED_AFTER_MONTH, 0))?, "skipped")?;
    Ok(json!({"log_group_months": log_group_months, "archived": archived, "skipped": skipped}))
}

fn usage(run: &DirectRun) -> Value {
    json!({
        "plan_mib": rounded(run.plan.peak_mib), "plan_seconds": rounded(run.plan.first_seconds),
        "report_mib": rounded(run.report.peak_mib), "report_seconds": rounded(run.report.first_seconds),
    })
}

fn put_exports(source: &Source, log_groups: &[String], months: &[Month]) -> Result<()> {
    let stack = fixtures::stack(ACCOUNT, REGION, BUCKET)?;
    for name in log_groups {
        for month in months {
            for (key, body) in fixtures::export_objects(&stack, name, *month)? {
                source.objects().put(BUCKET, &key, body);
            }
        }
    }
    Ok(())
}
