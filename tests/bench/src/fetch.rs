//! `logs-archive fetch` beside what people do by hand: the AWS CLI, zcat and sort for the archive; boto3 and awslogs for the source.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use export_core::time::Millis;
use serde_json::{Value, json};

use crate::aws::{Aws, BUCKET, Contents, LOG_GROUP};
use crate::bars::Bar;
use crate::by_hand;
use crate::candidates::Candidates;
use crate::memory::peak_until_exit;
use crate::month;
use crate::planted;
use crate::stats::{median, rounded};
use crate::tool::{credentials, tool_command};

/// Events, and how often each program is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub events: usize,
    pub runs: usize,
}

pub const BARS: [(&str, Bar); 6] = [
    ("tool.fetch.times_aws_cli", Bar::AtLeast(3.0)),
    ("tool.fetch.grep_times_aws_cli", Bar::AtLeast(3.0)),
    ("tool.fetch.peak_rss_mib", Bar::AtMost(64.0)),
    ("tool.fetch.source_times_python", Bar::AtLeast(2.0)),
    ("tool.fetch.source_times_awslogs", Bar::AtLeast(1.0)),
    ("tool.fetch.source_peak_rss_mib", Bar::AtMost(64.0)),
];

const STREAMS: usize = 40;
/// About one event of a thousand has it.
const PATTERN: &str = "duration=0999ms";
const PERIOD: [&str; 4] = ["--since", "2024-10-01", "--until", "2024-11-01"];
/// Read from the source at most: awslogs takes minutes for more.
const SOURCE_EVENTS: usize = 100_000;

/// What a program took, and how many lines it wrote.
struct Ran {
    seconds: f64,
    peak_mib: f64,
    lines: usize,
}

pub async fn measure(candidates: &Candidates, effort: Effort) -> Result<Value> {
    let settings = json!({"pendingMs": 0, "runningMs": 0});
    let per_stream = effort.events / STREAMS;
    // Spread over the month.
    let step = (month::TO - month::FROM) / per_stream as i64;
    let contents = Contents { streams: STREAMS, step, ..Contents::one_log_group(effort.events) };
    let aws = Aws::start(candidates, contents, &settings).await?;
    let input = month::input(&[LOG_GROUP.to_owned()]);
    let ran = tokio::task::block_in_place(|| by_hand::run(candidates, aws.addr(), aws.source(), input))?;
    month::require_outcome(&ran.output, "exported", 1)?;
    let lines = aws.source().written_lines()?;
    ensure!(lines == effort.events, "{lines} of {} events were exported", effort.events);
    tokio::task::block_in_place(|| compare(candidates, &aws, effort))
}

fn compare(candidates: &Candidates, aws: &Aws, effort: Effort) -> Result<Value> {
    let address = aws.source().addr();
    let endpoint = format!("http://{address}");
    let ours = |arguments: &[&str]| {
        let mut command = tool_command(candidates.tool(), address);
        command.args(["fetch", LOG_GROUP]).args(PERIOD).args(arguments);
        command
    };
    let folder = tempfile::tempdir()?;
    // Sorted by bytes, which is much quicker than by a language.
    let by_hand = |then: &str| {
        let prefix = format!("{}/log_group={LOG_GROUP}/year=2024/month=10/", planted::S3_PREFIX);
        let script = format!(
            "set -e; rm -rf events; \"$AWS\" --endpoint-url {endpoint} s3 cp --quiet --recursive 's3://{BUCKET}/{prefix}' events
             find events -name '*.gz' -print0 | xargs -0 zcat | LC_ALL=C sort{then}"
        );
        let mut command = Command::new("sh");
        credentials(&mut command).args(["-c", &script]).current_dir(&folder).env("AWS", candidates.script("aws"));
        command
    };
    let source_events = effort.events.min(SOURCE_EVENTS);
    let step = (month::TO - month::FROM) / (effort.events / STREAMS) as i64;
    let until = month::FROM + (source_events / STREAMS) as i64 * step;
    let (since_text, until_text) = (Millis(month::FROM).to_string(), Millis(until).to_string());
    let from_source = || {
        let mut command = tool_command(candidates.tool(), address);
        command.args(["fetch", LOG_GROUP, "--source", "--since", &since_text, "--until", &until_text]);
        command
    };
    let python = || {
        let mut command = candidates.python_script("fetch.py");
        credentials(&mut command).args([&endpoint, LOG_GROUP, &month::FROM.to_string(), &(until - 1).to_string()]);
        command
    };
    let awslogs = || {
        let mut command = Command::new(candidates.script("awslogs"));
        let end = Millis(until - 1).to_string();
        let period = ["--start", &since_text, "--end", &end, "--timestamp", "--color", "never"];
        credentials(&mut command).env("AWS_ENDPOINT_URL", &endpoint).args(["get", LOG_GROUP, "ALL"]).args(period);
        command
    };
    let grep = format!(" | grep {PATTERN}");
    let (mut all, mut matching, mut source) = ([vec![], vec![]], [vec![], vec![]], [vec![], vec![], vec![]]);
    for _ in 0..effort.runs {
        all[0].push(run(ours(&[]))?);
        all[1].push(run(by_hand(""))?);
        matching[0].push(run(ours(&["--grep", PATTERN]))?);
        matching[1].push(run(by_hand(&grep))?);
        source[0].push(run(from_source())?);
        source[1].push(run(python())?);
        source[2].push(run(awslogs())?);
    }
    let names = ["fetch", "the AWS CLI", "fetch --source", "boto3", "awslogs"];
    for (index, (name, runs)) in names.into_iter().zip(all.iter().chain(&source)).enumerate() {
        let events = if index < all.len() { effort.events } else { source_events };
        for ran in runs {
            ensure!(ran.lines == events, "{name}: {} lines of {events} events", ran.lines);
        }
    }
    let lines: Vec<usize> = matching.iter().flatten().map(|ran| ran.lines).collect();
    ensure!(lines[0] > 0 && lines.iter().all(|number| *number == lines[0]), "not the same matches: {lines:?}");

    let [all, matching] = [all, matching].map(|candidates| candidates.map(seconds_and_peak));
    let source = source.map(seconds_and_peak);
    Ok(json!({
        "events": effort.events,
        "seconds": rounded(all[0].0), "aws_cli_seconds": rounded(all[1].0), "times_aws_cli": rounded(all[1].0 / all[0].0),
        "peak_rss_mib": rounded(all[0].1),
        "grep_seconds": rounded(matching[0].0), "grep_times_aws_cli": rounded(matching[1].0 / matching[0].0),
        "source_seconds": rounded(source[0].0), "source_times_python": rounded(source[1].0 / source[0].0),
        "source_times_awslogs": rounded(source[2].0 / source[0].0), "source_peak_rss_mib": rounded(source[0].1),
    }))
}

/// The median of the seconds, and the largest peak.
fn seconds_and_peak(runs: Vec<Ran>) -> (f64, f64) {
    let seconds: Vec<f64> = runs.iter().map(|ran| ran.seconds).collect();
    (median(&seconds), runs.iter().map(|ran| ran.peak_mib).fold(0.0, f64::max))
}

/// Its lines are counted by another program, as they would be read.
fn run(mut command: Command) -> Result<Ran> {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {command:?}"))?;
    let stdout = child.stdout.take().context("no stdout")?;
    let counter = Command::new("wc").arg("-l").stdin(stdout).stdout(Stdio::piped()).spawn().context("cannot run wc")?;
    let pid = child.id();
    let watched = std::thread::spawn(move || peak_until_exit(pid));
    let counted = counter.wait_with_output()?;
    let status = child.wait()?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    let peak_mib = watched.join().map_err(|_| anyhow::anyhow!("the thread that reads the memory panicked"))??;
    Ok(Ran { seconds, peak_mib, lines: String::from_utf8(counted.stdout)?.trim().parse()? })
}
