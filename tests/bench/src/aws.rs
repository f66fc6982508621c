//! The AWS that the measured programs call: the stand-in as a separate process, in front of a test server that generates log groups and
//! stores objects. ministack is not used, because its own time and memory would be measured.

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

use crate::fixtures::{PARTITION, S3_PREFIX, TIMEZONE};
use crate::memory::peak_rss_mib;
use crate::programs::{Program, Programs};

pub use source::{ACCOUNT, BUCKET, Contents, LOG_GROUP, REGION, Source, WORK_BUCKET};

/// The environment of the functions, as the template sets it. The last two are for Node.js: its SDK needs a home folder, and warns about
/// versions at each start.
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
    // The runs claim to have started in 2024, so they are years old.
    ("RUN_TIME_LIMIT_SECONDS", "3000000000"),
    ("HOME", "/tmp"),
    ("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true"),
];

/// A million events take seconds.
const TIMEOUT: Duration = Duration::from_secs(300);
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(1);
/// Each poll adds an entry to the stand-in's journals, and so to its memory.
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(500);

pub struct Aws {
    source: Source,
    stand_in: Child,
    addr: SocketAddr,
    logs: Client,
    _owner: ChildStdin,
}

impl Aws {
    pub async fn start(programs: &Programs, contents: Contents, stand_in_settings: &Value) -> Result<Self> {
        let source = Source::start(contents)?;
        let mut command = Command::new(programs.path(Program::StandIn)?);
        command.arg(source.addr().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut stand_in = command.spawn().context("cannot start the stand-in")?;
        let (stdin, stdout) = (stand_in.stdin.take(), stand_in.stdout.take());
        let mut line = String::new();
        BufReader::new(stdout.context("no stdout")?).read_line(&mut line)?;
        let addr: SocketAddr = line.trim().parse().with_context(|| format!("the stand-in printed no address: {line:?}"))?;
        let logs = Client::new(&stack::sdk_config(&format!("http://{addr}"), REGION, ACCOUNT));
        let aws = Self { source, stand_in, addr, logs, _owner: stdin.context("no stdin")? };
        let settings = Bytes::from(stand_in_settings.to_string());
        let (status, answer) = http::request(addr, Method::PUT, "/_local/export-tasks", settings).await?;
        ensure!(status.is_success(), "the stand-in refused its settings: {}", String::from_utf8_lossy(&answer));
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

    /// Waits until the task has left these statuses.
    pub async fn wait_for_task(&self, task_id: &str, statuses: &[ExportTaskStatusCode]) -> Result<ExportTask> {
        let (mut interval, started) = (MIN_POLL_INTERVAL, Instant::now());
        loop {
            ensure!(started.elapsed() < TIMEOUT, "task {task_id} is still in one of {statuses:?}");
            let tasks = self.logs.describe_export_tasks().task_id(task_id).send().await?.export_tasks.unwrap_or_default();
            let task = tasks.into_iter().next().context("the task does not exist")?;
            match task.status().and_then(|status| status.code()) {
                Some(code) if statuses.contains(code) => {
                    tokio::time::sleep(interval).await;
                    interval = MAX_POLL_INTERVAL.min(interval * 2);
                }
                _ => return Ok(task),
            }
        }
    }

    pub fn peak_rss_mib(&self) -> Result<f64> {
        peak_rss_mib(self.stand_in.id())
    }

    /// Waits until the objects have this number of events.
    pub async fn wait_for_events(&self, events: usize) -> Result<()> {
        let started = Instant::now();
        while self.source.count_lines()? < events {
            ensure!(started.elapsed() < TIMEOUT, "the stand-in has not written {events} events");
            tokio::time::sleep(MIN_POLL_INTERVAL).await;
        }
        Ok(())
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // Both fail if the process has ended by itself.
        let _killed = self.stand_in.kill();
        let _status = self.stand_in.wait();
    }
}
