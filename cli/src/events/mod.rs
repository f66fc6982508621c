//! Reads events from exported objects and from CloudWatch Logs, and sorts them.

pub mod exported;
pub mod manifests;
pub mod records;
pub mod sorter;
pub mod source;
