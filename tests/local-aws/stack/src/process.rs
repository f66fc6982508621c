//! One server process of the local AWS: started on a free port, owned, and ended with its owner.
//!
//! It runs in a process group of its own together with every process it starts. Dropping [`Server`] kills the group. Should the owner die
//! first, the server's script (with `python/owner.py`) sees its stdin close and does the same.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::workspace;

/// Generous: a start takes a second at most on an idle machine, and a test suite can keep a small one busy.
pub(crate) const START_DEADLINE: Duration = Duration::from_secs(60);
const LOG_TAIL_LINES: usize = 40;

/// What to run.
pub(crate) struct Program<'a> {
    pub name: &'static str,
    pub python: &'a Path,
    /// Below `tests/local-aws`.
    pub script: &'static str,
    pub environment: Vec<(&'static str, OsString)>,
}

/// A running server. Dropping it ends it, with every process in its group, and removes its files.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    addr: SocketAddr,
    // Dropped in this order: the processes end before their folder goes.
    group: ProcessGroup,
    directory: TempDir,
}

impl Server {
    /// Starts the program, and waits until it has told its port and `ready` says that it answers there.
    pub(crate) async fn start(directory: TempDir, program: Program<'_>, ready: impl AsyncFnOnce(SocketAddr) -> Result<()>) -> Result<Self> {
        let name = program.name;
        let log = log_path(directory.path(), name);
        let (group, stdout) = spawn(program, directory.path(), &log)?;
        let started = tokio::time::timeout(START_DEADLINE, async {
            let port = read_port(stdout).await?;
            let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            ready(addr).await?;
            Ok(addr)
        })
        .await
        .unwrap_or_else(|_| Err(anyhow!("{name} was not ready after {} s", START_DEADLINE.as_secs())));
        let addr = started.with_context(|| format!("{name} did not start. The end of its log:\n{}", tail(&log)))?;
        Ok(Self { name, addr, group, directory })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The process id, which is also the id of the process group.
    pub(crate) fn pid(&self) -> u32 {
        self.group.leader.id()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file that everything in the process group writes to.
    pub(crate) fn log_path(&self) -> PathBuf {
        log_path(self.directory.path(), self.name)
    }

    /// The last lines of the log, for error messages.
    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log_path())
    }
}

/// A folder for a server's files.
pub(crate) fn directory() -> Result<TempDir> {
    tempfile::Builder::new().prefix("local-aws-").tempdir().context("cannot create a temporary directory")
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
            eprintln!("cannot end the process group {group}: {error}");
        }
        if let Err(error) = self.leader.wait() {
            eprintln!("cannot wait for the process {group}: {error}");
        }
    }
}

fn spawn(program: Program<'_>, directory: &Path, log: &Path) -> Result<(ProcessGroup, ChildStdout)> {
    let log = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let mut leader = Command::new(program.python)
        .arg(workspace::part(program.script))
        // Every process below inherits this environment, so nothing of the user's AWS settings or proxies may be in it.
        .env_clear()
        .envs(["PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        // The SDKs look for configuration files below HOME.
        .env("HOME", directory)
        .env("TMPDIR", directory)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PYTHONPATH", python_path()?)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(program.environment)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {}", program.python.display()))?;
    let stdout = leader.stdout.take();
    // Made before anything else can fail, so that the process has an owner from here on.
    let group = ProcessGroup { leader };
    let stdout = stdout.with_context(|| format!("{}'s process has no stdout", program.name))?;
    Ok((group, stdout))
}

/// What several parts import.
fn python_path() -> Result<OsString> {
    std::env::join_paths(["stack/python", "athena"].map(workspace::part)).context("the checkout's path has a colon")
}

async fn read_port(stdout: ChildStdout) -> Result<u16> {
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map(|_| line)
    })
    .await
    .context("the thread that reads the port ended early")?
    .context("cannot read the port")?;
    if line.is_empty() {
        bail!("its process ended");
    }
    line.trim().parse().with_context(|| format!("not a port: {line:?}"))
}

fn log_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.log"))
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
