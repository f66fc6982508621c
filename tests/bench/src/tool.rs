//! The operator's tool: `fetch`, `verify` compared with the same loop in boto3, the calls of `status`, its start time and its size.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use chrono::TimeDelta;
use export_core::time::{Millis, format_instant};
use export_core::{Month, Window};
use serde_json::{Value, json};

use crate::aws::{ACCOUNT, Aws, BUCKET, Contents, LOG_GROUP, REGION, Source};
use crate::bars::Bar;
use crate::direct_run;
use crate::fetch;
use crate::fixtures;
use crate::memory::peak_until_exit;
use crate::month;
use crate::programs::{Program, Programs};
use crate::stats::{median, rounded};

#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub events: usize,
    /// How often `verify`, `fetch` and their baselines run.
    pub repetitions: usize,
    pub log_groups: usize,
    pub months: usize,
    pub starts: usize,
}

impl Effort {
    pub const FULL: Self = Self { events: 1_000_000, repetitions: 3, log_groups: 1_000, months: 24, starts: 31 };
    pub const QUICK: Self = Self { events: 100_000, repetitions: 1, log_groups: 1_000, months: 24, starts: 7 };
}

pub const BARS: [(&str, Bar); 5] = [
    ("tool.verify.times_python", Bar::AtLeast(2.0)),
    ("tool.verify.peak_rss_mib", Bar::AtMost(64.0)),
    ("tool.status.calls", Bar::AtMost(50.0)),
    ("tool.help_ms", Bar::AtMost(10.0)),
    ("tool.binary_mb", Bar::AtMost(20.0)),
];

pub async fn measure(programs: &Programs, effort: Effort) -> Result<Value> {
    let tool = programs.path(Program::Tool)?;
    let help = || {
        let started = Instant::now();
        let help = Command::new(tool).arg("--help").stdout(Stdio::null()).status().context("the tool does not start")?;
        ensure!(help.success(), "--help ended with {help}");
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    };
    let help_ms: Vec<f64> = (0..effort.starts).map(|_| help()).collect::<Result<_>>()?;
    Ok(json!({
        "fetch": fetch::measure(programs, fetch::Effort { events: effort.events, repetitions: effort.repetitions }).await.context("fetch")?,
        "verify": verify(programs, effort).await.context("verify")?,
        "status": status(tool, effort).context("status")?,
        "help_ms": rounded(median(&help_ms)),
        "binary_mb": rounded(tool.metadata()?.len() as f64 / 1e6),
    }))
}

/// The functions export one log group. The tool and the baseline compare the archive with it.
async fn verify(programs: &Programs, effort: Effort) -> Result<Value> {
    let settings = json!({"pendingMs": 0, "runningMs": 0});
    let aws = Aws::start(programs, Contents::one_log_group(effort.events), &settings).await?;
    let input = month::input(&[LOG_GROUP.to_owned()]);
    let export = tokio::task::block_in_place(|| direct_run::run(programs, aws.addr(), aws.source(), input))?;
    month::require_outcome(&export.output, "exported", 1)?;
    let address = aws.source().addr();
    let prefix = format!("{}/log_group={LOG_GROUP}/year=2024/month=10/", fixtures::S3_PREFIX);
    let tool = programs.path(Program::Tool)?;
    let (mut tool_seconds, mut python_seconds, mut peak, mut calls) = (Vec::new(), Vec::new(), 0.0_f64, 0);
    for _ in 0..effort.repetitions {
        let before = aws.source().calls();
        let (seconds, mib, output) = tokio::task::block_in_place(|| {
            run(tool_command(tool, address).args(["verify", LOG_GROUP, "--month", month::MONTH, "--output", "json"]))
        })?;
        calls = aws.source().calls() - before;
        ensure!(output.contains(&effort.events.to_string()), "verify did not find {} events: {output}", effort.events);
        tool_seconds.push(seconds);
        peak = peak.max(mib);
        let mut python = programs.python_script("verify.py")?;
        let window = [month::FROM, month::TO].map(|millis| millis.to_string());
        let arguments = [&format!("http://{address}"), LOG_GROUP, &window[0], &window[1], BUCKET, &prefix];
        let (seconds, _, count) = tokio::task::block_in_place(|| run(with_credentials(&mut python).args(arguments)))?;
        ensure!(count.trim() == effort.events.to_string(), "the baseline found {count} events");
        python_seconds.push(seconds);
    }
    let (tool, python) = (median(&tool_seconds), median(&python_seconds));
    Ok(json!({
        "events": effort.events, "seconds": rounded(tool), "python_seconds": rounded(python), "times_python": rounded(python / tool),
        "peak_rss_mib": rounded(peak), "calls": calls,
    }))
}

/// The archive has many log groups, which one run per month exported.
fn status(tool: &Path, effort: Effort) -> Result<Value> {
    let log_groups: Vec<String> = (0..effort.log_groups).map(|index| format!("/bench/tool/{index:05}")).collect();
    let source = Source::start(Contents::log_groups(log_groups.clone(), month::CREATED, 0))?;
    let months = std::iter::successors(Some(month::MONTH.parse::<Month>()?), |month| Some(month.previous())).take(effort.months);
    for month in months {
        put_run(&source, &log_groups, month)?;
    }
    let before = source.calls();
    let (seconds, mib, matrix) = run(tool_command(tool, source.addr()).args(["status", "--to", month::MONTH, "--output", "json"]))?;
    let matrix: Vec<Value> = serde_json::from_str(&matrix)?;
    let archived = matrix.iter().filter(|cell| cell["state"] == "archived").count();
    ensure!(archived == effort.log_groups * effort.months, "status shows {archived} of {} as archived", matrix.len());
    Ok(json!({
        "log_group_months": archived, "calls": source.calls() - before, "seconds": rounded(seconds), "peak_rss_mib": rounded(mib),
    }))
}

/// Puts the objects of one month's run: manifests, exports and its report.
fn put_run(source: &Source, log_groups: &[String], month: Month) -> Result<()> {
    let stack = fixtures::stack(ACCOUNT, REGION, BUCKET)?;
    let window = Window::of(month, stack.timezone);
    let start = window.complete_at() + TimeDelta::hours(1);
    let mut decided = Vec::new();
    for (index, name) in (0..).zip(log_groups) {
        let at = start + TimeDelta::seconds(index);
        for (key, body) in fixtures::export_objects(&stack, name, month)? {
            source.objects().put_at(BUCKET, &key, body, at);
        }
        decided.push(json!({
            "source": {"logGroupName": name, "s3BucketName": BUCKET, "s3Prefix": fixtures::S3_PREFIX}, "month": month, "window": window,
            "became": "exported", "task_id": null, "objects": 1, "bytes": 1, "seconds": 1.0,
        }));
    }
    let end = start + TimeDelta::seconds(log_groups.len() as i64);
    let mut report = fixtures::report(&format_instant(start), &format_instant(end), &month.to_string(), log_groups);
    report["months"] = json!([month]);
    report["decided"] = json!(decided);
    let key = stack.report_key(month, Millis::of(start), "fixture");
    source.objects().put_at(BUCKET, &key, Bytes::from(report.to_string()), end);
    Ok(())
}

pub fn tool_command(tool: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(tool);
    with_credentials(&mut command).args(["--endpoint-url", &format!("http://{address}"), "--region", REGION]);
    command
}

pub fn with_credentials(command: &mut Command) -> &mut Command {
    command
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "bench")
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
}

/// The seconds, the peak memory in MiB and the stdout of a program that succeeds.
fn run(command: &mut Command) -> Result<(f64, f64, String)> {
    let started = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {command:?}"))?;
    let peak = std::thread::spawn({
        let pid = child.id();
        move || peak_until_exit(pid)
    });
    let output = child.wait_with_output()?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    let peak = peak.join().map_err(|_| anyhow::anyhow!("the thread that reads the memory panicked"))??;
    Ok((seconds, peak, String::from_utf8(output.stdout)?))
}
