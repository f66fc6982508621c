//! A stand-in for the three export calls of CloudWatch Logs, in front of a local AWS that lacks them.
//!
//! It is a reverse proxy with these tasks:
//! - It answers CreateExportTask, DescribeExportTasks and CancelExportTask.
//! - It changes the age of log groups in DescribeLogGroups, and makes DescribeLogStreams answer like AWS's.
//! - Its control endpoints, `/_local/...`, change settings and inject faults.
//! - It forwards requests about executions to a second Step Functions engine, and everything else to the local AWS.
//!
//! `docs/local-aws.md` lists each behaviour with its source and its test. [`serve`] has no global state.

mod api;
mod body;
mod clock;
mod control;
mod empty_page;
mod engine;
mod error;
mod export;
mod faults;
mod forward;
mod local;
mod log_streams;
mod overlay;
mod requests;
mod s3;
mod scope;
mod server;
mod upstream;

pub use server::serve;
