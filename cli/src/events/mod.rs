//! Events: in exported objects, in CloudWatch Logs, and in an order.

pub mod exported;
pub mod manifests;
pub mod records;
pub mod sorter;
pub mod source;
