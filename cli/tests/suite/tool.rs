//! Runs the built binary.

use std::{
    io,
    path::Path,
    process::{Output, Stdio},
};

use local_aws::LocalAws;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_logs-archive");

/// How a run of the tool ended, and what it printed.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The tool with an environment of its own.
pub struct Tool {
    environment: Vec<(String, String)>,
    pub home: TempDir,
}

impl Tool {
    /// Without an account.
    pub fn bare() -> Self {
        Self { environment: Vec::new(), home: tempfile::tempdir().expect("a folder") }
    }

    /// With credentials for a local AWS, whose endpoint and Region it knows.
    pub fn of(local: &LocalAws) -> Self {
        let set = [
            ("AWS_ACCESS_KEY_ID", local.account_id()),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", local.region()),
            ("AWS_ENDPOINT_URL", local.endpoint()),
        ];
        set.into_iter().fold(Self::bare(), |tool, (name, value)| tool.with(name, value))
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Nothing of the environment of the tests, and no proxy between the tool and this machine.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &Path)> {
        let own = [("HOME", self.home.path()), ("AWS_EC2_METADATA_DISABLED", Path::new("true"))];
        own.into_iter().chain(self.environment.iter().map(|(name, value)| (name.as_str(), Path::new(value))))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().envs(self.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        ended(self.command(arguments).output().await)
    }

    /// With this on stdin.
    pub async fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        let mut tool = self.command(arguments).stdin(Stdio::piped()).spawn().expect("the tool starts");
        let mut pipe = tool.stdin.take().expect("a pipe");
        let write = async move { pipe.write_all(stdin).await };
        // A tool that ends early does not read all of it.
        let (_written, output) = tokio::join!(write, tool.wait_with_output());
        ended(output)
    }

    /// Runs a command that must end with this code, and say nothing on stderr unless it fails. Returns stdout as JSON.
    pub async fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--output", "json"]].concat()).await;
        assert_eq!(ran.code, code, "{ran:#?}");
        ran.json()
    }
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

fn ended(output: io::Result<Output>) -> Ran {
    let output = output.expect("the tool starts");
    let text = |bytes| String::from_utf8(bytes).expect("the tool writes UTF-8");
    Ran { code: output.status.code().expect("no signal ends it"), stdout: text(output.stdout), stderr: text(output.stderr) }
}
