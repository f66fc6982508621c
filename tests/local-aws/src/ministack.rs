//! One ministack process: started on a free port, owned, and ended with its owner.
//!
//! ministack runs in a process group of its own together with every process it starts for a Lambda function. Dropping [`Ministack`]
//! kills the group. Should the owner die first, the script that runs ministack sees its stdin close and does the same.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{http, venv, workspace};

/// Generous: a start takes 0.1 s on an idle machine, and a test suite can keep a small one busy.
const START_DEADLINE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
const LOG_TAIL_LINES: usize = 40;

/// How a ministack process is set up.
#[derive(Clone, Debug)]
pub struct MinistackOptions {
    /// The endpoint that Lambda functions call (`AWS_ENDPOINT_URL`); without it, ministack's own.
    pub endpoint_url: Option<String>,
    /// The account of requests whose access key is not itself a 12-digit account id.
    pub account_id: String,
    pub region: String,
    /// Step Functions' Wait and Retry delays are multiplied by this; 0 means no delay.
    pub wait_scale: f64,
}

impl Default for MinistackOptions {
    fn default() -> Self {
        Self { endpoint_url: None, account_id: "000000000000".to_owned(), region: "ap-northeast-1".to_owned(), wait_scale: 1.0 }
    }
}

/// A running ministack. Dropping it ends it, its functions' processes included, and removes its files.
#[derive(Debug)]
pub struct Ministack {
    addr: SocketAddr,
    // Dropped in this order: the processes end before their folder goes.
    group: ProcessGroup,
    directory: TempDir,
}

impl Ministack {
    /// Starts ministack and waits until it answers.
    pub async fn start(options: &MinistackOptions) -> Result<Self> {
        let python = venv::python().await?;
        let directory = tempfile::Builder::new().prefix("local-aws-").tempdir().context("cannot create a temporary directory")?;
        let log = log_path(directory.path());
        let (group, stdout) = spawn(&python, options, directory.path(), &log)?;
        let started = tokio::time::timeout(START_DEADLINE, async {
            let port = read_port(stdout).await?;
            let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            wait_until_ready(addr).await?;
            Ok(addr)
        })
        .await
        .unwrap_or_else(|_| Err(anyhow!("ministack was not ready after {} s", START_DEADLINE.as_secs())));
        let addr = started.with_context(|| format!("ministack did not start. The end of its log:\n{}", tail(&log)))?;
        Ok(Self { addr, group, directory })
    }

    /// Where ministack itself listens, on loopback.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The process id, which is also the id of the process group.
    pub fn pid(&self) -> u32 {
        self.group.leader.id()
    }

    /// A folder for files of this stack, removed with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file that ministack and everything in its process group write to.
    pub fn log_path(&self) -> PathBuf {
        log_path(self.directory.path())
    }

    /// The last lines of the log, for error messages.
    pub fn log_tail(&self) -> String {
        tail(&self.log_path())
    }
}

#[derive(Debug)]
struct ProcessGroup {
    leader: Child,
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // The leader is reaped only here, so its id cannot have passed to another process, even if it has died already.
        let group = Pid::from_raw(self.leader.id().cast_signed());
        if let Err(error) = killpg(group, Signal::SIGKILL) {
            eprintln!("cannot end ministack's process group {group}: {error}");
        }
        if let Err(error) = self.leader.wait() {
            eprintln!("cannot wait for ministack's process {group}: {error}");
        }
    }
}

fn spawn(python: &Path, options: &MinistackOptions, directory: &Path, log: &Path) -> Result<(ProcessGroup, ChildStdout)> {
    let log = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let state = directory.join("state");
    let objects = directory.join("s3");
    for folder in [&state, &objects] {
        fs::create_dir(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }

    let mut command = Command::new(python);
    command
        .arg(workspace::script("serve_ministack.py"))
        // Every function's process inherits this environment, so nothing of the user's AWS settings or proxies may be in it.
        .env_clear()
        .envs(["PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        // The SDKs look for configuration files below HOME.
        .env("HOME", directory)
        .env("TMPDIR", directory)
        .env("STATE_DIR", state)
        .env("S3_DATA_DIR", objects)
        .env("BIND_HOST", Ipv4Addr::LOCALHOST.to_string())
        // Each would listen on a fixed port, on every interface.
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        .env("LAMBDA_EXECUTOR", "local")
        .env("MINISTACK_ACCOUNT_ID", &options.account_id)
        .env("MINISTACK_REGION", &options.region)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SFN_WAIT_SCALE", options.wait_scale.to_string());
    if let Some(url) = &options.endpoint_url {
        command.env("AWS_ENDPOINT_URL", url);
    }
    let mut leader = command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let stdout = leader.stdout.take();
    // Made before anything else can fail, so that the process has an owner from here on.
    let group = ProcessGroup { leader };
    let stdout = stdout.context("ministack's process has no stdout")?;
    Ok((group, stdout))
}

async fn read_port(stdout: ChildStdout) -> Result<u16> {
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map(|_| line)
    })
    .await
    .context("the thread that reads ministack's port ended early")?
    .context("cannot read ministack's port")?;
    if line.is_empty() {
        bail!("its process ended");
    }
    line.trim().parse().with_context(|| format!("not a port: {line:?}"))
}

async fn wait_until_ready(addr: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        // The socket listens before ministack is loaded, so this fails only when the process has died.
        let (status, body) = http::request(addr, Method::GET, "/_ministack/ready", Bytes::new()).await?;
        if status == StatusCode::OK {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("not ready: {status} {}", String::from_utf8_lossy(&body));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("ministack.log")
}

fn tail(log: &Path) -> String {
    match fs::read(log) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
        }
        Err(error) => format!("(cannot read {}: {error})", log.display()),
    }
}
