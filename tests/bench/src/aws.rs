//! The AWS that the functions and the stand-in are measured with: the stand-in as a process of its own, and behind it no ministack, which
//! would be measured in its place, but a server that makes a log group up and keeps what is written.

mod source;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_cloudwatchlogs::config::AppName;
use aws_sdk_cloudwatchlogs::types::{ExportTask, ExportTaskStatusCode};
use aws_sdk_cloudwatchlogs::{Client, config};
use bytes::Bytes;
use hyper::Method;
use local_aws::{http, stack};
use serde_json::Value;

use crate::candidates::Candidates;
use crate::memory::peak_rss_mib;
use source::{ACCOUNT, REGION, Source};

pub use source::{BUCKET, LOG_GROUP};

const FIRST_WAIT: Duration = Duration::from_millis(1);
/// Between looks at a task: each leaves an entry in the stand-in's journals, which must not be what its memory shows.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// What the benchmark's own requests are called in the journal.
const APP: &str = "bench-all";

pub struct Aws {
    source: Source,
    stand_in: Child,
    addr: SocketAddr,
    logs: Client,
    _owner: ChildStdin,
}

impl Aws {
    /// With so many events in the log group, and with the stand-in's settings.
    pub async fn start(candidates: &Candidates, events: usize, settings: &Value) -> Result<Self> {
        let source = Source::start(events)?;
        let mut command = Command::new(candidates.stand_in());
        command.arg(source.addr().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut stand_in = command.spawn().context("cannot start the stand-in")?;
        let (stdin, stdout) = (stand_in.stdin.take(), stand_in.stdout.take());
        let mut line = String::new();
        BufReader::new(stdout.context("no stdout")?).read_line(&mut line)?;
        let addr: SocketAddr = line.trim().parse().with_context(|| format!("the stand-in tells no address: {line:?}"))?;
        let config = config::Builder::from(&stack::sdk_config(&format!("http://{addr}"), REGION, ACCOUNT));
        let logs = Client::from_conf(config.app_name(AppName::new(APP)?).build());
        let aws = Self { source, stand_in, addr, logs, _owner: stdin.context("no stdin")? };
        aws.control(Method::PUT, "/_local/export-tasks", settings).await?;
        Ok(aws)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn logs(&self) -> &Client {
        &self.logs
    }

    /// The task once it is no longer in any of these states.
    pub async fn task_after(&self, task_id: &str, states: &[ExportTaskStatusCode]) -> Result<ExportTask> {
        let mut wait = FIRST_WAIT;
        loop {
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

    /// Time in which the stand-in had requests of others than the benchmark, since it began.
    pub async fn answering_time(&self) -> Result<Duration> {
        let journal = self.control(Method::GET, "/_local/requests", &Value::Null).await?;
        ensure!(journal["forgotten"] == 0, "the stand-in's journal is too short: {}", journal["forgotten"]);
        let requests = journal["requests"].as_array().context("no journal of requests")?;
        let others = requests.iter().filter(|request| request["app"] != APP);
        let took = others.map(|request| request["tookMicros"].as_u64().context("a request without an answer"));
        Ok(Duration::from_micros(took.sum::<Result<u64>>()?))
    }

    pub fn peak_rss_mib(&self) -> Result<f64> {
        peak_rss_mib(self.stand_in.id())
    }

    pub fn written_lines(&self) -> Result<usize> {
        self.source.written_lines()
    }

    async fn control(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = http::request(self.addr, method, path, Bytes::from(body.to_string())).await?;
        ensure!(status.is_success(), "the stand-in answers {path} with {status}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).with_context(|| format!("the stand-in's answer to {path} is not JSON"))
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill.
        let _ended = self.stand_in.kill();
        let _reaped = self.stand_in.wait();
    }
}
