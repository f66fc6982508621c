//! The events and responses of the functions, one file each.

pub mod check;
pub mod create;
pub mod plan;
pub mod report;
