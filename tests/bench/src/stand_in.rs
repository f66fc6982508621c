//! The stand-in for the export calls, as a separate process: exported events per second, and peak memory.

use anyhow::{Context, Result, ensure};
use aws_sdk_cloudwatchlogs::types::ExportTaskStatusCode;
use serde_json::{Map, Value, json};

use crate::aws::{Aws, BUCKET, Contents, LOG_GROUP};
use crate::bars::Bar;
use crate::month;
use crate::programs::Programs;
use crate::stats::rounded;

pub const KEYS: [&str; 3] = ["n10k", "n100k", "n1m"];

pub async fn measure(programs: &Programs, sizes: [usize; 3]) -> Result<Value> {
    let mut results = Map::new();
    for (key, size) in KEYS.iter().zip(sizes) {
        results.insert((*key).to_owned(), export(programs, size).await.with_context(|| format!("{size} events"))?);
    }
    let peak = |key: &str| results[key]["peak_rss_mib"].as_f64().with_context(|| format!("{key} has no peak"));
    // The smallest size fills no page, so the comparison begins with the second.
    let growth = peak(KEYS[2])? / peak(KEYS[1])?;
    results.insert("memory_n1m_vs_n100k".to_owned(), rounded(growth));
    Ok(Value::Object(results))
}

pub const BARS: [(&str, Bar); 1] = [("stand_in.memory_n1m_vs_n100k", Bar::AtMost(1.3))];

/// The stand-in holds one file in memory. With the default of 8 MiB, only the largest size would fill one, and memory would grow with the
/// size. A stream of 1,000 events fills a file of this size.
const MAX_FILE_BYTES: usize = 16 * 1024;

async fn export(programs: &Programs, events: usize) -> Result<Value> {
    let settings = json!({"pendingMs": 0, "runningMs": 0, "maxFileBytes": MAX_FILE_BYTES});
    let aws = Aws::start(programs, Contents::one_log_group(events), &settings).await?;
    let create = aws.logs().create_export_task().log_group_name(LOG_GROUP).from(month::FROM).to(month::TO).destination(BUCKET);
    let task_id = create.send().await.context("no task was created")?.task_id.context("a task without id")?;
    let task = aws.wait_for_task(&task_id, &[ExportTaskStatusCode::Pending, ExportTaskStatusCode::Running]).await?;
    let code = task.status().and_then(|status| status.code());
    ensure!(code == Some(&ExportTaskStatusCode::Completed), "the task ended as {code:?}");
    let info = task.execution_info().context("a task without times")?;
    let millis = info.completion_time().zip(info.creation_time()).map(|(end, start)| end - start).context("a task without times")?;
    let seconds = millis as f64 / 1000.0;
    let peak = aws.peak_rss_mib()?;
    let exported = aws.source().count_lines()?;
    ensure!(exported == events, "{exported} of {events} events were exported");
    Ok(json!({
        "events": events,
        "seconds": rounded(seconds),
        "events_per_second": rounded(events as f64 / seconds),
        "peak_rss_mib": rounded(peak),
    }))
}
