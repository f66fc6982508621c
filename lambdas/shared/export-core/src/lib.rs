//! The domain of the archive, free of AWS SDKs and of clocks: which month, which window, which place in S3, what the
//! functions take and return, and the names of every error.
//!
//! Time and AWS's answers come in as values, so that everything here can be tested by calling it.

pub mod check;
pub mod create;
pub mod destination;
pub mod entry;
pub mod error;
mod fields;
pub mod manifest;
pub mod manifests_table;
pub mod month;
mod names;
pub mod plan;
mod problems;
pub mod run;
pub mod service;
pub mod time;
pub mod window;

pub use error::{ErrorName, ExportError};
pub use month::Month;
pub use window::Window;
