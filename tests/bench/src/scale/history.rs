//! Events and payloads of the run's own history, which AWS limits: 25,000 events, and 262,144 bytes a payload.

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use local_aws::{DeployOptions, Deployment, Engine, LocalAws, Options};
use serde_json::{Value, json};

use super::{name, timed};
use crate::archive;
use crate::memory::peak_rss_mib;
use crate::month;
use crate::stats::rounded;

/// Calls under way at once.
const AT_ONCE: usize = 16;

/// Exports so many log groups, adds archived ones to `archived` in all, and looks at those.
pub async fn count(exported: usize, archived: usize) -> Result<Value> {
    let local = LocalAws::start(&Options { engine: Engine::Moto, wait_scale: 0.0, ..Options::default() }).await?;
    let stack = local.deploy(&DeployOptions::default()).await?;
    local.set_task_timing(super::TASK, super::TASK).await?;
    for index in 0..exported {
        month::load(&local, &name(index)).await?;
    }
    let of_exports = figures(&local, &stack, "exported", exported).await?;
    plant(&local, &stack, exported..archived).await?;
    let of_archived = figures(&local, &stack, "alreadyArchived", archived).await?;
    let moto = local.moto().context("the second engine does not run")?;
    Ok(json!({"exported": of_exports, "archived": of_archived, "moto_peak_rss_mib": rounded(peak_rss_mib(moto.pid())?)}))
}

async fn figures(local: &LocalAws, stack: &Deployment, outcome: &str, log_groups: usize) -> Result<Value> {
    let (arn, seconds) = timed(local, stack, outcome, log_groups).await?;
    let history = local.history(&arn).await?;
    let states = history.events.iter().filter(|event| event.state_entered_event_details().is_some()).count();
    let retries = history.count(&aws_sdk_sfn::types::HistoryEventType::TaskFailed);
    let largest = history.largest_payload().context("a history without a payload")?;
    Ok(json!({
        "log_groups": log_groups,
        "seconds": rounded(seconds),
        "events": history.events.len(),
        "transitions": states + retries,
        "largest_payload_bytes": largest.bytes,
    }))
}

/// Log groups whose month is archived.
async fn plant(local: &LocalAws, deployment: &Deployment, log_groups: std::ops::Range<usize>) -> Result<()> {
    let (logs, s3) = (aws_sdk_cloudwatchlogs::Client::new(&local.sdk_config()), archive::s3_client(local));
    let stack = archive::stack(local.account_id(), local.region(), &deployment.bucket)?;
    let month = month::MONTH.parse()?;
    let planted = log_groups.map(|index| {
        let (logs, s3, stack) = (&logs, &s3, &stack);
        async move {
            logs.create_log_group().log_group_name(name(index)).send().await?;
            for (key, body) in archive::exported(stack, &name(index), month)? {
                s3.put_object().bucket(stack.bucket.as_str()).key(key).body(body.into()).send().await?;
            }
            anyhow::Ok(())
        }
    });
    stream::iter(planted).buffer_unordered(AT_ONCE).try_collect().await
}
