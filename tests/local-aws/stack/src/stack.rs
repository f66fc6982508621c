//! The whole local AWS: the stand-in for the export calls in front, ministack behind it.
//!
//! Clients and Lambda functions alike call the stand-in, which answers the export calls and forwards the rest.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use hyper::Method;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::engine::Engine;
use crate::http;
use crate::ministack::{Ministack, MinistackOptions};
use crate::moto::Moto;

/// How often it is looked at whether ministack still runs.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// How a local AWS is set up.
#[derive(Clone, Debug)]
pub struct Options {
    pub account_id: String,
    pub region: String,
    /// Step Functions' Wait and Retry delays are multiplied by this; 0 means no delay.
    pub wait_scale: f64,
    /// What runs the workflow.
    pub engine: Engine,
}

impl Default for Options {
    fn default() -> Self {
        let MinistackOptions { account_id, region, .. } = MinistackOptions::default();
        Self {
            account_id,
            region,
            // A state machine's seconds of waiting become hundredths.
            wait_scale: 0.01,
            engine: Engine::default(),
        }
    }
}

/// A running local AWS. Dropping it ends all of it.
#[derive(Debug)]
pub struct LocalAws {
    endpoint: String,
    addr: SocketAddr,
    options: Options,
    // Before ministack: what it has under way must not end in errors of a stack that has gone.
    moto: Option<Moto>,
    ministack: Ministack,
    _stand_in: StandIn,
}

impl LocalAws {
    pub async fn start(options: &Options) -> Result<Self> {
        // ministack must know the stand-in's address, and the stand-in ministack's: so the socket comes first and the serving last.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
        let addr = listener.local_addr().context("cannot read the address of a socket")?;
        let endpoint = format!("http://{addr}");
        let ministack_options = MinistackOptions {
            endpoint_url: Some(endpoint.clone()),
            account_id: options.account_id.clone(),
            region: options.region.clone(),
            wait_scale: options.wait_scale,
        };
        let (ministack, moto) = tokio::try_join!(Ministack::start(&ministack_options), start_moto(&endpoint, options))?;
        let stand_in = StandIn::start(listener, &ministack, moto.as_ref())?;
        Ok(Self { endpoint, addr, options: options.clone(), moto, ministack, _stand_in: stand_in })
    }

    /// What any AWS SDK or CLI takes as its endpoint URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn region(&self) -> &str {
        &self.options.region
    }

    pub fn account_id(&self) -> &str {
        &self.options.account_id
    }

    /// The ministack behind the stand-in.
    pub fn ministack(&self) -> &Ministack {
        &self.ministack
    }

    /// The second engine, where the workflow runs on it.
    pub fn moto(&self) -> Option<&Moto> {
        self.moto.as_ref()
    }

    /// The last lines of the servers' logs, for error messages.
    pub fn log_tail(&self) -> String {
        let moto = self.moto.as_ref().map(|moto| format!("\nThe end of moto's:\n{}", moto.log_tail()));
        [self.ministack.log_tail(), moto.unwrap_or_default()].concat()
    }

    /// Fails where ministack or the stand-in no longer answers.
    pub async fn check_alive(&self) -> Result<()> {
        let answer = http::request(self.addr, Method::GET, "/_ministack/health", Bytes::new()).await.and_then(|(status, body)| {
            ensure!(status.is_success(), "{status} {}", String::from_utf8_lossy(&body));
            Ok(())
        });
        answer.with_context(|| format!("the local AWS has ended. The end of its log:\n{}\n", self.log_tail()))
    }

    /// Returns when the local AWS has ended by itself, with the reason.
    pub async fn end(&self) -> anyhow::Error {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            if let Err(error) = self.check_alive().await {
                return error;
            }
        }
    }

    /// A configuration for any SDK client, with this stack's account.
    pub fn sdk_config(&self) -> SdkConfig {
        sdk_config(&self.endpoint, &self.options.region, &self.options.account_id)
    }
}

async fn start_moto(endpoint: &str, options: &Options) -> Result<Option<Moto>> {
    if options.engine == Engine::Moto { Ok(Some(Moto::start(endpoint, options).await?)) } else { Ok(None) }
}

/// A configuration for any SDK client, which takes nothing from the environment or from the user's files.
///
/// The account of a request is told by its access key.
pub fn sdk_config(endpoint: &str, region: &str, account_id: &str) -> SdkConfig {
    let credentials = Credentials::new(account_id, "local", None, None, "local-aws");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        // Plain HTTP without proxies, for what is called is on this machine; the SDK's usual client takes them from the environment.
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

/// The stand-in, on threads of its own: what a caller does with its own runtime cannot stop the functions' calls from being answered.
#[derive(Debug)]
struct StandIn {
    runtime: Option<Runtime>,
}

impl StandIn {
    fn start(listener: std::net::TcpListener, ministack: &Ministack, moto: Option<&Moto>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("export-tasks")
            .enable_all()
            .build()
            .context("cannot start the threads of the stand-in")?;
        listener.set_nonblocking(true).context("cannot set up the stand-in's socket")?;
        let listener = {
            let _guard = runtime.enter();
            TcpListener::from_std(listener).context("cannot set up the stand-in's socket")?
        };
        let (upstream, engine) = (ministack.addr(), moto.map(Moto::addr));
        let log = ministack.log_path();
        runtime.spawn(async move {
            if let Err(error) = export_tasks::serve(listener, upstream, engine).await {
                report(&log, &error);
            }
        });
        Ok(Self { runtime: Some(runtime) })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not the runtime's own drop: that blocks, which is forbidden within the caller's runtime.
            runtime.shutdown_background();
        }
    }
}

/// Into the stack's log, whose end every failure shows.
fn report(log: &Path, error: &anyhow::Error) {
    let written = std::fs::OpenOptions::new().append(true).open(log).and_then(|mut file| writeln!(file, "export-tasks ended: {error:#}"));
    if written.is_err() {
        eprintln!("export-tasks ended: {error:#}");
    }
}
