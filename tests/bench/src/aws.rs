//! The AWS that the functions and the stand-in are measured with: the stand-in as a process of its own, and behind it no ministack, which
//! would be measured in its place, but a server that makes log groups up and keeps what is written.

mod objects;
mod source;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::{ExportTask, ExportTaskStatusCode};
use bytes::Bytes;
use hyper::Method;
use local_aws::{http, stack};
use serde_json::Value;

use crate::candidates::Candidates;
use crate::memory::peak_rss_mib;
use crate::planted::{PARTITION, S3_PREFIX, TIMEZONE};

pub use source::{ACCOUNT, BUCKET, Contents, LOG_GROUP, REGION, Source, WORK_BUCKET};

/// The environment of the functions, as the template sets it, and Node.js's: its SDK looks for a home where the user has no entry among
/// the system's users, and warns about versions at each start.
pub const VARIABLES: [(&str, &str); 12] = [
    ("ARCHIVE_NAME", "bench"),
    ("ARCHIVE_BUCKET", BUCKET),
    ("S3_PREFIX", S3_PREFIX),
    ("TIME_ZONE", TIMEZONE),
    ("SETTLE_DAYS", "0"),
    ("ACCOUNT_ID", ACCOUNT),
    ("PARTITION", PARTITION),
    ("WORK_BUCKET", WORK_BUCKET),
    ("TOPIC_ARN", "arn:aws:sns:ap-northeast-1:000000000000:bench"),
    // The months here are over for long, and so are the runs that are said to have begun after them.
    ("RUN_TIME_LIMIT_SECONDS", "3000000000"),
    ("HOME", "/tmp"),
    ("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true"),
];

/// Generous: a million events take seconds.
const PATIENCE: Duration = Duration::from_secs(300);
const FIRST_WAIT: Duration = Duration::from_millis(1);
/// Between looks at a task: each leaves an entry in the stand-in's journals, which must not be what its memory shows.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

pub struct Aws {
    source: Source,
    stand_in: Child,
    addr: SocketAddr,
    logs: Client,
    _owner: ChildStdin,
}

impl Aws {
    /// With the stand-in's settings.
    pub async fn start(candidates: &Candidates, contents: Contents, settings: &Value) -> Result<Self> {
        let source = Source::start(contents)?;
        let mut command = Command::new(candidates.stand_in());
        command.arg(source.addr().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut stand_in = command.spawn().context("cannot start the stand-in")?;
        let (stdin, stdout) = (stand_in.stdin.take(), stand_in.stdout.take());
        let mut line = String::new();
        BufReader::new(stdout.context("no stdout")?).read_line(&mut line)?;
        let addr: SocketAddr = line.trim().parse().with_context(|| format!("the stand-in tells no address: {line:?}"))?;
        let logs = Client::new(&stack::sdk_config(&format!("http://{addr}"), REGION, ACCOUNT));
        let aws = Self { source, stand_in, addr, logs, _owner: stdin.context("no stdin")? };
        let (status, answer) = http::request(addr, Method::PUT, "/_local/export-tasks", Bytes::from(settings.to_string())).await?;
        ensure!(status.is_success(), "the stand-in does not take its settings: {}", String::from_utf8_lossy(&answer));
        Ok(aws)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    pub fn logs(&self) -> &Client {
        &self.logs
    }

    /// The task once it is no longer in any of these states.
    pub async fn task_after(&self, task_id: &str, states: &[ExportTaskStatusCode]) -> Result<ExportTask> {
        let (mut wait, since) = (FIRST_WAIT, Instant::now());
        loop {
            ensure!(since.elapsed() < PATIENCE, "task {task_id} does not get past {states:?}");
            let tasks = self.logs.describe_export_tasks().task_id(task_id).send().await?.export_tasks.unwrap_or_default();
            let task = tasks.into_iter().next().context("the task is gone")?;
            match task.status().and_then(|status| status.code()) {
                Some(code) if states.contains(code) => {
                    tokio::time::sleep(wait).await;
                    wait = LONGEST_WAIT.min(wait * 2);
                }
                _ => return Ok(task),
            }
        }
    }

    pub fn peak_rss_mib(&self) -> Result<f64> {
        peak_rss_mib(self.stand_in.id())
    }

    /// Waits until the objects hold so many events.
    pub async fn wait_until_written(&self, events: usize) -> Result<()> {
        let since = Instant::now();
        while self.source.written_lines()? < events {
            ensure!(since.elapsed() < PATIENCE, "the stand-in has not written {events} events");
            tokio::time::sleep(FIRST_WAIT).await;
        }
        Ok(())
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill.
        let _ended = self.stand_in.kill();
        let _reaped = self.stand_in.wait();
    }
}
