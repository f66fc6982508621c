//! One ministack: the AWS services of the local AWS.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use tokio::time::Instant;

use crate::process::{self, Program, START_DEADLINE, Server};
use crate::{http, venv};

const POLL_INTERVAL: Duration = Duration::from_millis(10);

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
    server: Server,
}

impl Ministack {
    /// Starts ministack and waits until it answers.
    pub async fn start(options: &MinistackOptions) -> Result<Self> {
        let python = venv::python(&venv::MINISTACK).await?;
        let directory = process::directory()?;
        let state = directory.path().join("state");
        let objects = directory.path().join("s3");
        for folder in [&state, &objects] {
            fs::create_dir(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let mut environment = vec![
            ("STATE_DIR", state.into_os_string()),
            ("S3_DATA_DIR", objects.into_os_string()),
            ("BIND_HOST", Ipv4Addr::LOCALHOST.to_string().into()),
            // Each would listen on a fixed port, on every interface.
            ("IOT_MTLS_ENABLED", "0".into()),
            ("SFTP_ENABLED", "0".into()),
            ("LAMBDA_EXECUTOR", "local".into()),
            ("MINISTACK_ACCOUNT_ID", options.account_id.clone().into()),
            ("MINISTACK_REGION", options.region.clone().into()),
            ("SFN_WAIT_SCALE", options.wait_scale.to_string().into()),
        ];
        if let Some(url) = &options.endpoint_url {
            environment.push(("AWS_ENDPOINT_URL", url.into()));
        }
        let program = Program { name: "ministack", python: &python, script: "ministack/serve.py", environment };
        Ok(Self { server: Server::start(directory, program, wait_until_ready).await? })
    }

    /// Where ministack itself listens, on loopback.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The process id, which is also the id of the process group.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// A folder for files of this stack, removed with it.
    pub fn directory(&self) -> &Path {
        self.server.directory()
    }

    /// The file that ministack and everything in its process group write to.
    pub fn log_path(&self) -> PathBuf {
        self.server.log_path()
    }

    /// The last lines of the log, for error messages.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }
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
