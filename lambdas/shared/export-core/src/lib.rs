//! The archive's domain: months, windows, places in S3, decisions, the functions' requests and responses, error names.
//!
//! **Invariant:** this crate calls neither AWS nor a clock. Both are arguments, so that a test can call everything here.

pub mod bookkeeping;
pub mod compaction;
pub mod contract;
pub mod decide;
pub mod destination;
pub mod entry;
pub mod error;
pub mod expiry;
mod fields;
pub mod input;
pub mod manifest;
pub mod missing;
pub mod month;
mod names;
pub mod place;
pub mod planner;
mod problems;
pub mod schedule;
pub mod service;
mod settle_days;
pub mod shell;
pub mod target;
pub mod text;
pub mod time;
pub mod warning;
pub mod window;

pub use error::{ErrorName, ExportError};
pub use month::Month;
pub use names::{BucketName, ExecutionArn, LogGroupName, Prefix, StreamPrefix, TaskId, parse_timezone};
pub use settle_days::SettleDays;
pub use window::Window;
