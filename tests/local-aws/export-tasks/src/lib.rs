//! A faithful stand-in for CloudWatch Logs' three export calls, in front of a local AWS that lacks them.
//!
//! It is a reverse proxy: CreateExportTask, DescribeExportTasks and CancelExportTask are answered here, the answers of
//! DescribeLogGroups can be given another age, those of DescribeLogStreams are made like AWS's, `/_local/...` tells the stand-in what to do next, and everything
//! else goes to the local AWS unchanged, or to a second Step Functions where that one knows the run. What it imitates, from which source, and proved by which test stands in `docs/local-aws.md`.
//!
//! There is no global state: each [`serve`] is a stand-in of its own.

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
