//! One moto: the second Step Functions interpreter, whose tasks call the stack.

use std::net::SocketAddr;

use anyhow::Result;

use crate::process::{self, Program, Server};
use crate::stack::Options;
use crate::venv;

/// A running moto. Dropping it ends it and removes its files.
#[derive(Debug)]
pub struct Moto {
    server: Server,
}

impl Moto {
    /// Starts moto and waits until it answers. Its tasks call `endpoint`.
    pub async fn start(endpoint: &str, options: &Options) -> Result<Self> {
        let python = venv::python(&venv::MOTO).await?;
        let environment = vec![
            ("MOTO_ACCOUNT_ID", options.account_id.clone().into()),
            ("STACK_ENDPOINT_URL", endpoint.into()),
            ("WAIT_SCALE", options.wait_scale.to_string().into()),
        ];
        let program = Program { name: "moto", python: &python, script: "moto/serve.py", environment };
        // It tells its port when it is ready.
        Ok(Self { server: Server::start(process::directory()?, program, async |_| Ok(())).await? })
    }

    /// Where moto listens, on loopback.
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
