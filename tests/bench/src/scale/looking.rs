//! What it takes to look at an archive, by the functions themselves: memory for each log-group-month, and calls of Amazon S3 beside objects
//! that a run does not ask for.

use anyhow::{Context, Result};
use bytes::Bytes;
use export_core::Month;
use serde_json::{Map, Value, json};

use super::{PREFIX, name};
use crate::aws::{ACCOUNT, Aws, BUCKET, Contents, LOG_GROUP, REGION, Source};
use crate::by_hand::{self, Ran};
use crate::candidates::Candidates;
use crate::month;
use crate::planted;
use crate::stats::rounded;

/// How much there is to look at.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub log_groups: usize,
    pub months: usize,
    pub objects_elsewhere: usize,
}

/// Log groups of the runs whose calls are counted: more manifests than a page of a listing has.
const LOG_GROUPS_COUNTED: usize = 1_100;
/// Of the log group that these runs export.
const EVENTS: usize = 10;
/// After every window, and after the last event that could still arrive.
const CREATED_LATER: i64 = month::TO + 60 * 86_400_000;

pub async fn measure(candidates: &Candidates, sizes: Sizes) -> Result<Map<String, Value>> {
    let mut results = Map::new();
    results.insert("objects".to_owned(), count_calls(candidates, sizes.objects_elsewhere).await.context("S3 calls")?);
    results.insert("memory".to_owned(), measure_memory(candidates, sizes).context("memory")?);
    Ok(results)
}

/// Archives that differ in nothing but objects that no window of the run has.
async fn count_calls(candidates: &Candidates, objects: usize) -> Result<Value> {
    let (without, with) = (calls_beside(candidates, 0).await?, calls_beside(candidates, objects).await?);
    Ok(json!({"added": objects, "s3_calls": without, "s3_calls_beside_them": with, "calls_added": with as i64 - without as i64}))
}

async fn calls_beside(candidates: &Candidates, objects: usize) -> Result<u64> {
    let mut log_groups = vec![LOG_GROUP.to_owned()];
    log_groups.extend((0..LOG_GROUPS_COUNTED).map(name));
    let contents = Contents::log_groups(log_groups.clone(), month::CREATED, EVENTS);
    let settings = json!({"pendingMs": 0, "runningMs": 0});
    let aws = Aws::start(candidates, contents, &settings).await?;
    plant(aws.source(), &log_groups[1..], &[month::MONTH.parse()?])?;
    for index in 0..objects {
        // Objects of other log groups, of other months of the same ones, and manifests of other years.
        let key = match index % 3 {
            0 => format!("{}/log_group=/elsewhere/{index}/year=2024/month=10/task/main/000000.gz", planted::S3_PREFIX),
            1 => {
                format!("{}/log_group={}/year=2020/month=01/task/main/{index:06}.gz", planted::S3_PREFIX, name(index % LOG_GROUPS_COUNTED))
            }
            _ => format!("{}/manifests/year=2020/month=01/{index:032x}-1577804400000-1580482799999.json", planted::S3_PREFIX),
        };
        aws.source().objects().put(BUCKET, &key, Bytes::new());
    }
    let input = json!({"month": month::MONTH, "logGroups": [LOG_GROUP, {"logGroupNamePrefix": PREFIX}]});
    let Ran { output, .. } = tokio::task::block_in_place(|| by_hand::run(candidates, aws.addr(), aws.source(), input))?;
    anyhow::ensure!(output["exported"] == 1 && output["alreadyArchived"] == LOG_GROUPS_COUNTED, "the run became {output}");
    Ok(aws.source().objects().calls().values().sum())
}

/// The most that a run over so many log-group-months needs: where all are archived, and where each is decided and written down.
fn measure_memory(candidates: &Candidates, sizes: Sizes) -> Result<Value> {
    let months: Vec<Month> =
        std::iter::successors(Some(month::MONTH.parse::<Month>()?), |month| Some(month.previous())).take(sizes.months).collect();
    let since = months.last().context("no month")?;
    let log_group_months = sizes.log_groups * months.len();
    let log_groups: Vec<String> = (0..sizes.log_groups).map(name).collect();
    let input = json!({"since": since, "logGroups": [{"logGroupNamePrefix": PREFIX}]});
    let run = |created: i64, outcome: &str, plants: bool| {
        let source = Source::start(Contents::log_groups(log_groups.clone(), created, 0))?;
        if plants {
            plant(&source, &log_groups, &months)?;
        }
        let ran = tokio::task::block_in_place(|| by_hand::run(candidates, source.addr(), &source, input.clone()))?;
        month::require_outcome(&ran.output, outcome, log_group_months)?;
        anyhow::Ok(ran)
    };
    let archived = run(month::CREATED, "alreadyArchived", true)?;
    let skipped = run(CREATED_LATER, "skipped", false)?;
    Ok(json!({"log_group_months": log_group_months, "archived": used(&archived), "skipped": used(&skipped)}))
}

fn used(ran: &Ran) -> Value {
    json!({
        "plan_mib": rounded(ran.plan.peak_mib), "plan_seconds": rounded(ran.plan.first_seconds),
        "report_mib": rounded(ran.report.peak_mib), "report_seconds": rounded(ran.report.first_seconds),
    })
}

fn plant(source: &Source, log_groups: &[String], months: &[Month]) -> Result<()> {
    let stack = planted::stack(ACCOUNT, REGION, BUCKET)?;
    for name in log_groups {
        for month in months {
            for (key, body) in planted::exported(&stack, name, *month)? {
                source.objects().put(BUCKET, &key, body);
            }
        }
    }
    Ok(())
}
