//! Runs the built binary.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use e2e::Stage;
use local_aws::LocalAws;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, Command},
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_logs-archive");

/// The exit code of the tool, and what it printed.
#[derive(Debug)]
pub struct ToolOutput {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl ToolOutput {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl From<Output> for ToolOutput {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the tool writes UTF-8");
        Self { code: output.status.code().expect("no signal ends it"), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The tool with its environment variables and home folder.
pub struct Tool {
    environment: Vec<(String, String)>,
    pub home: TempDir,
}

impl Tool {
    /// The tool without an account.
    pub fn bare() -> Self {
        Self { environment: Vec::new(), home: tempfile::tempdir().expect("a folder") }
    }

    /// The tool with the credentials, endpoint and Region of a local AWS.
    pub fn of(local: &LocalAws) -> Self {
        let variables = [
            ("AWS_ACCESS_KEY_ID", local.account_id()),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", local.region()),
            ("AWS_ENDPOINT_URL", local.endpoint()),
        ];
        variables.into_iter().fold(Self::bare(), |tool, (name, value)| tool.with(name, value))
    }

    /// A stage, and the tool for it.
    pub async fn on_stage() -> (Stage, Self) {
        let stage = Stage::take().await;
        let tool = Self::of(&stage.local);
        (stage, tool)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The tool's environment. It inherits nothing, so the tool uses no proxy.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &Path)> {
        let fixed = [("HOME", self.home.path()), ("AWS_EC2_METADATA_DISABLED", Path::new("true"))];
        fixed.into_iter().chain(self.environment.iter().map(|(name, value)| (name.as_str(), Path::new(value))))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().envs(self.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> ToolOutput {
        self.command(arguments).output().await.expect("the tool starts").into()
    }

    /// Runs the tool with this text on stdin.
    pub async fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> ToolOutput {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("the tool starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        let write = async move { pipe.write_all(stdin).await };
        // A tool that ends early does not read the whole text.
        let (_written, output) = tokio::join!(write, child.wait_with_output());
        output.expect("the tool ends").into()
    }

    /// Runs a command with `--output json` that must end with this code. Returns the JSON.
    pub async fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat()).await;
        assert_eq!(output.code, code, "{output:#?}");
        output.json()
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::new(self.command(arguments).spawn().expect("the tool starts"))
    }
}

/// A command that has not ended yet.
pub struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    pub fn new(mut child: Child) -> Self {
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, stderr }
    }

    /// Reads stderr until a line contains `text`. Returns the line without its line break.
    pub async fn wait_for_line(&mut self, text: &str) -> String {
        let mut read = String::new();
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).await.expect("UTF-8") > 0, "it ended without {text:?}: {read}");
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
            read.push_str(&line);
        }
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        interrupt(&self.child);
    }

    /// Waits for the end. The output has the part of stderr that was not read before.
    pub async fn end(mut self) -> ToolOutput {
        let mut stderr = String::new();
        let (read, output) = tokio::join!(self.stderr.read_to_string(&mut stderr), self.child.wait_with_output());
        read.expect("the tool writes UTF-8");
        ToolOutput { stderr, ..output.expect("the tool ends").into() }
    }
}

/// Sends SIGINT, as Ctrl-C does.
pub fn interrupt(child: &Child) {
    kill(Pid::from_raw(child.id().expect("it runs") as i32), Signal::SIGINT).expect("the signal is sent");
}
