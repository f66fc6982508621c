//! The stand-in for the export calls by itself: events exported each second, and its peak memory as a process of its own.

use anyhow::{Context, Result, ensure};
use aws_sdk_cloudwatchlogs::types::ExportTaskStatusCode;
use serde_json::{Map, Value, json};

use crate::aws::{Aws, BUCKET, Contents, LOG_GROUP};
use crate::bars::Bar;
use crate::candidates::Candidates;
use crate::month;
use crate::stats::rounded;

pub const KEYS: [&str; 3] = ["n10k", "n100k", "n1m"];

pub async fn measure(candidates: &Candidates, sizes: [usize; 3]) -> Result<Value> {
    let mut results = Map::new();
    for (key, size) in KEYS.iter().zip(sizes) {
        results.insert((*key).to_owned(), export(candidates, size).await.with_context(|| format!("{size} events"))?);
    }
    let peak = |key: &str| results[key]["peak_rss_mib"].as_f64().with_context(|| format!("{key} has no peak"));
    // The fewest events fill no page; from there on memory must not grow.
    let growth = peak(KEYS[2])? / peak(KEYS[1])?;
    results.insert("memory_n1m_vs_n100k".to_owned(), rounded(growth));
    Ok(Value::Object(results))
}

pub const BARS: [(&str, Bar); 1] = [("stand_in.memory_n1m_vs_n100k", Bar::AtMost(1.3))];

/// Compressed; a stream of 1,000 events fills one.
const MAX_FILE_BYTES: usize = 16 * 1024;

async fn export(candidates: &Candidates, events: usize) -> Result<Value> {
    // Files of one size for all: otherwise memory would tell how far the largest has come to the usual 8 MiB.
    let aws =
        Aws::start(candidates, Contents::one_log_group(events), &json!({"pendingMs": 0, "runningMs": 0, "maxFileBytes": MAX_FILE_BYTES}))
            .await?;
    let create = aws.logs().create_export_task().log_group_name(LOG_GROUP).from(month::FROM).to(month::TO).destination(BUCKET);
    let task_id = create.send().await.context("no task was created")?.task_id.context("a task without id")?;
    let task = aws.task_after(&task_id, &[ExportTaskStatusCode::Pending, ExportTaskStatusCode::Running]).await?;
    let code = task.status().and_then(|status| status.code());
    ensure!(code == Some(&ExportTaskStatusCode::Completed), "the task ended as {code:?}");
    let info = task.execution_info().context("a task without times")?;
    let millis = info.completion_time().zip(info.creation_time()).map(|(end, start)| end - start).context("a task without times")?;
    let seconds = millis as f64 / 1000.0;
    let peak = aws.peak_rss_mib()?;
    let written = aws.source().written_lines()?;
    ensure!(written == events, "{written} of {events} events were written");
    Ok(json!({
        "events": events,
        "seconds": rounded(seconds),
        "events_per_second": rounded(events as f64 / seconds),
        "peak_rss_mib": rounded(peak),
    }))
}
