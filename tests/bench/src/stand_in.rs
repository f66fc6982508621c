//! The stand-in for the export calls by itself: events exported each second, and its peak memory as a process of its own.
//!
//! Behind it is no ministack, which would be measured in its place, but a server that makes events up and keeps what is written.

mod source;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::ExportTaskStatusCode;
use bytes::Bytes;
use hyper::Method;
use local_aws::{http, stack};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::memory::peak_rss_mib;
use crate::month;
use crate::stats::rounded;
use source::{ACCOUNT, BUCKET, LOG_GROUP, REGION, Source};

/// The command with which this program starts itself as the stand-in.
pub const COMMAND: &str = "serve-stand-in";

pub const KEYS: [&str; 3] = ["n10k", "n100k", "n1m"];
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Serves the stand-in in front of `upstream`, tells its address on stdout, and ends with its owner, whose pipe is stdin.
pub async fn serve(upstream: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on loopback")?;
    println!("{}", listener.local_addr()?);
    let owner_gone = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    tokio::select! {
        ended = export_tasks::serve(listener, upstream, None) => ended,
        _ = owner_gone => Ok(()),
    }
}

pub async fn measure(sizes: [usize; 3]) -> Result<Value> {
    let mut results = Map::new();
    for (key, size) in KEYS.iter().zip(sizes) {
        results.insert((*key).to_owned(), export(size).await.with_context(|| format!("{size} events"))?);
    }
    Ok(Value::Object(results))
}

/// Compressed; a stream of 1,000 events fills one.
const MAX_FILE_BYTES: usize = 16 * 1024;

async fn export(events: usize) -> Result<Value> {
    let source = Source::start(events)?;
    let stand_in = StandIn::start(source.addr())?;
    // Files of one size for all: otherwise memory would tell how far the largest has come to the usual 8 MiB.
    let timing = Bytes::from(json!({"pendingMs": 0, "runningMs": 0, "maxFileBytes": MAX_FILE_BYTES}).to_string());
    let (status, _) = http::request(stand_in.addr, Method::PUT, "/_local/export-tasks", timing).await?;
    ensure!(status.is_success(), "the stand-in does not take its timing: {status}");

    let logs = Client::new(&stack::sdk_config(&format!("http://{}", stand_in.addr), REGION, ACCOUNT));
    let create = logs.create_export_task().log_group_name(LOG_GROUP).from(month::FROM).to(month::TO).destination(BUCKET);
    let task_id = create.send().await.context("no task was created")?.task_id.context("a task without id")?;
    let seconds = loop {
        let tasks = logs.describe_export_tasks().task_id(&task_id).send().await?;
        let task = tasks.export_tasks().first().context("the task is gone")?;
        match task.status().and_then(|status| status.code()) {
            Some(ExportTaskStatusCode::Completed) => {
                let info = task.execution_info().context("a task without times")?;
                let span = info.completion_time().zip(info.creation_time()).map(|(end, start)| end - start);
                break span.context("a task without times")? as f64 / 1000.0;
            }
            Some(ExportTaskStatusCode::Pending | ExportTaskStatusCode::Running) => tokio::time::sleep(POLL_INTERVAL).await,
            other => bail!("the task ended as {other:?}"),
        }
    };
    let peak = peak_rss_mib(stand_in.child.id())?;
    let written = source.written_lines()?;
    ensure!(written == events, "{written} of {events} events were written");
    Ok(json!({
        "events": events,
        "seconds": rounded(seconds),
        "events_per_second": rounded(events as f64 / seconds),
        "peak_rss_mib": rounded(peak),
    }))
}

struct StandIn {
    child: Child,
    addr: SocketAddr,
    _owner: ChildStdin,
}

impl StandIn {
    fn start(upstream: SocketAddr) -> Result<Self> {
        let program = std::env::current_exe().context("this program's own file is not known")?;
        let mut command = Command::new(program);
        command.args([COMMAND, &upstream.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the stand-in")?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut line = String::new();
        BufReader::new(stdout.context("no stdout")?).read_line(&mut line)?;
        let addr = line.trim().parse().with_context(|| format!("the stand-in tells no address: {line:?}"))?;
        Ok(Self { child, addr, _owner: stdin.context("no stdin")? })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
