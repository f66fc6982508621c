//! The operator's tool: `fetch`, `verify` beside the same loop in boto3, the calls of `status`, its start and its size.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use chrono::TimeDelta;
use export_core::contract::report::{Counts, SCHEMA_VERSION};
use export_core::{Month, Window};
use serde_json::{Value, json};

use crate::aws::{ACCOUNT, Aws, BUCKET, Contents, LOG_GROUP, REGION, Source};
use crate::bars::Bar;
use crate::by_hand;
use crate::candidates::Candidates;
use crate::fetch;
use crate::memory::peak_until_exit;
use crate::month;
use crate::planted;
use crate::stats::{median, rounded};

/// How much the tool has to look at.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub events: usize,
    /// Of `verify`, of `fetch` and of their baselines, in turn.
    pub verifications: usize,
    pub log_groups: usize,
    pub months: usize,
    pub starts: usize,
}

impl Effort {
    pub const FULL: Self = Self { events: 1_000_000, verifications: 3, log_groups: 1_000, months: 24, starts: 31 };
    pub const QUICK: Self = Self { events: 100_000, verifications: 1, log_groups: 1_000, months: 24, starts: 7 };
}

pub const BARS: [(&str, Bar); 5] = [
    ("tool.verify.times_python", Bar::AtLeast(2.0)),
    ("tool.verify.peak_rss_mib", Bar::AtMost(64.0)),
    ("tool.status.calls", Bar::AtMost(50.0)),
    ("tool.help_ms", Bar::AtMost(10.0)),
    ("tool.binary_mb", Bar::AtMost(20.0)),
];

pub async fn measure(candidates: &Candidates, effort: Effort) -> Result<Value> {
    let tool = candidates.tool();
    let help = || {
        let started = Instant::now();
        let help = Command::new(tool).arg("--help").stdout(Stdio::null()).status().context("the tool does not start")?;
        ensure!(help.success(), "--help ended with {help}");
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    };
    let help_ms: Vec<f64> = (0..effort.starts).map(|_| help()).collect::<Result<_>>()?;
    Ok(json!({
        "fetch": fetch::measure(candidates, fetch::Effort { events: effort.events, runs: effort.verifications }).await.context("fetch")?,
        "verify": verify(candidates, effort).await.context("verify")?,
        "status": status(tool, effort).context("status")?,
        "help_ms": rounded(median(&help_ms)),
        "binary_mb": rounded(tool.metadata()?.len() as f64 / 1e6),
    }))
}

/// An archive of one log group that the functions have made.
async fn verify(candidates: &Candidates, effort: Effort) -> Result<Value> {
    let settings = json!({"pendingMs": 0, "runningMs": 0});
    let aws = Aws::start(candidates, Contents::one_log_group(effort.events), &settings).await?;
    let input = month::input(&[LOG_GROUP.to_owned()]);
    let ran = tokio::task::block_in_place(|| by_hand::run(candidates, aws.addr(), aws.source(), input))?;
    month::require_outcome(&ran.output, "exported", 1)?;
    let address = aws.source().addr();
    let prefix = format!("{}/log_group={LOG_GROUP}/year=2024/month=10/", planted::S3_PREFIX);
    let (mut ours, mut theirs, mut peak, mut calls) = (Vec::new(), Vec::new(), 0.0_f64, 0);
    for _ in 0..effort.verifications {
        let before = aws.source().calls();
        let (seconds, mib, verified) = tokio::task::block_in_place(|| {
            run(tool_command(candidates.tool(), address).args(["verify", LOG_GROUP, "--month", month::MONTH, "--output", "json"]))
        })?;
        calls = aws.source().calls() - before;
        ensure!(verified.contains(&effort.events.to_string()), "verify says nothing of {} events: {verified}", effort.events);
        ours.push(seconds);
        peak = peak.max(mib);
        let mut python = candidates.python_script("verify.py");
        let window = [month::FROM, month::TO].map(|millis| millis.to_string());
        let arguments = [&format!("http://{address}"), LOG_GROUP, &window[0], &window[1], BUCKET, &prefix];
        let (seconds, _, counted) = tokio::task::block_in_place(|| run(credentials(&mut python).args(arguments)))?;
        ensure!(counted.trim() == effort.events.to_string(), "the baseline found {counted} events");
        theirs.push(seconds);
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    Ok(json!({
        "events": effort.events, "seconds": rounded(ours), "python_seconds": rounded(theirs), "times_python": rounded(theirs / ours),
        "peak_rss_mib": rounded(peak), "calls": calls,
    }))
}

/// An archive of many log groups, exported by one run a month.
fn status(tool: &Path, effort: Effort) -> Result<Value> {
    let log_groups: Vec<String> = (0..effort.log_groups).map(|index| format!("/bench/tool/{index:05}")).collect();
    let source = Source::start(Contents::log_groups(log_groups.clone(), month::CREATED, 0))?;
    let months = std::iter::successors(Some(month::MONTH.parse::<Month>()?), |month| Some(month.previous())).take(effort.months);
    for month in months {
        plant_run(&source, &log_groups, month)?;
    }
    let before = source.calls();
    let (seconds, mib, matrix) = run(tool_command(tool, source.addr()).args(["status", "--to", month::MONTH, "--output", "json"]))?;
    let matrix: Vec<Value> = serde_json::from_str(&matrix)?;
    let archived = matrix.iter().filter(|cell| cell["state"] == "archived").count();
    ensure!(archived == effort.log_groups * effort.months, "{archived} of {} are archived", matrix.len());
    Ok(json!({
        "log_group_months": archived, "calls": source.calls() - before, "seconds": rounded(seconds), "peak_rss_mib": rounded(mib),
    }))
}

/// What the run of a month left: manifests, objects and its report.
fn plant_run(source: &Source, log_groups: &[String], month: Month) -> Result<()> {
    let stack = planted::stack(ACCOUNT, REGION, BUCKET)?;
    let window = Window::of(month, stack.timezone);
    let start = window.complete_at() + TimeDelta::hours(1);
    let mut decided = Vec::new();
    for (index, name) in (0..).zip(log_groups) {
        let at = start + TimeDelta::seconds(index);
        for (key, body) in planted::exported(&stack, name, month)? {
            source.objects().put_at(BUCKET, &key, body, at);
        }
        decided.push(json!({
            "source": {"logGroupName": name, "s3BucketName": BUCKET, "s3Prefix": planted::S3_PREFIX}, "month": month, "window": window,
            "became": "exported", "task_id": null, "objects": 1, "bytes": 1, "seconds": 1.0,
        }));
    }
    let end = start + TimeDelta::seconds(log_groups.len() as i64);
    let (started, ended) = (export_core::time::format_instant(start), export_core::time::format_instant(end));
    let report = json!({
        "schema_version": SCHEMA_VERSION, "execution": "planted", "started": started, "ended": ended, "scheduled_time": started,
        "compared_everything": true, "due_month": month, "due_month_archived": true, "timezone": planted::TIMEZONE, "months": [month],
        "counts": Counts::default(), "missing_count": 0, "slot_hours_used": 0.0, "slot_hours_needed": 0.0, "error": null,
        "compaction_error": null, "warnings": [], "told": true, "decided": decided, "missing": [], "found": log_groups,
    });
    let key = stack.report_key(month, export_core::time::Millis::of(start), "planted");
    source.objects().put_at(BUCKET, &key, Bytes::from(report.to_string()), end);
    Ok(())
}

pub fn tool_command(tool: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(tool);
    credentials(&mut command).args(["--endpoint-url", &format!("http://{address}"), "--region", REGION]);
    command
}

pub fn credentials(command: &mut Command) -> &mut Command {
    command
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "bench")
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
}

/// Seconds, peak memory in MiB, and stdout of a program that ends well.
fn run(command: &mut Command) -> Result<(f64, f64, String)> {
    let started = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {command:?}"))?;
    let watched = std::thread::spawn({
        let pid = child.id();
        move || peak_until_exit(pid)
    });
    let output = child.wait_with_output()?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    let peak = watched.join().map_err(|_| anyhow::anyhow!("the thread that reads the memory panicked"))??;
    Ok((seconds, peak, String::from_utf8(output.stdout)?))
}
