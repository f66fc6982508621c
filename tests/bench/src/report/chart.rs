//! The chart for docs/performance.md: bars, drawn as SVG.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bars::figure;

const WIDTH: f64 = 760.0;
const LABELS: f64 = 200.0;
const VALUES: f64 = 90.0;
const BAR: f64 = 16.0;
const GAP: f64 = 6.0;
const TITLE: f64 = 40.0;

struct Panel {
    title: &'static str,
    unit: &'static str,
    bars: Vec<(String, f64, bool)>,
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
        let bars = languages.map(|(key, label)| Ok((label.to_owned(), number(&format!("function_start.{figure}.{key}"))?, key == "rust")));
        panels.push(Panel { title, unit, bars: bars.into_iter().collect::<Result<_>>()? });
    }
    let policies = [("", "This workflow"), (".fixed_5s", "Every 5 s"), (".fixed_30s", "Every 30 s"), (".fixed_60s", "Every 60 s")];
    let mut bars = Vec::new();
    for (key, label) in policies {
        bars.push((label.to_owned(), 100.0 * number(&format!("polling.median_45s{key}.efficiency"))?, key.is_empty()));
    }
    panels.push(Panel { title: "Share of the export slot's time that tasks of 45 s (median) use", unit: "%", bars });
    Ok(svg(&panels))
}

fn svg(panels: &[Panel]) -> String {
    let mut y = 0.0;
    let mut body = String::new();
    // A String takes whatever is written to it.
    for panel in panels {
        let _infallible = writeln!(body, r#"<text class="title" x="0" y="{}">{}</text>"#, y + 24.0, panel.title);
        y += TITLE;
        let largest = panel.bars.iter().map(|(_, value, _)| *value).fold(f64::MIN_POSITIVE, f64::max);
        for (label, value, ours) in &panel.bars {
            let width = (WIDTH - LABELS - VALUES) * value / largest;
            let class = if *ours { "ours" } else { "other" };
            let text = y + BAR - 4.0;
            let _infallible = writeln!(
                body,
                r#"<text x="{}" y="{text}" text-anchor="end">{label}</text><rect class="{class}" x="{LABELS}" y="{y}" width="{width:.1}" height="{BAR}"/><text x="{:.1}" y="{text}">{} {}</text>"#,
                LABELS - 8.0,
                LABELS + width + 6.0,
                shown(*value),
                panel.unit
            );
            y += BAR + GAP;
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

fn shown(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}
