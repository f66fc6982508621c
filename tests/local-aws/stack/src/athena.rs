//! The local Athena: runs the project's own SQL against the stack's Glue catalog and S3.

use std::net::SocketAddr;

use anyhow::Result;

use crate::process::{self, Program, Server};
use crate::venv;

/// A running Athena. Dropping it ends it and removes its files.
#[derive(Debug)]
pub struct Athena {
    server: Server,
}

impl Athena {
    /// Starts it. `stack_endpoint_url` is where its queries find the catalog, the objects and the workgroups.
    pub async fn start(stack_endpoint_url: &str) -> Result<Self> {
        let python = venv::python(&venv::ATHENA).await?;
        let environment = vec![("AWS_ENDPOINT_URL", stack_endpoint_url.into())];
        let program = Program { name: "athena", python: &python, script: "athena/serve.py", environment };
        // It tells its port when it is ready.
        Ok(Self { server: Server::start(process::directory()?, program, async |_| Ok(())).await? })
    }

    /// Where it listens, on loopback. Clients call the stack's endpoint, which passes on what is Athena's.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The process id, which is also the id of the process group.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The last lines of the log, for error messages.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }
}
