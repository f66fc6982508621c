//! The process of a Lambda function. It ends when its owner drops it.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::runtime_api::{Outcome, RuntimeApi};

const LOG_TAIL_LINES: usize = 20;

#[derive(Debug)]
pub struct FunctionProcess {
    child: Child,
    api: RuntimeApi,
    /// Standard output and standard error, in one unnamed file.
    log: File,
}

impl Drop for FunctionProcess {
    fn drop(&mut self) {
        // Both fail if the process has ended by itself.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

impl FunctionProcess {
    /// Starts the process with Lambda's environment and `variables`, and sends its first event. Returns the time from the start to the arrival
    /// of the answer.
    pub fn start(mut command: Command, variables: &[(&str, &str)], aws: SocketAddr, event: &Value) -> Result<(Self, Outcome, Duration)> {
        let api = RuntimeApi::start()?;
        let log = tempfile::tempfile().context("cannot create a log file")?;
        api.push(event)?;
        command
            .env_clear()
            .envs(["PATH", "LD_LIBRARY_PATH"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(environment(api.address(), aws))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut process = Self { child, api, log };
        let (outcome, arrived) = process.api.answer(&mut process.child).with_context(|| process.failure())?;
        Ok((process, outcome, arrived - started))
    }

    /// Sends an event when the process is ready. Returns the time to the arrival of the answer.
    pub fn invoke(&mut self, event: &Value) -> Result<(Outcome, Duration)> {
        let mut invoke = || {
            self.api.wait_until_ready(&mut self.child)?;
            let pushed = Instant::now();
            self.api.push(event)?;
            let (outcome, arrived) = self.api.answer(&mut self.child)?;
            anyhow::Ok((outcome, arrived - pushed))
        };
        invoke().with_context(|| self.failure())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log so far. A function writes the lines of an event before it sends the answer.
    pub fn log(&self) -> Result<String> {
        let mut text = vec![0; usize::try_from(self.log.metadata()?.len())?];
        // The process shares the file's position, so reading must not change it.
        self.log.read_exact_at(&mut text, 0)?;
        Ok(String::from_utf8(text)?)
    }

    fn failure(&self) -> String {
        let text = self.log().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n");
        format!("the function's process failed. The end of its log:\n{tail}\n")
    }
}

fn environment(runtime_api: SocketAddr, aws: SocketAddr) -> [(&'static str, String); 15] {
    [
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", "local".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/local".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2024/11/01/[$LATEST]0".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_REGION", "ap-northeast-1".to_owned()),
        ("AWS_DEFAULT_REGION", "ap-northeast-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "000000000000".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_ENDPOINT_URL", format!("http://{aws}")),
        ("LANG", "en_US.UTF-8".to_owned()),
    ]
}
