//! Runs a Lambda function's program on this machine: the Runtime API that it asks for events, and the HTTP server below it.

mod invocations;
mod process;
mod runtime_api;
mod server;

pub use invocations::{Invocations, invoke};
pub use process::FunctionProcess;
pub use runtime_api::Outcome;
pub use server::{Request, Response, TestServer, operation, response};
