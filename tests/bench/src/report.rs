//! The results as people and programs read them: one table, one JSON file, one chart, and blocks of figures in the documents.

mod blocks;
mod chart;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use local_aws::workspace::root;
use serde_json::Value;

use crate::bars::{Bar, Judged, Verdict, figure, is_of_a_measured_part, judge};
use crate::candidates::{COMPARED, NAMES};
use crate::{compaction, fetch, function_start, parsing, polling, scale, stand_in, tool};

pub const JSON_FILE: &str = "docs/performance.json";
pub const CHART_FILE: &str = "docs/performance.svg";

/// Every figure of the table by its path, with its bar where it has one.
fn figures() -> Vec<(String, Option<Bar>)> {
    let mut figures = Vec::new();
    figures.extend(function_start::BARS.map(|(path, bar)| (format!("function_start.{path}"), Some(bar))));
    for function in COMPARED.map(function_start::short) {
        for figure in ["start_ms", "warm_ms", "peak_rss_mib"] {
            figures.extend(NAMES.map(|candidate| (format!("function_start.{function}.{figure}.{candidate}"), None)));
        }
    }
    for function in ["plan", "report"] {
        figures
            .extend(["start_ms.rust", "peak_rss_mib.rust", "zip_mb"].map(|figure| (format!("function_start.{function}.{figure}"), None)));
    }
    figures.extend(polling::BARS.map(|(path, bar)| (path.to_owned(), Some(bar))));
    figures.extend(["measured", "predicted"].map(|kind| (format!("polling.confirmed.{kind}.efficiency"), None)));
    figures.extend(["per_group_transitions", "per_group_history_events"].map(|key| (format!("cost.{key}"), None)));
    for what in ["exported", "archived", "skipped", "round", "run"] {
        figures.extend(["transitions", "api_calls"].map(|figure| (format!("cost.{what}.{figure}"), None)));
    }
    // The README says so.
    figures.push(("cost.dollars.1000.total".to_owned(), Some(Bar::AtMost(1.0))));
    for key in scale::KEYS {
        let of_run = ["seconds_each", "largest_payload_bytes", "again.seconds_each"];
        figures.extend(of_run.map(|figure| (format!("scale.{key}.{figure}"), None)));
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

pub fn judged(results: &Value) -> Vec<Judged> {
    let bars: Vec<(String, Bar)> = figures().into_iter().filter_map(|(path, bar)| Some((path, bar?))).collect();
    judge(results, &bars)
}

/// One line for each figure that was measured.
pub fn table(results: &Value) -> String {
    let judged = judged(results);
    let mut table = format!("{:<58} {:>12}  {}\n", "figure", "measured", "bar");
    for (path, bar) in figures() {
        if !is_of_a_measured_part(results, &path) {
            continue;
        }
        let value = figure(results, &path).unwrap_or(&Value::Null);
        let verdict = judged.iter().find(|judged| judged.path == path).map_or("", |judged| match judged.verdict {
            Verdict::Held => "",
            Verdict::Missed => "  MISSED",
            Verdict::MissedByFar => "  MISSED BY FAR",
        });
        let bar = bar.map(Bar::text).unwrap_or_default();
        // A String takes whatever is written to it.
        let _infallible = writeln!(table, "{path:<58} {:>12}  {bar}{verdict}", value.to_string());
    }
    table
}

/// What was written before.
pub fn read() -> Result<Value> {
    let text = fs::read_to_string(root().join(JSON_FILE)).with_context(|| format!("cannot read {JSON_FILE}"))?;
    serde_json::from_str(&text).with_context(|| format!("{JSON_FILE} is not JSON"))
}

/// What was written before, with the parts that were measured now in the place of the former ones.
pub fn merged(measured: &Value) -> Result<Value> {
    merge(read()?, measured)
}

fn merge(mut written: Value, measured: &Value) -> Result<Value> {
    for common in ["mode", "machine", "versions"] {
        ensure!(written[common] == measured[common], "{JSON_FILE} is of another {common}: {}, not {}", written[common], measured[common]);
    }
    for (key, figures) in measured.as_object().into_iter().flatten().filter(|(key, _)| *key != "minutes") {
        written[key] = figures.clone();
    }
    Ok(written)
}

/// The files that are made of the results.
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
    fn chart_and_documents_show_the_written_results() {
        let results = read().unwrap();
        // Others read these figures by their paths.
        // A part that is new comes into the file with the next whole run.
        let paths = figures().into_iter().map(|(path, _)| path).filter(|path| is_of_a_measured_part(&results, path));
        let missing = paths.filter(|path| !figure(&results, path).is_some_and(Value::is_number));
        let missing: Vec<String> = missing.collect();
        assert!(
            missing.is_empty(),
            "{JSON_FILE} is of other figures than cargo bench-all measures now: run it whole. Missing: {missing:?}"
        );
        for (file, contents) in files(&results).unwrap() {
            assert!(fs::read_to_string(&file).unwrap() == contents, "{} is out of step: cargo bench-all --blocks", file.display());
        }
        // As the README says, for 1,000 log groups.
        let dollars = figure(&results, "cost.dollars.1000.total").and_then(Value::as_f64);
        assert!(dollars.is_some_and(|dollars| dollars < 1.0), "{dollars:?}");
    }

    #[test]
    fn the_table_has_the_parts_that_were_measured_and_says_what_missed_its_bar() {
        let results = json!({"scale": {"n2000_vs_n100": 1.4, "n10000": {"events": 16}}});
        let table = table(&results);
        let lines: Vec<String> = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(lines.iter().all(|line| line.starts_with("scale.")), "{table}");
        for line in ["scale.n10000.events 16 <= 40", "scale.n100.seconds_each null", "scale.n2000_vs_n100 1.4 <= 1.3 MISSED"] {
            assert!(lines.contains(&line.to_owned()), "{line} is not in {table}");
        }
    }
}
