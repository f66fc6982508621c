//! The domain of the archive, free of AWS SDKs and of clocks: which month, which window, which place in S3, what the
//! functions take and return, and the names of every error.
//!
//! Time and AWS's answers come in as values, so that everything here can be tested by calling it.

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
mod settle;
pub mod shell;
pub mod target;
pub mod time;
pub mod warning;
pub mod window;

pub use error::{ErrorName, ExportError};
pub use month::Month;
pub use names::{BucketName, ExecutionArn, LogGroupName, Prefix, StreamPrefix, TaskId};
pub use settle::SettleDays;
pub use window::Window;
