//! Runs a Lambda function's program on this machine: the Runtime API that gives it events, and an HTTP server for tests.

mod invocations;
mod process;
mod runtime_api;
mod server;

pub use invocations::{Invocations, invoke};
pub use process::FunctionProcess;
pub use runtime_api::Outcome;
pub use server::{Request, Response, TestServer, operation, response};
