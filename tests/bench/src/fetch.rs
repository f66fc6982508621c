//! `logs-archive fetch` compared with the usual tools: the AWS CLI, zcat and sort for the archive; boto3 and awslogs for the source.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use export_core::time::Millis;
use serde_json::{Value, json};

use crate::aws::{Aws, BUCKET, Contents, LOG_GROUP};
use crate::bars::Bar;
use crate::direct_run;
use crate::fixtures;
use crate::memory::peak_until_exit;
use crate::month;
use crate::programs::{Program, Programs};
use crate::stats::{median, rounded};
use crate::tool::{tool_command, with_credentials};

#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub events: usize,
    pub repetitions: usize,
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
/// About one event in a thousand has this text.
const PATTERN: &str = "duration=0999ms";
const PERIOD: [&str; 4] = ["--since", "2024-10-01", "--until", "2024-11-01"];
/// awslogs takes minutes for more events.
const MAX_SOURCE_EVENTS: usize = 100_000;

struct Sample {
    seconds: f64,
    peak_mib: f64,
    lines: usize,
}

pub async fn measure(programs: &Programs, effort: Effort) -> Result<Value> {
    let settings = json!({"pendingMs": 0, "runningMs": 0});
    // The events cover the whole month.
    let event_interval = (month::TO - month::FROM) / (effort.events / STREAMS) as i64;
    let contents = Contents { streams: STREAMS, event_interval, ..Contents::one_log_group(effort.events) };
    let aws = Aws::start(programs, contents, &settings).await?;
    let input = month::input(&[LOG_GROUP.to_owned()]);
    let export = tokio::task::block_in_place(|| direct_run::run(programs, aws.addr(), aws.source(), input))?;
    month::require_outcome(&export.output, "exported", 1)?;
    let lines = aws.source().count_lines()?;
    ensure!(lines == effort.events, "{lines} of {} events were exported", effort.events);
    tokio::task::block_in_place(|| compare(programs, &aws, event_interval, effort))
}

fn compare(programs: &Programs, aws: &Aws, event_interval: i64, effort: Effort) -> Result<Value> {
    let address = aws.source().addr();
    let endpoint = format!("http://{address}");
    let (tool, aws_cli_folder) = (programs.path(Program::Tool)?, programs.path(Program::AwsCli)?);
    let fetch = |arguments: &[&str]| {
        let mut command = tool_command(tool, address);
        command.args(["fetch", LOG_GROUP]).args(arguments);
        command
    };
    let folder = tempfile::tempdir()?;
    let aws_cli = |filter: &str| {
        let prefix = format!("{}/log_group={LOG_GROUP}/year=2024/month=10/", fixtures::S3_PREFIX);
        // Sorting by bytes is much faster than by the rules of a language.
        let script = format!(
            "set -e; rm -rf events; \"$AWS\" --endpoint-url {endpoint} s3 cp --quiet --recursive 's3://{BUCKET}/{prefix}' events
             find events -name '*.gz' -print0 | xargs -0 zcat | LC_ALL=C sort{filter}"
        );
        let mut command = Command::new("sh");
        with_credentials(&mut command).args(["-c", &script]).current_dir(&folder).env("AWS", aws_cli_folder.join("aws"));
        command
    };
    let source_events = effort.events.min(MAX_SOURCE_EVENTS);
    let source_end = month::FROM + (source_events / STREAMS) as i64 * event_interval;
    let [since, until, last] = [month::FROM, source_end, source_end - 1].map(|millis| Millis(millis).to_string());
    let python = || {
        let mut command = programs.python_script("fetch.py")?;
        with_credentials(&mut command).args([&endpoint, LOG_GROUP, &month::FROM.to_string(), &(source_end - 1).to_string()]);
        anyhow::Ok(command)
    };
    let awslogs = || {
        let mut command = Command::new(aws_cli_folder.join("awslogs"));
        let period = ["--start", &since, "--end", &last, "--timestamp", "--color", "never"];
        with_credentials(&mut command).env("AWS_ENDPOINT_URL", &endpoint).args(["get", LOG_GROUP, "ALL"]).args(period);
        command
    };
    let mut samples: [Vec<Sample>; 7] = Default::default();
    for _ in 0..effort.repetitions {
        let commands = [
            fetch(&PERIOD),
            aws_cli(""),
            fetch(&[&PERIOD[..], &["--grep", PATTERN]].concat()),
            aws_cli(&format!(" | grep {PATTERN}")),
            fetch(&["--source", "--since", &since, "--until", &until]),
            python()?,
            awslogs(),
        ];
        for (samples, command) in samples.iter_mut().zip(commands) {
            samples.push(run(command)?);
        }
    }
    let matches = samples[2][0].lines;
    ensure!(matches > 0, "fetch --grep found nothing");
    let expected = [effort.events, effort.events, matches, matches, source_events, source_events, source_events];
    for (index, (samples, expected)) in samples.iter().zip(expected).enumerate() {
        for sample in samples {
            ensure!(sample.lines == expected, "command {index} wrote {} lines, not {expected}", sample.lines);
        }
    }

    let [fetch, aws_cli, grep, aws_cli_grep, source, python, awslogs] = samples.map(summarize);
    Ok(json!({
        "events": effort.events,
        "seconds": rounded(fetch.seconds), "aws_cli_seconds": rounded(aws_cli.seconds),
        "times_aws_cli": rounded(aws_cli.seconds / fetch.seconds), "peak_rss_mib": rounded(fetch.peak_mib),
        "grep_seconds": rounded(grep.seconds), "grep_times_aws_cli": rounded(aws_cli_grep.seconds / grep.seconds),
        "source_seconds": rounded(source.seconds), "source_times_python": rounded(python.seconds / source.seconds),
        "source_times_awslogs": rounded(awslogs.seconds / source.seconds), "source_peak_rss_mib": rounded(source.peak_mib),
    }))
}

struct Summary {
    /// The median.
    seconds: f64,
    /// The maximum.
    peak_mib: f64,
}

fn summarize(samples: Vec<Sample>) -> Summary {
    let seconds: Vec<f64> = samples.iter().map(|sample| sample.seconds).collect();
    Summary { seconds: median(&seconds), peak_mib: samples.iter().map(|sample| sample.peak_mib).fold(0.0, f64::max) }
}

/// Runs a command whose output another program reads, and counts the lines.
fn run(mut command: Command) -> Result<Sample> {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {command:?}"))?;
    let stdout = child.stdout.take().context("no stdout")?;
    let counter = Command::new("wc").arg("-l").stdin(stdout).stdout(Stdio::piped()).spawn().context("cannot run wc")?;
    let pid = child.id();
    let peak = std::thread::spawn(move || peak_until_exit(pid));
    let count = counter.wait_with_output()?;
    let status = child.wait()?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    let peak_mib = peak.join().map_err(|_| anyhow::anyhow!("the thread that reads the memory panicked"))??;
    Ok(Sample { seconds, peak_mib, lines: String::from_utf8(count.stdout)?.trim().parse()? })
}
