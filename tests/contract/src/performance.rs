//! `docs/performance.json`, and the figures that documents take from it.
//!
//! A document takes figures in two ways. A block is written as a whole: all between `<!-- performance: <block> -->` and
//! `<!-- end -->`. A figure in a sentence is a number with its path behind it, `20<!--=function_start.create.start_vs_python-->`,
//! and has as many decimals as it is written with.

use std::fmt::Write as _;

use serde_json::Value;

pub const FILE: &str = "docs/performance.json";

/// The blocks that there are.
pub const BLOCKS: [&str; 10] =
    ["machine", "function_start", "polling", "cost", "dollars", "scale", "stand_in", "compaction", "compaction_layouts", "parsing"];

const BLOCK_BEGIN: &str = "<!-- performance: ";
const BLOCK_END: &str = "<!-- end -->";
const FIGURE_BEGIN: &str = "<!--=";

/// More than that would make another figure of it: 0.96 is not 1.0.
const LARGEST_ROUNDING: f64 = 0.02;

/// The value at a path such as `scale.n100.parent_events`.
pub fn lookup<'a>(results: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(results, |value, key| value.get(key))
}

#[track_caller]
fn number(results: &Value, path: &str) -> f64 {
    lookup(results, path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{FILE} has no number {path}"))
}

/// As documents write it: with commas between thousands.
#[track_caller]
pub fn shown(results: &Value, path: &str) -> String {
    match lookup(results, path) {
        Some(Value::Number(number)) => with_commas(&number.to_string()),
        Some(Value::String(text)) => text.clone(),
        other => panic!("{FILE}: {path} is {other:?}"),
    }
}

fn with_commas(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').map_or((number, String::new()), |(whole, fraction)| (whole, format!(".{fraction}")));
    let mut grouped = String::new();
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &fraction
}

/// Whether a document takes any figure.
pub fn is_taken_by(markdown: &str) -> bool {
    markdown.contains(BLOCK_BEGIN) || markdown.contains(FIGURE_BEGIN)
}

/// The blocks that a document has.
pub fn blocks(markdown: &str) -> Vec<&str> {
    markdown.split(BLOCK_BEGIN).skip(1).filter_map(|rest| rest.split_once(" -->")).map(|(name, _)| name).collect()
}

/// The paths of the figures in a document's sentences and tables.
pub fn paths(markdown: &str) -> Vec<&str> {
    markdown.split(FIGURE_BEGIN).skip(1).filter_map(|rest| rest.split_once("-->")).map(|(path, _)| path).collect()
}

/// The document with the results' figures.
#[track_caller]
pub fn fill(markdown: &str, results: &Value) -> String {
    fill_figures(&fill_blocks(markdown, results), results)
}

/// Of speed, size and ratios.
const UNITS: [&str; 15] = [
    "ms",
    "s",
    "seconds",
    "minutes",
    "KiB",
    "MiB",
    "GiB",
    "kB",
    "KB",
    "MB",
    "×",
    "times as",
    "times faster",
    "events a second",
    "polls a task",
];

/// Numbers with such a unit that stand in the text itself: neither in a block nor in code, and without a path behind them.
pub fn written_figures(markdown: &str) -> Vec<String> {
    let mut figures = Vec::new();
    let mut elsewhere = false;
    for line in markdown.lines() {
        let line = line.trim_end();
        let ends = line == BLOCK_END || line == "```";
        let fence = line.strip_prefix("```").is_some_and(|language| !language.contains('`'));
        elsewhere = (elsewhere && !ends) || line.starts_with(BLOCK_BEGIN) || (fence && !elsewhere);
        if elsewhere {
            continue;
        }
        let is_of_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        for (start, _) in line.match_indices(|c: char| c.is_ascii_digit()) {
            let before = line[..start].chars().next_back();
            if before.is_some_and(|c| is_of_number(c) || c.is_alphanumeric() || "-_".contains(c)) {
                continue;
            }
            let number = line[start..].split(|c| !is_of_number(c)).next().unwrap_or_default();
            let rest = line[start + number.len()..].trim_start_matches([' ', '\u{a0}', '*', '`']);
            let unit = UNITS.iter().rfind(|unit| {
                rest.strip_prefix(**unit).is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_'))
            });
            figures.extend(unit.map(|unit| format!("{number} {unit}")));
        }
    }
    figures
}

#[track_caller]
fn fill_blocks(markdown: &str, results: &Value) -> String {
    let mut parts = markdown.split(BLOCK_BEGIN);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->").unwrap_or_else(|| panic!("a block without a name"));
        let (_, after) = rest.split_once(BLOCK_END).unwrap_or_else(|| panic!("the block {name} has no end"));
        let _infallible = write!(filled, "{BLOCK_BEGIN}{name} -->\n{}\n{BLOCK_END}{after}", block(name, results).trim_end());
    }
    filled
}

#[track_caller]
fn fill_figures(markdown: &str, results: &Value) -> String {
    let mut parts = markdown.split(FIGURE_BEGIN);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (path, _) = part.split_once("-->").unwrap_or_else(|| panic!("a figure without an end"));
        let written = filled.len() - filled.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',').len();
        assert!(written > 0, "no number stands before {FIGURE_BEGIN}{path}-->");
        let text = filled.split_off(filled.len() - written);
        let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let value = number(results, path);
        let rounded = format!("{value:.decimals$}");
        let error = rounded.parse::<f64>().map_or(f64::INFINITY, |rounded| (rounded - value).abs());
        assert!(error <= value.abs() * LARGEST_ROUNDING, "{path} is {value}: write more decimals than {rounded} has");
        filled += &with_commas(&rounded);
        filled += FIGURE_BEGIN;
        filled += part;
    }
    filled
}

#[track_caller]
fn block(name: &str, results: &Value) -> String {
    match name {
        "machine" => machine(results),
        "function_start" => function_start(results),
        "polling" => polling(results),
        "cost" => cost(results),
        "dollars" => dollars(results),
        "scale" => scale(results),
        "stand_in" => stand_in(results),
        "compaction" => compaction(results),
        "compaction_layouts" => compaction_layouts(results),
        "parsing" => parsing(results),
        other => panic!("there is no block {other}"),
    }
}

fn table(head: &str, rows: impl IntoIterator<Item = String>) -> String {
    let columns = head.matches('|').count() - 1;
    let rule = format!("|---{}|", "|---:".repeat(columns - 1));
    rows.into_iter().fold(format!("{head}\n{rule}"), |table, row| table + "\n" + &row)
}

fn machine(results: &Value) -> String {
    let shown = |path: &str| shown(results, path);
    let kind = match shown("mode").as_str() {
        "full" => "A whole run",
        _ => "A quick run (`--quick`), with smaller numbers of everything and good for a look only",
    };
    format!(
        "{kind}: {} minutes after the build.\n\n| | |\n|---|---|\n| Processor | {}, {} cores |\n| Memory | {} GiB |\n| System | {} |\n| Rust | {} |\n| Python | {} |\n| Node.js | {} |",
        shown("minutes"),
        shown("machine.processor"),
        shown("machine.cores"),
        shown("machine.memory_gib"),
        shown("machine.system"),
        shown("versions.rust"),
        shown("versions.python"),
        shown("versions.node"),
    )
}

fn function_start(results: &Value) -> String {
    let mut rows = Vec::new();
    for (function, warm) in [("create", "2.5×"), ("check", "3×")] {
        let at = |path: &str| shown(results, &format!("function_start.{function}.{path}"));
        for (label, figure, ratio, bar) in [
            ("process start to first answer, ms", "start_ms", "start", "15×, 12×"),
            ("answer when warm, ms", "warm_ms", "warm", warm),
            ("peak memory, MiB", "peak_rss_mib", "rss", "20 MiB at most"),
        ] {
            let values = ["rust", "python", "node"].map(|candidate| at(&format!("{figure}.{candidate}")));
            let times = ["python", "node"].map(|other| at(&format!("{ratio}_vs_{other}")) + "×");
            rows.push(format!("| `{function}-export-task`: {label} | {} | {} | {bar} |", values.join(" | "), times.join(" | ")));
        }
        rows.push(format!("| `{function}-export-task`: zip, MB | {} | | | | | 4.5 at most |", at("zip_mb")));
    }
    table("| | Rust | Python | Node.js | better than Python | than Node.js | bar |", rows)
}

fn polling(results: &Value) -> String {
    let rows = [("10 s", "1.0", "10s"), ("45 s", "1.2", "45s"), ("600 s", "1.2", "600s")].map(|(median, sigma, key)| {
        let at = |path: &str| shown(results, &format!("polling.median_{key}.{path}"));
        let pair = |prefix: &str| format!("{} by {}", at(&format!("{prefix}efficiency")), at(&format!("{prefix}polls_per_task")));
        format!(
            "| median {median}, sigma {sigma} | {} | {} | {} | {} |",
            pair(""),
            pair("fixed_5s."),
            pair("fixed_30s."),
            pair("fixed_60s.")
        )
    });
    table("| Tasks | This workflow | Every 5 s | Every 30 s | Every 60 s |", rows)
}

fn cost(results: &Value) -> String {
    let rows = [
        ("exported, by a task of a minute", "exported"),
        ("skipped: the log group is missing", "skipped"),
        ("skipped: already archived", "archived"),
    ]
    .map(|(label, key)| {
        let at = |path: &str| shown(results, &format!("cost.{key}.{path}"));
        let calls = lookup(results, &format!("cost.{key}.calls")).and_then(Value::as_object).into_iter().flatten();
        let calls: Vec<String> = calls.map(|(operation, count)| format!("{count} {operation}")).collect();
        format!(
            "| {label} | {} | {} | {} | {}: {} |",
            at("transitions"),
            at("history_events"),
            at("lambda_invocations"),
            at("api_calls"),
            calls.join(", ")
        )
    });
    table("| A log group | Transitions | History events | Invocations | Calls to AWS |", rows)
}

fn dollars(results: &Value) -> String {
    let at = |path: &str| shown(results, &format!("cost.{path}"));
    let groups = ["10", "100", "1000", "10000"];
    let rows = groups.map(|size| {
        let at = |path: &str| shown(results, &format!("cost.dollars.{size}.{path}"));
        let of = ["transitions", "invocations", "step_functions", "lambda", "s3_requests", "own_logs"].map(at);
        let money = |path: &str| number(results, &format!("cost.dollars.{size}.{path}"));
        format!("| {} | {} | {:.2} | {:.2} |", with_commas(size), of.join(" | "), money("total"), money("storage_of_a_month"))
    });
    format!(
        "With tasks of one minute, a log group costs {} transitions and {} invocations of about {} s at 128 MB. Each page of 50 log groups adds {} transitions, \
         and a run {}.\n\n{}",
        at("exported.transitions"),
        at("exported.lambda_invocations"),
        at("prices.assumed.invocation_seconds"),
        at("per_page_transitions"),
        at("per_run_transitions"),
        table(
            "| Log groups | Transitions | Invocations | Step Functions | Lambda | S3 requests | Own logs | A run, free tiers aside | Storage, each month kept |",
            rows
        )
    )
}

fn scale(results: &Value) -> String {
    let keys = ["n100", "n500", "n2000"];
    let row = |key: &str, run: &str, label: &str| {
        let at = |path: &str| shown(results, &format!("scale.{key}.{path}"));
        let entry = number(results, &format!("scale.{key}.{run}seconds_per_entry"));
        let of_parent = |path: &str| if run.is_empty() { at(path) } else { String::new() };
        let (events, bytes) = (of_parent("parent_events"), of_parent("largest_payload_bytes"));
        format!("| {}{label} | {} | {entry:.3} | {events} | {bytes} |", at("log_groups"), at(&format!("{run}seconds")))
    };
    let rows = keys.map(|key| row(key, "", "")).into_iter().chain([row(keys[2], "again.", ", a second time: all archived")]);
    let mut memory = String::new();
    for key in keys {
        let peaks = lookup(results, &format!("scale.{key}.peak_rss_mib")).and_then(Value::as_object).into_iter().flatten();
        let peaks: Vec<String> = peaks.map(|(process, peak)| format!("{process} {peak}")).collect();
        let _infallible = write!(memory, "\n| {} | {} |", shown(results, &format!("scale.{key}.log_groups")), peaks.join(", "));
    }
    let _infallible = write!(memory, "\n| all, on the second engine | moto {} |", shown(results, "scale.moto_peak_rss_mib"));
    format!(
        "{}\n\n| Log groups | Peak memory of each process, MiB |\n|---:|---|{memory}",
        table("| Log groups | Seconds | Seconds an entry | Events in the run's history | Largest payload, bytes |", rows)
    )
}

fn stand_in(results: &Value) -> String {
    let rows = ["n10k", "n100k", "n1m"].map(|key| {
        let at = |path: &str| shown(results, &format!("stand_in.{key}.{path}"));
        format!("| {} | {} | {} | {} |", at("events"), at("seconds"), at("events_per_second"), at("peak_rss_mib"))
    });
    table("| Events | Seconds | Events a second | Peak memory, MiB |", rows)
}

const QUERIES: [(&str, &str); 4] = [
    ("errors per day", "errors_per_day"),
    ("full text search", "full_text_search"),
    ("one hour's events", "one_hour_events"),
    ("events per day, without reading messages", "events_per_day"),
];

fn compaction(results: &Value) -> String {
    let rows = QUERIES.map(|(label, query)| {
        let at = |path: &str| shown(results, &format!("compaction.queries.{query}.parquet.{path}"));
        format!("| {label} | {}× | {}× |", at("bytes_gz_vs_this"), at("time_gz_vs_this"))
    });
    table("| Query | Bytes scanned, gz / Parquet | Time, gz / Parquet |", rows)
}

fn compaction_layouts(results: &Value) -> String {
    let layouts = [("gz", "gz"), ("Parquet", "parquet"), ("Parquet by time", "parquet_by_time")];
    let rows = QUERIES.iter().flat_map(|(label, query)| {
        layouts.map(|(layout, key)| {
            let at = |path: &str| shown(results, &format!("compaction.queries.{query}.{key}.{path}"));
            let [objects, scanned, billed, seconds] = ["objects", "mb_scanned", "mb_billed", "seconds"].map(at);
            let ratio = |path: &str| if key == "gz" { String::new() } else { at(path) + "×" };
            let (bytes, time) = (ratio("bytes_gz_vs_this"), ratio("time_gz_vs_this"));
            let label = if key == "gz" { label } else { "" };
            format!("| {label} | {layout} | {objects} | {scanned} | {bytes} | {billed} | {seconds} | {time} |")
        })
    });
    table("| Query | Layout | Objects | MB scanned | gz / this | Athena bills, MB | Seconds | gz / this |", rows)
}

fn parsing(results: &Value) -> String {
    let rows = [
        ("the window of a month in Tokyo", "its two midnights by chrono-tz", "window_tokyo"),
        ("the window of a month in Berlin", "its two midnights by chrono-tz", "window_berlin"),
        ("an event of `create-export-task`", "a similar text by serde_json", "event"),
        ("the input of a run with 4,000 log groups", "its text by serde_json", "input_4000"),
        ("the plan of that run", "its text by serde_json", "plan_4000"),
    ]
    .map(|(label, baseline, key)| {
        let at = |path: &str| shown(results, &format!("parsing.{key}.{path}"));
        format!("| {label} | {} | {baseline} | {} | {}× |", at("microseconds"), at("baseline_microseconds"), at("times_baseline"))
    });
    table("| What | Microseconds | Beside it | Microseconds | Times |", rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_figure_keeps_its_decimals_and_gets_commas() {
        let results = json!({"a": {"b": 12_345.678}});
        assert_eq!(fill("about 9.9<!--=a.b--> and 9<!--=a.b-->.", &results), "about 12,345.7<!--=a.b--> and 12,346<!--=a.b-->.");
    }

    #[test]
    #[should_panic(expected = "docs/performance.json has no number a.c")]
    fn a_path_that_is_not_there_is_named() {
        fill("9<!--=a.c-->", &json!({"a": {}}));
    }

    #[test]
    fn a_figure_with_too_few_decimals_is_refused() {
        let results = json!({"a": {"b": 0.965}});
        assert_eq!(fill("9.99<!--=a.b-->", &results), "0.96<!--=a.b-->");
        let rounded_away = std::panic::catch_unwind(|| fill("9.9<!--=a.b-->", &results)).unwrap_err();
        assert_eq!(rounded_away.downcast_ref::<String>().unwrap(), "a.b is 0.965: write more decimals than 1.0 has");
    }

    #[test]
    fn numbers_with_a_unit_are_found_unless_they_have_a_path_or_stand_in_a_block() {
        let text = "from 1.5 ms to 20 MiB, 3×, 4 s\n```sh\nsleep 5 s\n```\n6<!--=a.b--> ms, n7 s, 1,000 MB-long, 8 states, **9** s\n```inline``` 11 s\n\
                    <!-- performance: cost -->\n9 s\n<!-- end -->\n10.0 s";
        assert_eq!(written_figures(text), ["1.5 ms", "20 MiB", "3 ×", "4 s", "9 s", "11 s", "10.0 s"]);
    }

    #[test]
    fn a_block_is_written_as_a_whole() {
        let figures = |value: u32| json!({"events": value, "seconds": value, "events_per_second": value, "peak_rss_mib": value});
        let results = json!({"stand_in": {"n10k": figures(1), "n100k": figures(2), "n1m": figures(3000)}});
        let filled = fill("before\n<!-- performance: stand_in -->\nold\n<!-- end -->\nafter", &results);
        let rows = "| 1 | 1 | 1 | 1 |\n| 2 | 2 | 2 | 2 |\n| 3,000 | 3,000 | 3,000 | 3,000 |";
        let head = "| Events | Seconds | Events a second | Peak memory, MiB |\n|---|---:|---:|---:|";
        assert_eq!(filled, format!("before\n<!-- performance: stand_in -->\n{head}\n{rows}\n<!-- end -->\nafter"));
        assert_eq!(fill(&filled, &results), filled);
    }
}
