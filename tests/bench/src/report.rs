//! The results as a table, a JSON file, a chart, and blocks of figures in the documents.

mod blocks;
mod chart;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use local_aws::workspace::root;
use serde_json::Value;

use crate::bars::{self, Bar, Judgement, Verdict, figure, is_measured};
use crate::programs::{COMPARED_FUNCTIONS, LANGUAGES};
use crate::{compaction, fetch, function_start, parsing, polling, scale, stand_in, tool};

pub const JSON_FILE: &str = "docs/performance.json";
pub const CHART_FILE: &str = "docs/performance.svg";

/// The path of every figure in the table, with its bar if it has one.
fn figures() -> Vec<(String, Option<Bar>)> {
    let mut figures = Vec::new();
    figures.extend(function_start::BARS.map(|(path, bar)| (format!("function_start.{path}"), Some(bar))));
    for function in COMPARED_FUNCTIONS.map(function_start::short_name) {
        for figure in ["start_ms", "warm_ms", "peak_rss_mib"] {
            figures.extend(LANGUAGES.map(|language| (format!("function_start.{function}.{figure}.{language}"), None)));
        }
    }
    for function in ["plan", "report"] {
        figures
            .extend(["start_ms.rust", "peak_rss_mib.rust", "zip_mb"].map(|figure| (format!("function_start.{function}.{figure}"), None)));
    }
    figures.extend(polling::BARS.map(|(path, bar)| (path.to_owned(), Some(bar))));
    figures.extend(["measured", "predicted"].map(|kind| (format!("polling.confirmed.{kind}.efficiency"), None)));
    figures.extend(["per_group_transitions", "per_group_history_events"].map(|key| (format!("cost.{key}"), None)));
    for unit in ["exported", "archived", "skipped", "round", "run"] {
        figures.extend(["transitions", "api_calls"].map(|figure| (format!("cost.{unit}.{figure}"), None)));
    }
    // The documents promise this limit.
    figures.push(("cost.dollars.1000.total".to_owned(), Some(Bar::AtMost(1.0))));
    for key in scale::KEYS {
        figures
            .extend(["seconds_each", "largest_payload_bytes", "again.seconds_each"].map(|figure| (format!("scale.{key}.{figure}"), None)));
    }
    figures.extend(["seconds_each", "largest_payload_bytes"].map(|figure| (format!("scale.n10000.{figure}"), None)));
    for run in ["archived", "skipped"] {
        figures.extend(["plan_seconds", "report_mib", "report_seconds"].map(|figure| (format!("scale.memory.{run}.{figure}"), None)));
    }
    figures.extend(scale::BARS.map(|(path, bar)| (path.to_owned(), Some(bar))));
    for key in stand_in::KEYS {
        figures.extend(["events_per_second", "peak_rss_mib"].map(|figure| (format!("stand_in.{key}.{figure}"), None)));
    }
    figures.extend(stand_in::BARS.map(|(path, bar)| (path.to_owned(), Some(bar))));
    for query in compaction::QUERIES {
        figures
            .extend(["bytes_gz_vs_this", "time_gz_vs_this"].map(|figure| (format!("compaction.queries.{query}.parquet.{figure}"), None)));
    }
    figures.extend(parsing::BARS.map(|(path, bar)| (path.to_owned(), Some(bar))));
    figures.extend(
        ["verify.seconds", "verify.python_seconds", "verify.calls", "status.seconds", "fetch.seconds", "fetch.source_seconds"]
            .map(|figure| (format!("tool.{figure}"), None)),
    );
    figures.extend(tool::BARS.into_iter().chain(fetch::BARS).map(|(path, bar)| (path.to_owned(), Some(bar))));
    figures
}

pub fn judge(results: &Value) -> Vec<Judgement> {
    let bars: Vec<(String, Bar)> = figures().into_iter().filter_map(|(path, bar)| Some((path, bar?))).collect();
    bars::judge(results, &bars)
}

/// One line for each measured figure.
pub fn table(results: &Value) -> String {
    let judgements = judge(results);
    let mut table = format!("{:<58} {:>12}  {}\n", "figure", "measured", "bar");
    for (path, bar) in figures() {
        if !is_measured(results, &path) {
            continue;
        }
        let value = figure(results, &path).unwrap_or(&Value::Null);
        let verdict = judgements.iter().find(|judgement| judgement.path == path).map_or("", |judgement| match judgement.verdict {
            Verdict::Held => "",
            Verdict::Missed => "  MISSED",
            Verdict::MissedByFar => "  MISSED BY FAR",
        });
        let bar = bar.map(Bar::text).unwrap_or_default();
        // Writing to a String cannot fail.
        let _infallible = writeln!(table, "{path:<58} {:>12}  {bar}{verdict}", value.to_string());
    }
    table
}

/// Reads the written results.
pub fn read() -> Result<Value> {
    let text = fs::read_to_string(root().join(JSON_FILE)).with_context(|| format!("cannot read {JSON_FILE}"))?;
    serde_json::from_str(&text).with_context(|| format!("{JSON_FILE} is not JSON"))
}

/// The written results, with the measured parts replaced.
pub fn merged(measured: &Value) -> Result<Value> {
    merge(read()?, measured)
}

fn merge(mut written: Value, measured: &Value) -> Result<Value> {
    for common in ["mode", "machine", "versions"] {
        ensure!(
            written[common] == measured[common],
            "{JSON_FILE} has another {common}: {}, not {}; run all parts with cargo bench-all",
            written[common],
            measured[common]
        );
    }
    for (key, figures) in measured.as_object().into_iter().flatten().filter(|(key, _)| *key != "minutes") {
        written[key] = figures.clone();
    }
    Ok(written)
}

/// The files that this program generates from the results.
fn files(results: &Value) -> Result<Vec<(PathBuf, String)>> {
    let mut files = blocks::documents(results)?;
    files.push((root().join(JSON_FILE), serde_json::to_string_pretty(results)? + "\n"));
    files.push((root().join(CHART_FILE), chart::draw(results)?));
    Ok(files)
}

pub fn write(results: &Value) -> Result<()> {
    for (file, contents) in files(results)? {
        fs::write(&file, contents).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_written_results_are_complete_and_the_chart_and_the_documents_show_them() {
        let results = read().unwrap();
        // A new part enters the file with the next full run.
        let paths = figures().into_iter().map(|(path, _)| path).filter(|path| is_measured(&results, path));
        let missing: Vec<String> = paths.filter(|path| !figure(&results, path).is_some_and(Value::is_number)).collect();
        assert!(missing.is_empty(), "{JSON_FILE} lacks {missing:?}: run cargo bench-all");
        for (file, contents) in files(&results).unwrap() {
            assert!(fs::read_to_string(&file).unwrap() == contents, "{} is out of date: run cargo bench-all --blocks", file.display());
        }
        let far = judge(&results).into_iter().filter(|judgement| judgement.verdict == Verdict::MissedByFar).collect::<Vec<_>>();
        assert!(far.is_empty(), "{far:?}");
    }

    #[test]
    fn the_table_has_the_measured_parts_and_marks_missed_bars() {
        let results = json!({"scale": {"n2000_vs_n100": 1.4, "n10000": {"events": 16}}});
        let table = table(&results);
        let lines: Vec<String> = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(lines.iter().all(|line| line.starts_with("scale.")), "{table}");
        for line in ["scale.n10000.events 16 <= 40", "scale.n100.seconds_each null", "scale.n2000_vs_n100 1.4 <= 1.3 MISSED"] {
            assert!(lines.contains(&line.to_owned()), "{line} is not in {table}");
        }
    }
}
