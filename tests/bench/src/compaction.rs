//! The savings of compaction: `tests/bench/compaction` measures the same queries on gz objects and on Parquet.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use local_aws::venv;
use local_aws::workspace::root;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::stats::rounded;

const PROGRAM: &str = "tests/bench/compaction/benchmark.py";

pub const QUERIES: [&str; 4] = ["errors_per_day", "full_text_search", "one_hour_events", "events_per_day"];

pub async fn measure(gz_objects: usize) -> Result<Value> {
    let month = tempfile::tempdir_in(root().join("target")).context("cannot create a folder for the month")?;
    let mut command = Command::new(venv::python(&venv::MINISTACK).await?);
    command.current_dir(root()).args(["-B", PROGRAM]).arg(month.path()).arg(gz_objects.to_string()).stdin(Stdio::null());
    let run = command.kill_on_drop(true).output().await.with_context(|| format!("cannot run {PROGRAM}"))?;
    ensure!(run.status.success(), "{PROGRAM} failed.\n{}", String::from_utf8_lossy(&run.stderr));
    figures(&serde_json::from_slice(&run.stdout).with_context(|| format!("the results of {PROGRAM} are not JSON"))?)
}

fn figures(results: &Value) -> Result<Value> {
    let month = &results["month"];
    let mut queries = Map::new();
    for query in results["queries"].as_array().context("results without queries")? {
        let layouts = query["layouts"].as_object().context("a query without layouts")?;
        let layouts = layouts.iter().map(|(name, result)| Ok((key(name), layout(result)?))).collect::<Result<Map<_, _>>>()?;
        queries.insert(key(query["name"].as_str().context("a query without a name")?), Value::Object(layouts));
    }
    Ok(json!({
        "objects": month["objects"], "lines": month["lines"], "text_mb": megabytes(&month["textBytes"])?, "gz_mb": megabytes(&month["gzBytes"])?,
        "queries": queries,
    }))
}

/// A name in snake case, as all keys of the results.
fn key(name: &str) -> String {
    name.to_lowercase().replace("'s", "").replace(' ', "_")
}

fn layout(result: &Value) -> Result<Value> {
    let figure = |name: &str| anyhow::Ok(rounded(number(&result[name]).with_context(|| format!("a layout without {name}"))?));
    Ok(json!({
        "objects": result["objectsRead"],
        "mb_scanned": megabytes(&result["bytesScanned"])?,
        "mb_billed": megabytes(&result["bytesBilled"])?,
        "seconds": figure("seconds")?,
        "bytes_gz_vs_this": figure("gzBytesRatio")?,
        "time_gz_vs_this": figure("gzSecondsRatio")?,
    }))
}

fn megabytes(bytes: &Value) -> Result<Value> {
    Ok(rounded(number(bytes)? / 1e6))
}

fn number(value: &Value) -> Result<f64> {
    value.as_f64().with_context(|| format!("{value} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_layouts_become_keys() {
        let layout = json!({
            "bytesScanned": 2_060_000, "bytesBilled": 10_485_760, "objectsRead": 1, "seconds": 0.03,
            "gzBytesRatio": 23.57, "gzSecondsRatio": 117.4,
        });
        let query = json!({"name": "one hour's events", "layouts": {"Parquet by time": layout}});
        let month = json!({"objects": 10, "lines": 1234, "textBytes": 297_000_000, "gzBytes": 48_550_000});
        assert_eq!(
            figures(&json!({"month": month, "queries": [query]})).unwrap(),
            json!({"objects": 10, "lines": 1234, "text_mb": 297, "gz_mb": 48.6, "queries": {"one_hour_events": {"parquet_by_time": {
                "objects": 1, "mb_scanned": 2.06, "mb_billed": 10.5, "seconds": 0.03, "bytes_gz_vs_this": 23.6, "time_gz_vs_this": 117,
            }}}})
        );
    }
}
