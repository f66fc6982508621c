//! The dashboard of `infra/dashboard.yaml`: its widgets as data, and their layout as a picture.

use serde_json::Value;

use crate::template::{self, DASHBOARD};

pub const PICTURE: &str = "docs/dashboard.svg";

/// What CloudWatch divides a dashboard's width into.
pub const COLUMNS: u64 = 24;

#[derive(Debug, Clone)]
pub struct Widget {
    pub kind: String,
    pub x: u64,
    pub y: u64,
    pub width: u64,
    pub height: u64,
    pub title: String,
    pub metrics: Vec<Metric>,
    pub query: Option<String>,
}

/// A line of a metric widget.
#[derive(Debug, Clone)]
pub struct Metric {
    pub namespace: String,
    pub name: String,
    /// Names and values in turn.
    pub dimensions: Vec<String>,
    pub statistic: String,
    pub label: String,
    /// Of the expression, for a line that is computed.
    pub expression: Option<String>,
    pub visible: bool,
    pub color: Option<String>,
}

/// The dashboard's body. Parameters stay as they are written, `${...}`; those that stand for JSON get a value.
pub fn body() -> Value {
    let template = template::load(DASHBOARD);
    let body = template::at(&template, &["Resources", "Dashboard", "Properties", "DashboardBody"]);
    let serde_norway::Value::Tagged(tagged) = body else { panic!("the body is a !Sub") };
    let text = tagged.value.as_str().expect("a string");
    let text = text.replace("${AlarmArns}", "[]").replace("${DaysWithoutSuccess}", "32").replace("${!", "${");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{DASHBOARD}: the body is not JSON: {error}"))
}

pub fn widgets(body: &Value) -> Vec<Widget> {
    body["widgets"].as_array().expect("widgets").iter().map(widget).collect()
}

fn widget(widget: &Value) -> Widget {
    let number = |field: &str| widget[field].as_u64().unwrap_or_else(|| panic!("{field} of {widget}"));
    let properties = &widget["properties"];
    let title = properties["title"].as_str().or_else(|| properties["markdown"].as_str()?.lines().next());
    Widget {
        kind: widget["type"].as_str().expect("a type").to_owned(),
        x: number("x"),
        y: number("y"),
        width: number("width"),
        height: number("height"),
        title: title.expect("a title").trim_start_matches("# ").to_owned(),
        metrics: metrics(properties),
        query: properties["query"].as_str().map(str::to_owned),
    }
}

/// CloudWatch's short form written out: `.` is the value above it, `...` all values above that are not given.
fn metrics(properties: &Value) -> Vec<Metric> {
    let mut above: Vec<String> = Vec::new();
    let lines = properties["metrics"].as_array().into_iter().flatten();
    lines
        .map(|line| {
            let line = line.as_array().expect("a metric is a list");
            let options = line.last().filter(|last| last.is_object()).unwrap_or(&Value::Null);
            let option = |name: &str| options[name].as_str().map(str::to_owned);
            let given: Vec<&str> = line.iter().filter_map(Value::as_str).collect();
            let expression = option("expression");
            if expression.is_none() {
                above = match given.split_first() {
                    Some((&"...", given)) => {
                        above[..above.len() - given.len()].iter().cloned().chain(given.iter().map(|&value| value.to_owned())).collect()
                    }
                    _ => given
                        .iter()
                        .enumerate()
                        .map(|(index, &value)| if value == "." { above[index].clone() } else { value.to_owned() })
                        .collect(),
                };
            }
            let part = |index: usize| if expression.is_none() { above[index].clone() } else { String::new() };
            Metric {
                namespace: part(0),
                name: part(1),
                dimensions: if expression.is_none() { above[2..].to_vec() } else { Vec::new() },
                statistic: option("stat").or_else(|| properties["stat"].as_str().map(str::to_owned)).unwrap_or_default(),
                label: option("label").unwrap_or_default(),
                visible: options["visible"] != Value::Bool(false),
                color: option("color"),
                expression,
            }
        })
        .collect()
}

// ---- the picture ----------------------------------------------------------------------------------------------------

const COLUMN: u64 = 44;
const ROW: u64 = 30;
const GAP: u64 = 6;
const LINE: u64 = 17;
/// What a character takes, roughly.
const CHARACTER: u64 = 8;

/// What CloudWatch gives to lines without a colour of their own, in its order.
const COLORS: [&str; 4] = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728"];

/// The layout as an SVG image. `alarms` are the names in the alarm widget, which the template gets as a parameter.
pub fn picture(widgets: &[Widget], alarms: &[String]) -> String {
    let (width, height) = (COLUMNS * COLUMN, widgets.iter().map(|widget| widget.y + widget.height).max().unwrap_or_default() * ROW);
    let mut svg = vec![
        format!(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">"#),
        format!(r##"<rect width="{width}" height="{height}" fill="#f2f3f3"/>"##),
    ];
    for widget in widgets {
        draw(widget, alarms, &mut svg);
    }
    svg.push("</svg>\n".to_owned());
    svg.join("\n")
}

fn draw(widget: &Widget, alarms: &[String], svg: &mut Vec<String>) {
    let (x, y) = (widget.x * COLUMN + GAP / 2, widget.y * ROW + GAP / 2);
    let (width, height) = (widget.width * COLUMN - GAP, widget.height * ROW - GAP);
    svg.push(format!(r##"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="#ffffff" stroke="#d5dbdb"/>"##));
    svg.push(text(x + 10, y + 20, r#" font-size="14" font-weight="bold""#, &widget.title, width));
    let columns = if widget.kind == "alarm" { 2 } else { 1 };
    let lines = wrapped(lines(widget, alarms), width / columns - 15);
    let below = y + 40 + (lines.len() as u64).div_ceil(columns) * LINE;
    for (index, (color, line)) in lines.into_iter().enumerate() {
        let index = index as u64;
        let (column, row) = (index % columns, index / columns);
        let (x, y) = (x + 12 + column * width / columns, y + 40 + row * LINE);
        if let Some(color) = color {
            svg.push(format!(r#"<rect x="{x}" y="{}" width="9" height="9" fill="{color}"/>"#, y - 9));
        }
        svg.push(text(x + 15, y, r##" fill="#414d5c""##, &line, width / columns - 15));
    }
    let (bottom, right) = (y + height - 12, x + width - 12);
    if widget.kind == "metric" && below + ROW < bottom {
        // Axes, for a graph is here.
        svg.push(format!(r##"<path d="M {} {} V {bottom} H {right}" fill="none" stroke="#b6bec9"/>"##, x + 12, below - 6));
    }
}

/// A line that is too long goes on below, after its label.
fn wrapped(lines: Vec<(Option<String>, String)>, width: u64) -> Vec<(Option<String>, String)> {
    let most = (width / CHARACTER) as usize;
    lines
        .into_iter()
        .flat_map(|(color, line)| match line.split_once(": ") {
            Some((label, source)) if line.chars().count() > most => vec![(color, format!("{label}:")), (None, source.to_owned())],
            _ => vec![(color, line)],
        })
        .collect()
}

/// What a widget shows, each line with its colour.
fn lines(widget: &Widget, alarms: &[String]) -> Vec<(Option<String>, String)> {
    match (&widget.query, widget.kind.as_str()) {
        (Some(query), _) => {
            let last = query.split(" | ").find_map(|part| part.strip_prefix("stats ").or_else(|| part.strip_prefix("display ")));
            vec![(None, "table from the audit:".to_owned()), (None, last.unwrap_or_default().to_owned())]
        }
        (None, "alarm") => alarms.iter().map(|name| (Some("#2ca02c".to_owned()), name.clone())).collect(),
        (None, "text") => vec![(None, "links: runs, documents".to_owned())],
        _ => widget.metrics.iter().filter(|metric| metric.visible).enumerate().map(|(index, metric)| line(index, metric)).collect(),
    }
}

fn line(index: usize, metric: &Metric) -> (Option<String>, String) {
    let source = match &metric.expression {
        Some(expression) => expression.clone(),
        None => format!("{} of {}", metric.statistic, metric.name),
    };
    let color = metric.color.clone().unwrap_or_else(|| COLORS[index % COLORS.len()].to_owned());
    (Some(color), format!("{}: {source}", metric.label))
}

/// A line of text, cut where the widget ends.
fn text(x: u64, y: u64, style: &str, content: &str, width: u64) -> String {
    let most = (width / CHARACTER) as usize;
    let cut: String =
        if content.chars().count() > most { content.chars().take(most - 1).chain(['…']).collect() } else { content.to_owned() };
    let cut = cut.replace("${ArchiveStackName}", "<stack>");
    let escaped = cut.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(r#"<text x="{x}" y="{y}"{style}>{escaped}</text>"#)
}
