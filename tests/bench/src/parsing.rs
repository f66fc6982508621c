//! The work of the functions before their first call, as a multiple of a baseline: the fastest samples of `cargo bench -p export-core`.
//!
//! The fastest of a hundred samples is undisturbed by other programs. The median is not: long samples are disturbed more often than short
//! ones, which would change the ratio.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use local_aws::cargo;
use serde_json::{Map, Value, json};

use crate::bars::Bar;
use crate::stats::rounded;

/// The key of a result, its benchmark, and its baseline.
const PAIRS: [(&str, &str, &str); 6] = [
    ("window_tokyo", "window_of_a_month/Asia/Tokyo", "baseline/two_local_midnights/Asia/Tokyo"),
    ("window_berlin", "window_of_a_month/Europe/Berlin", "baseline/two_local_midnights/Europe/Berlin"),
    ("event", "event_of_create_export_task", "baseline/json_of_a_run/1"),
    ("input_4000", "input_of_a_run/4000", "baseline/json_of_a_run/4000"),
    ("archived", "archived_log_group_month", "baseline/json_of_a_run/1"),
    ("place", "place_of_a_log_group", "baseline/json_of_a_run/1"),
];

/// About 1.5 times the measured figures, because other processors differ.
pub const BARS: [(&str, Bar); 6] = [
    ("parsing.window_tokyo.times_baseline", Bar::AtMost(2.0)),
    ("parsing.window_berlin.times_baseline", Bar::AtMost(2.0)),
    ("parsing.event.times_baseline", Bar::AtMost(6.0)),
    ("parsing.input_4000.times_baseline", Bar::AtMost(35.0)),
    ("parsing.archived.times_baseline", Bar::AtMost(12.0)),
    ("parsing.place.times_baseline", Bar::AtMost(11.0)),
];

pub async fn measure() -> Result<Value> {
    let mut command = cargo::command();
    command.args(["bench", "--quiet", "--package", "export-core", "--bench", "domain"]);
    let run = command.output().await.context("cannot run cargo")?;
    ensure!(run.status.success(), "`cargo bench` failed.\n{}", String::from_utf8_lossy(&run.stderr));
    figures(&fastest_samples(&String::from_utf8_lossy(&run.stdout))?)
}

fn figures(samples: &BTreeMap<String, f64>) -> Result<Value> {
    let sample = |name: &str| samples.get(name).copied().with_context(|| format!("`cargo bench` has no {name}"));
    let mut figures = Map::new();
    for (key, name, baseline) in PAIRS {
        let (time, baseline) = (sample(name)?, sample(baseline)?);
        let figure = json!({
            "microseconds": rounded(time), "baseline_microseconds": rounded(baseline), "times_baseline": rounded(time / baseline),
        });
        figures.insert(key.to_owned(), figure);
    }
    Ok(Value::Object(figures))
}

/// Microseconds by path, from divan's tree: `│  ├─ 100   41.46 µs   │ 71.55 µs   │ 42.69 µs   │ ...`. The first column is the fastest.
fn fastest_samples(output: &str) -> Result<BTreeMap<String, f64>> {
    let mut samples = BTreeMap::new();
    let mut path: Vec<&str> = Vec::new();
    for line in output.lines() {
        let Some((branches, rest)) = line.split_once("─ ") else { continue };
        let (name, time) = rest.split('│').next().and_then(|column| column.split_once(' ')).context("a benchmark without a name")?;
        path.truncate(branches.chars().count() / 3);
        path.push(name);
        // A group of benchmarks has no time.
        if !time.trim().is_empty() {
            samples.insert(path.join("/"), microseconds(time.trim()).with_context(|| format!("no time: {line}"))?);
        }
    }
    Ok(samples)
}

fn microseconds(time: &str) -> Option<f64> {
    let (number, unit) = time.split_once(' ')?;
    let factor = match unit {
        "ns" => 1e-3,
        "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
Timer precision: 20 ns
domain                          fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ event_of_create_export_task  780.7 ns      │ 18.76 µs      │ 810.7 ns      │ 1.003 µs      │ 100     │ 100
├─ input_of_a_run                             │               │               │               │         │
│  ├─ 1                         650.7 ns      │ 4.046 µs      │ 680.7 ns      │ 725.5 ns      │ 100     │ 100
│  ╰─ 4000                      1.717 ms      │ 2.573 ms      │ 1.826 ms      │ 2.077 ms      │ 100     │ 100
╰─ baseline                                   │               │               │               │         │
   ╰─ two_local_midnights                     │               │               │               │         │
      ╰─ Asia/Tokyo             52.18 ns      │ 53.6 ns       │ 53.12 ns      │ 53.13 ns      │ 100     │ 6400
";

    #[test]
    fn the_fastest_samples_are_read_with_their_paths_and_units() {
        let samples = fastest_samples(OUTPUT).unwrap();
        let expected = [
            ("baseline/two_local_midnights/Asia/Tokyo", 0.05218),
            ("event_of_create_export_task", 0.7807),
            ("input_of_a_run/1", 0.6507),
            ("input_of_a_run/4000", 1717.0),
        ];
        assert_eq!(samples.keys().map(String::as_str).collect::<Vec<_>>(), expected.map(|(path, _)| path));
        for (path, microseconds) in expected {
            assert!((samples[path] - microseconds).abs() < 1e-9, "{path}: {}", samples[path]);
        }
    }
}
