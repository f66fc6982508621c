//! One process that serves a Lambda function, started afresh against a stub of the Runtime API, and ended with its owner.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::memory;
use crate::runtime_api::{Outcome, RuntimeApi};

const LOG_TAIL_LINES: usize = 20;

pub struct FunctionProcess {
    child: Child,
    api: RuntimeApi,
    log: NamedTempFile,
}

impl Drop for FunctionProcess {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl FunctionProcess {
    /// Starts the process with what Lambda puts into its environment, and hands it its first event: the answer, and the time from just
    /// before the start until the answer had arrived.
    pub fn start(mut command: Command, aws: SocketAddr, event: &Value) -> Result<(Self, Outcome, Duration)> {
        let api = RuntimeApi::start()?;
        let log = NamedTempFile::new().context("cannot create a log file")?;
        api.push(event)?;
        command
            .env_clear()
            .envs(["PATH", "LD_LIBRARY_PATH"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("LANG", "en_US.UTF-8")
            // Node.js's SDK looks for it, and cannot do without where the user has no entry among the system's users.
            .env("HOME", std::env::temp_dir())
            .env("AWS_LAMBDA_RUNTIME_API", api.addr().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2024/11/01/[$LATEST]0")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("AWS_LAMBDA_LOG_LEVEL", "INFO")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_REGION", "ap-northeast-1")
            .env("AWS_DEFAULT_REGION", "ap-northeast-1")
            .env("AWS_ACCESS_KEY_ID", "000000000000")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_ENDPOINT_URL", format!("http://{aws}"))
            // Node.js's SDK would write a warning about versions at each start.
            .env("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(log_file(&log)?)
            .stderr(log_file(&log)?);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut process = Self { child, api, log };
        let (outcome, arrived) = process.explained(|process| process.api.answer())?;
        Ok((process, outcome, arrived - started))
    }

    /// Hands out an event once the process asks for one: the answer, and how long it took.
    pub fn invoke(&mut self, event: &Value) -> Result<(Outcome, Duration)> {
        self.explained(|process| {
            process.api.wait_until_ready()?;
            let pushed = Instant::now();
            process.api.push(event)?;
            let (outcome, arrived) = process.api.answer()?;
            Ok((outcome, arrived - pushed))
        })
    }

    pub fn peak_rss_mib(&self) -> Result<f64> {
        memory::peak_rss_mib(self.child.id())
    }

    fn explained<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let result = work(self);
        result.with_context(|| format!("the function's process failed. The end of its log:\n{}\n", self.log_tail()))
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log.path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

fn log_file(log: &NamedTempFile) -> Result<File> {
    File::options().append(true).open(log.path()).context("cannot open a log file")
}
