//! Writes the figures into the documents, between `<!-- performance: NAME -->` and `<!-- end -->`.
//!
//! A template has paths of the results in braces, such as `{scale.n100.seconds}`. A number gets commas between thousands. An object becomes a
//! list of `value name`. `{bar create.zip_mb}` is the bar of a figure.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail, ensure};
use local_aws::workspace::root;
use serde_json::Value;

use crate::bars::{Bar, figure};
use crate::{fetch, function_start::BARS, tool};

const BEGIN: &str = "<!-- performance: ";
const END: &str = "<!-- end -->";

/// The documents that have blocks, with their new texts.
pub fn documents(results: &Value) -> Result<Vec<(PathBuf, String)>> {
    let mut documents = Vec::new();
    for folder in ["", "docs", "docs/decisions"] {
        for entry in fs::read_dir(root().join(folder)).with_context(|| format!("cannot read {folder:?}"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path)?;
                if text.contains(BEGIN) {
                    let filled = fill(&text, results).with_context(|| path.display().to_string())?;
                    documents.push((path, filled));
                }
            }
        }
    }
    for (name, _) in BLOCKS {
        ensure!(documents.iter().any(|(_, text)| text.contains(&format!("{BEGIN}{name} -->"))), "no document has the block {name}");
    }
    Ok(documents)
}

fn fill(document: &str, results: &Value) -> Result<String> {
    let mut parts = document.split(BEGIN);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->").context("a block without a name")?;
        let (_, after) = rest.split_once(END).with_context(|| format!("the block {name} has no end"))?;
        let Some((_, template)) = BLOCKS.iter().find(|(block, _)| *block == name) else { bail!("the block {name} does not exist") };
        filled += &format!("{BEGIN}{name} -->{}{END}{after}", substitute(template, results)?);
    }
    Ok(filled)
}

fn substitute(template: &str, results: &Value) -> Result<String> {
    let mut parts = template.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (path, rest) = part.split_once('}').context("a path without an end")?;
        text += &match path.strip_prefix("bar ") {
            Some(path) => bar(path)?,
            None => format_value(figure(results, path).with_context(|| format!("the results have no {path}"))?).context(path.to_owned())?,
        };
        text += rest;
    }
    Ok(text)
}

fn bar(path: &str) -> Result<String> {
    let (_, bar) = BARS
        .into_iter()
        .chain(tool::BARS)
        .chain(fetch::BARS)
        .find(|(figure, _)| *figure == path)
        .with_context(|| format!("{path} has no bar"))?;
    let (Bar::AtLeast(value) | Bar::AtMost(value)) = bar;
    Ok(value.to_string())
}

fn format_value(value: &Value) -> Result<String> {
    match value {
        Value::Number(number) => Ok(with_commas(&number.to_string())),
        Value::String(text) => Ok(text.clone()),
        Value::Object(map) => {
            let items: Result<Vec<String>> = map.iter().map(|(name, value)| Ok(format!("{} {name}", format_value(value)?))).collect();
            Ok(items?.join(", "))
        }
        other => Err(anyhow!("{other} is not a figure")),
    }
}

fn with_commas(number: &str) -> String {
    let whole = number.find('.').unwrap_or(number.len());
    let mut grouped = String::new();
    for (index, digit) in number.char_indices() {
        if index > 0 && index < whole && (whole - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

const BLOCKS: [(&str, &str); 12] = [
    ("start_and_memory", START_AND_MEMORY),
    ("machine", MACHINE),
    ("function_start", FUNCTION_START),
    ("polling", POLLING),
    ("polling_confirmed", POLLING_CONFIRMED),
    ("cost", COST),
    ("dollars", DOLLARS),
    ("scale", SCALE),
    ("stand_in", STAND_IN),
    ("compaction", COMPACTION),
    ("parsing", PARSING),
    ("tool", TOOL),
];

const START_AND_MEMORY: &str = "
| | Rust, this project | Python, boto3 | Node.js, AWS SDK v3 |
|---|---:|---:|---:|
| Process start to first answer, ms | {function_start.create.start_ms.rust} | {function_start.create.start_ms.python} | {function_start.create.start_ms.node} |
| Peak memory, MiB | {function_start.create.peak_rss_mib.rust} | {function_start.create.peak_rss_mib.python} | {function_start.create.peak_rss_mib.node} |
";

const TOOL: &str = "
| | Measured | Bar |
|---|---:|---:|
| `verify` of {tool.verify.events} events | {tool.verify.seconds} s, {tool.verify.calls} calls | |
| the same loop in boto3 | {tool.verify.times_python}× the time | {bar tool.verify.times_python}× |
| `verify`: peak memory, MiB | {tool.verify.peak_rss_mib} | {bar tool.verify.peak_rss_mib} |
| `status` of {tool.status.log_group_months} log-group-months | {tool.status.calls} calls, {tool.status.seconds} s | {bar tool.status.calls} calls |
| `fetch` of {tool.fetch.events} archived events | {tool.fetch.seconds} s | |
| AWS CLI, `zcat` and `sort` | {tool.fetch.times_aws_cli}× the time | {bar tool.fetch.times_aws_cli}× |
| the same with `grep`, against `--grep` | {tool.fetch.grep_times_aws_cli}× the time | {bar tool.fetch.grep_times_aws_cli}× |
| `fetch`: peak memory, MiB | {tool.fetch.peak_rss_mib} | {bar tool.fetch.peak_rss_mib} |
| `fetch --source`: boto3 | {tool.fetch.source_times_python}× the time | {bar tool.fetch.source_times_python}× |
| `fetch --source`: awslogs | {tool.fetch.source_times_awslogs}× the time | {bar tool.fetch.source_times_awslogs}× |
| `fetch --source`: peak memory, MiB | {tool.fetch.source_peak_rss_mib} | {bar tool.fetch.source_peak_rss_mib} |
| `--help`, ms | {tool.help_ms} | {bar tool.help_ms} |
| the binary, MB | {tool.binary_mb} | {bar tool.binary_mb} |
";

const MACHINE: &str = "
A whole run: {minutes} minutes after the build.

| | |
|---|---|
| Processor | {machine.processor}, {machine.cores} cores |
| Memory | {machine.memory_gib} GiB |
| System | {machine.system} |
| Rust | {versions.rust} |
| Python | {versions.python} |
| Node.js | {versions.node} |
";

const FUNCTION_START: &str = "
| | Rust | Python | Node.js | better than Python | than Node.js | bar |
|---|---:|---:|---:|---:|---:|---:|
| `create-export-task`: process start to first answer, ms | {function_start.create.start_ms.rust} | {function_start.create.start_ms.python} | {function_start.create.start_ms.node} | {function_start.create.start_vs_python}× | {function_start.create.start_vs_node}× | {bar create.start_vs_python}×, {bar create.start_vs_node}× |
| `create-export-task`: answer when warm, ms | {function_start.create.warm_ms.rust} | {function_start.create.warm_ms.python} | {function_start.create.warm_ms.node} | {function_start.create.warm_vs_python}× | {function_start.create.warm_vs_node}× | {bar create.warm_vs_python}× |
| `create-export-task`: peak memory, MiB | {function_start.create.peak_rss_mib.rust} | {function_start.create.peak_rss_mib.python} | {function_start.create.peak_rss_mib.node} | {function_start.create.rss_vs_python}× | {function_start.create.rss_vs_node}× | {bar create.rss_mib} MiB at most |
| `create-export-task`: zip, MB | {function_start.create.zip_mb} | | | | | {bar create.zip_mb} at most |
| `check-export-task`: process start to first answer, ms | {function_start.check.start_ms.rust} | {function_start.check.start_ms.python} | {function_start.check.start_ms.node} | {function_start.check.start_vs_python}× | {function_start.check.start_vs_node}× | {bar check.start_vs_python}×, {bar check.start_vs_node}× |
| `check-export-task`: answer when warm, ms | {function_start.check.warm_ms.rust} | {function_start.check.warm_ms.python} | {function_start.check.warm_ms.node} | {function_start.check.warm_vs_python}× | {function_start.check.warm_vs_node}× | {bar check.warm_vs_python}× |
| `check-export-task`: peak memory, MiB | {function_start.check.peak_rss_mib.rust} | {function_start.check.peak_rss_mib.python} | {function_start.check.peak_rss_mib.node} | {function_start.check.rss_vs_python}× | {function_start.check.rss_vs_node}× | {bar check.rss_mib} MiB at most |
| `check-export-task`: zip, MB | {function_start.check.zip_mb} | | | | | {bar check.zip_mb} at most |
| `plan-exports`: process start to first answer, ms | {function_start.plan.start_ms.rust} | | | | | |
| `plan-exports`: peak memory, MiB | {function_start.plan.peak_rss_mib.rust} | | | | | |
| `plan-exports`: zip, MB | {function_start.plan.zip_mb} | | | | | |
| `report-archive`: process start to first answer, ms | {function_start.report.start_ms.rust} | | | | | |
| `report-archive`: peak memory, MiB | {function_start.report.peak_rss_mib.rust} | | | | | |
| `report-archive`: zip, MB | {function_start.report.zip_mb} | | | | | |

Each process is started {function_start.create.starts} times, and gets {function_start.create.warm_events_per_start} events when it is warm.
";

const POLLING: &str = "
| Tasks | This workflow | Every 5 s | Every 30 s | Every 60 s |
|---|---:|---:|---:|---:|
| median 10 s, sigma 1.0 | {polling.median_10s.efficiency} by {polling.median_10s.polls_per_task} | {polling.median_10s.fixed_5s.efficiency} by {polling.median_10s.fixed_5s.polls_per_task} | {polling.median_10s.fixed_30s.efficiency} by {polling.median_10s.fixed_30s.polls_per_task} | {polling.median_10s.fixed_60s.efficiency} by {polling.median_10s.fixed_60s.polls_per_task} |
| median 45 s, sigma 1.2 | {polling.median_45s.efficiency} by {polling.median_45s.polls_per_task} | {polling.median_45s.fixed_5s.efficiency} by {polling.median_45s.fixed_5s.polls_per_task} | {polling.median_45s.fixed_30s.efficiency} by {polling.median_45s.fixed_30s.polls_per_task} | {polling.median_45s.fixed_60s.efficiency} by {polling.median_45s.fixed_60s.polls_per_task} |
| median 600 s, sigma 1.2 | {polling.median_600s.efficiency} by {polling.median_600s.polls_per_task} | {polling.median_600s.fixed_5s.efficiency} by {polling.median_600s.fixed_5s.polls_per_task} | {polling.median_600s.fixed_30s.efficiency} by {polling.median_600s.fixed_30s.polls_per_task} | {polling.median_600s.fixed_60s.efficiency} by {polling.median_600s.fixed_60s.polls_per_task} |
";

const POLLING_CONFIRMED: &str = "
| {polling.confirmed.tasks} tasks, all times multiplied by {polling.confirmed.scale} | Share of the slot's time | Polls a task |
|---|---:|---:|
| histories of the real engine | {polling.confirmed.measured.efficiency} | {polling.confirmed.measured.polls_per_task} |
| simulation of the same tasks, {polling.confirmed.poll_seconds} s a poll | {polling.confirmed.predicted.efficiency} | {polling.confirmed.predicted.polls_per_task} |
";

const COST: &str = "
| What | Transitions | History events | Invocations | Calls to AWS |
|---|---:|---:|---:|---:|
| a log-group-month exported, by a task of a minute | {cost.exported.transitions} | {cost.exported.history_events} | {cost.exported.lambda_invocations} | {cost.exported.api_calls}: {cost.exported.calls} |
| a log-group-month that is archived | {cost.archived.transitions} | {cost.archived.history_events} | {cost.archived.lambda_invocations} | {cost.archived.api_calls}: {cost.archived.calls} |
| a log-group-month skipped: no event | {cost.skipped.transitions} | {cost.skipped.history_events} | {cost.skipped.lambda_invocations} | {cost.skipped.api_calls}: {cost.skipped.calls} |
| a round of at most {cost.round_size} windows, besides | {cost.round.transitions} | {cost.round.history_events} | {cost.round.lambda_invocations} | {cost.round.api_calls}: {cost.round.calls} |
| a run, besides | {cost.run.transitions} | {cost.run.history_events} | {cost.run.lambda_invocations} | {cost.run.api_calls}: {cost.run.calls} |
";

const DOLLARS: &str = "
With tasks of one minute, a log group costs {cost.exported.transitions} transitions and {cost.exported.lambda_invocations} invocations of about {cost.prices.assumed.invocation_seconds} s at {cost.prices.assumed.function_gb} GB of memory. A round of at most {cost.round_size} log groups adds {cost.round.transitions} transitions, and a run {cost.run.transitions}.

| Log groups | Transitions | Invocations | Step Functions | Lambda | S3 requests | Own logs | A run, free tiers aside | Storage, each month kept |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
| 10 | {cost.dollars.10.transitions} | {cost.dollars.10.invocations} | {cost.dollars.10.step_functions} | {cost.dollars.10.lambda} | {cost.dollars.10.s3_requests} | {cost.dollars.10.own_logs} | {cost.dollars.10.total} | {cost.dollars.10.storage_of_a_month} |
| 100 | {cost.dollars.100.transitions} | {cost.dollars.100.invocations} | {cost.dollars.100.step_functions} | {cost.dollars.100.lambda} | {cost.dollars.100.s3_requests} | {cost.dollars.100.own_logs} | {cost.dollars.100.total} | {cost.dollars.100.storage_of_a_month} |
| 1,000 | {cost.dollars.1000.transitions} | {cost.dollars.1000.invocations} | {cost.dollars.1000.step_functions} | {cost.dollars.1000.lambda} | {cost.dollars.1000.s3_requests} | {cost.dollars.1000.own_logs} | {cost.dollars.1000.total} | {cost.dollars.1000.storage_of_a_month} |
| 10,000 | {cost.dollars.10000.transitions} | {cost.dollars.10000.invocations} | {cost.dollars.10000.step_functions} | {cost.dollars.10000.lambda} | {cost.dollars.10000.s3_requests} | {cost.dollars.10000.own_logs} | {cost.dollars.10000.total} | {cost.dollars.10000.storage_of_a_month} |

Computed with {cost.prices.per_1000_transitions} per 1,000 state transitions, {cost.prices.per_million_requests} per million requests, {cost.prices.per_gb_second} per GB-second, {cost.prices.per_1000_put_or_list} per 1,000 PUT or LIST requests, {cost.prices.per_gb_ingested} per GB ingested and {cost.prices.per_gb_month} per GB-month.
";

const SCALE: &str = "
| Log groups | Seconds | for each | Events in the run's history | Largest payload, bytes |
|---|---:|---:|---:|---:|
| {scale.n100.log_groups} to export | {scale.n100.seconds} | {scale.n100.seconds_each} | {scale.n100.events} | {scale.n100.largest_payload_bytes} |
| {scale.n100.log_groups} archived | {scale.n100.again.seconds} | {scale.n100.again.seconds_each} | {scale.n100.again.events} | {scale.n100.again.largest_payload_bytes} |
| {scale.n500.log_groups} to export | {scale.n500.seconds} | {scale.n500.seconds_each} | {scale.n500.events} | {scale.n500.largest_payload_bytes} |
| {scale.n500.log_groups} archived | {scale.n500.again.seconds} | {scale.n500.again.seconds_each} | {scale.n500.again.events} | {scale.n500.again.largest_payload_bytes} |
| {scale.n2000.log_groups} to export | {scale.n2000.seconds} | {scale.n2000.seconds_each} | {scale.n2000.events} | {scale.n2000.largest_payload_bytes} |
| {scale.n2000.log_groups} archived | {scale.n2000.again.seconds} | {scale.n2000.again.seconds_each} | {scale.n2000.again.events} | {scale.n2000.again.largest_payload_bytes} |
| {scale.n10000.log_groups} archived | {scale.n10000.seconds} | {scale.n10000.seconds_each} | {scale.n10000.events} | {scale.n10000.largest_payload_bytes} |

An export of the longest run takes {scale.n2000_vs_n100} times as long as one of the shortest. A log-group-month that is archived takes {scale.archived_vs_child} of the time of a child execution.

| A run with {scale.memory.log_group_months} log-group-months | `plan-exports`: peak, MiB | seconds | `report-archive`: peak, MiB |
|---|---:|---:|---:|
| all archived | {scale.memory.archived.plan_mib} | {scale.memory.archived.plan_seconds} | {scale.memory.archived.report_mib} |
| all skipped: created after the month | {scale.memory.skipped.plan_mib} | {scale.memory.skipped.plan_seconds} | {scale.memory.skipped.report_mib} |

A run makes {scale.objects.s3_calls} calls of Amazon S3, and {scale.objects.s3_calls_beside_them} where {scale.objects.added} other objects lie in the bucket.

| Log groups | Peak memory of each process, MiB |
|---:|---|
| {scale.n100.log_groups} | {scale.n100.peak_rss_mib} |
| {scale.n500.log_groups} | {scale.n500.peak_rss_mib} |
| {scale.n2000.log_groups} | {scale.n2000.peak_rss_mib} |
";

const STAND_IN: &str = "
| Events | Seconds | Events a second | Peak memory, MiB |
|---|---:|---:|---:|
| {stand_in.n10k.events} | {stand_in.n10k.seconds} | {stand_in.n10k.events_per_second} | {stand_in.n10k.peak_rss_mib} |
| {stand_in.n100k.events} | {stand_in.n100k.seconds} | {stand_in.n100k.events_per_second} | {stand_in.n100k.peak_rss_mib} |
| {stand_in.n1m.events} | {stand_in.n1m.seconds} | {stand_in.n1m.events_per_second} | {stand_in.n1m.peak_rss_mib} |
";

const COMPACTION: &str = "
{compaction.objects} gz objects, {compaction.lines} lines, {compaction.gz_mb} MB:

| Query | Bytes scanned, gz / Parquet | Time, gz / Parquet |
|---|---:|---:|
| errors per day | {compaction.queries.errors_per_day.parquet.bytes_gz_vs_this}× | {compaction.queries.errors_per_day.parquet.time_gz_vs_this}× |
| full text search | {compaction.queries.full_text_search.parquet.bytes_gz_vs_this}× | {compaction.queries.full_text_search.parquet.time_gz_vs_this}× |
| one hour's events | {compaction.queries.one_hour_events.parquet.bytes_gz_vs_this}× | {compaction.queries.one_hour_events.parquet.time_gz_vs_this}× |
| events per day, without reading messages | {compaction.queries.events_per_day.parquet.bytes_gz_vs_this}× | {compaction.queries.events_per_day.parquet.time_gz_vs_this}× |
";

const PARSING: &str = "
| What | Microseconds | Beside it | Microseconds | Times |
|---|---:|---:|---:|---:|
| the window of a month in Tokyo | {parsing.window_tokyo.microseconds} | its two midnights by chrono-tz | {parsing.window_tokyo.baseline_microseconds} | {parsing.window_tokyo.times_baseline}× |
| the window of a month in Berlin | {parsing.window_berlin.microseconds} | its two midnights by chrono-tz | {parsing.window_berlin.baseline_microseconds} | {parsing.window_berlin.times_baseline}× |
| an event of `create-export-task` | {parsing.event.microseconds} | a similar text by serde_json | {parsing.event.baseline_microseconds} | {parsing.event.times_baseline}× |
| the input of a run with 4,000 log groups | {parsing.input_4000.microseconds} | its text by serde_json | {parsing.input_4000.baseline_microseconds} | {parsing.input_4000.times_baseline}× |
| a log-group-month that is archived: its manifest, and the decision | {parsing.archived.microseconds} | a similar text by serde_json | {parsing.archived.baseline_microseconds} | {parsing.archived.times_baseline}× |
| the place of a log group in the archive | {parsing.place.microseconds} | a similar text by serde_json | {parsing.place.baseline_microseconds} | {parsing.place.times_baseline}× |
";
