//! The results as people and programs read them: one table, one JSON file, one chart.

mod chart;

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use local_aws::functions::FUNCTIONS;
use local_aws::workspace::root;
use serde_json::Value;

use crate::bars::{Bar, Judged, Verdict, figure, is_of_a_measured_part, judge};
use crate::candidates::NAMES;
use crate::{compaction, function_start, parsing, polling, scale, stand_in};

pub const JSON_FILE: &str = "docs/performance.json";
pub const CHART_FILE: &str = "docs/performance.svg";

/// Every figure of the table by its path, with its bar where it has one.
fn figures() -> Vec<(String, Option<Bar>)> {
    let mut figures = Vec::new();
    figures.extend(function_start::BARS.map(|(path, bar)| (format!("function_start.{path}"), Some(bar))));
    for function in FUNCTIONS.map(|name| name.split('-').next().unwrap_or(name)) {
        for figure in ["start_ms", "warm_ms", "peak_rss_mib"] {
            figures.extend(NAMES.map(|candidate| (format!("function_start.{function}.{figure}.{candidate}"), None)));
        }
    }
    figures.extend(polling::BARS.map(|(path, bar)| (path.to_owned(), Some(bar))));
    figures.extend(["measured", "predicted"].map(|kind| (format!("polling.confirmed.{kind}.efficiency"), None)));
    figures.extend(["per_group_transitions", "per_group_history_events", "dollars.1000.total"].map(|key| (format!("cost.{key}"), None)));
    for key in scale::KEYS {
        figures
            .extend(["seconds_per_entry", "parent_events", "largest_payload_bytes"].map(|figure| (format!("scale.{key}.{figure}"), None)));
    }
    figures.push(("scale.n2000.again.seconds_per_entry".to_owned(), None));
    figures.push(("scale.n2000_vs_n100".to_owned(), Some(Bar::AtMost(1.3))));
    for key in stand_in::KEYS {
        figures.extend(["events_per_second", "peak_rss_mib"].map(|figure| (format!("stand_in.{key}.{figure}"), None)));
    }
    figures.extend(stand_in::BARS.map(|(path, bar)| (path.to_owned(), Some(bar))));
    for query in compaction::QUERIES {
        figures
            .extend(["bytes_gz_vs_this", "time_gz_vs_this"].map(|figure| (format!("compaction.queries.{query}.parquet.{figure}"), None)));
    }
    figures.extend(parsing::BARS.map(|(path, bar)| (path.to_owned(), Some(bar))));
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

/// What was written before, with the parts that were measured now in the place of the former ones.
pub fn merged(measured: &Value) -> Result<Value> {
    let text = fs::read_to_string(root().join(JSON_FILE)).with_context(|| format!("cannot read {JSON_FILE}"))?;
    merge(serde_json::from_str(&text).with_context(|| format!("{JSON_FILE} is not JSON"))?, measured)
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

/// Writes what the documents are made of.
pub fn write(results: &Value) -> Result<()> {
    let mut json = serde_json::to_string_pretty(results)?;
    json.push('\n');
    for (file, contents) in [(JSON_FILE, json), (CHART_FILE, chart::draw(results)?)] {
        fs::write(root().join(file), contents).with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_chart_is_that_of_the_results() {
        let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
        let drawn = chart::draw(&serde_json::from_str(&read(JSON_FILE)).unwrap()).unwrap();
        assert!(read(CHART_FILE) == drawn, "{CHART_FILE} is not drawn from {JSON_FILE}");
    }

    #[test]
    fn a_part_takes_the_place_of_the_former_one_if_all_else_is_the_same() {
        let written = json!({"mode": "full", "machine": "m", "versions": "v", "polling": 1, "cost": 2, "minutes": 13});
        let measured = json!({"mode": "full", "machine": "m", "versions": "v", "cost": 3, "minutes": 1});
        let expected = json!({"mode": "full", "machine": "m", "versions": "v", "polling": 1, "cost": 3, "minutes": 13});
        assert_eq!(merge(written.clone(), &measured).unwrap(), expected);
        for common in ["mode", "machine", "versions"] {
            let mut other = measured.clone();
            other[common] = json!("other");
            let error = merge(written.clone(), &other).unwrap_err();
            assert!(error.to_string().starts_with(&format!("docs/performance.json is of another {common}: ")), "{error}");
        }
    }

    #[test]
    fn the_table_has_the_parts_that_were_measured_and_says_what_missed_its_bar() {
        let results = json!({"scale": {"n2000_vs_n100": 1.4, "n100": {"parent_events": 48}}});
        let table = table(&results);
        let lines: Vec<String> = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(lines.iter().all(|line| line.starts_with("scale.")), "{table}");
        for line in ["scale.n100.parent_events 48", "scale.n100.seconds_per_entry null", "scale.n2000_vs_n100 1.4 <= 1.3 MISSED"] {
            assert!(lines.contains(&line.to_owned()), "{line} is not in {table}");
        }
    }
}
