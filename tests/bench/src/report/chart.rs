//! The chart for docs/performance.md: a bar chart in SVG.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bars::figure;

const WIDTH: f64 = 760.0;
const LABEL_WIDTH: f64 = 200.0;
const VALUE_WIDTH: f64 = 90.0;
const BAR_HEIGHT: f64 = 16.0;
const GAP: f64 = 6.0;
const TITLE_HEIGHT: f64 = 40.0;

struct Panel {
    title: &'static str,
    unit: &'static str,
    bars: Vec<ChartBar>,
}

struct ChartBar {
    label: &'static str,
    value: f64,
    is_this_project: bool,
}

pub fn draw(results: &Value) -> Result<String> {
    let number = |path: &str| figure(results, path).and_then(Value::as_f64).with_context(|| format!("the results have no {path}"));
    let languages = [("rust", "Rust (this project)"), ("python", "Python, boto3"), ("node", "Node.js, AWS SDK v3")];
    let mut panels = Vec::new();
    for (title, unit, figure) in [
        ("Process start to first answer, create-export-task", "ms", "create.start_ms"),
        ("Process start to first answer, check-export-task", "ms", "check.start_ms"),
        ("Peak memory, create-export-task", "MiB", "create.peak_rss_mib"),
    ] {
        let bar = |(key, label)| {
            let value = number(&format!("function_start.{figure}.{key}"))?;
            Ok(ChartBar { label, value, is_this_project: key == "rust" })
        };
        panels.push(Panel { title, unit, bars: languages.into_iter().map(bar).collect::<Result<_>>()? });
    }
    let policies = [("", "This workflow"), (".fixed_5s", "Every 5 s"), (".fixed_30s", "Every 30 s"), (".fixed_60s", "Every 60 s")];
    let mut bars = Vec::new();
    for (key, label) in policies {
        let value = 100.0 * number(&format!("polling.median_45s{key}.efficiency"))?;
        bars.push(ChartBar { label, value, is_this_project: key.is_empty() });
    }
    panels.push(Panel { title: "Share of the export slot's time that tasks of 45 s (median) use", unit: "%", bars });
    Ok(svg(&panels))
}

fn svg(panels: &[Panel]) -> String {
    let mut y = 0.0;
    let mut body = String::new();
    // Writing to a String cannot fail.
    for panel in panels {
        let _infallible = writeln!(body, r#"<text class="title" x="0" y="{}">{}</text>"#, y + 24.0, panel.title);
        y += TITLE_HEIGHT;
        let largest = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for ChartBar { label, value, is_this_project } in &panel.bars {
            let width = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) * value / largest;
            let class = if *is_this_project { "ours" } else { "other" };
            let text = y + BAR_HEIGHT - 4.0;
            let _infallible = writeln!(
                body,
                r#"<text x="{}" y="{text}" text-anchor="end">{label}</text><rect class="{class}" x="{LABEL_WIDTH}" y="{y}" width="{width:.1}" height="{BAR_HEIGHT}"/><text x="{:.1}" y="{text}">{} {}</text>"#,
                LABEL_WIDTH - 8.0,
                LABEL_WIDTH + width + 6.0,
                format_value(*value),
                panel.unit
            );
            y += BAR_HEIGHT + GAP;
        }
    }
    let height = y + GAP;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="Benchmarks of cloudwatch-logs-archive">
<style>text{{font:13px system-ui,sans-serif;fill:#333}}.title{{font-weight:600}}.ours{{fill:#b7410e}}.other{{fill:#9aa5b1}}@media(prefers-color-scheme:dark){{text{{fill:#ddd}}}}</style>
{body}</svg>
"#
    )
}

fn format_value(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}
