//! What the functions take and answer: one file for each.

pub mod check;
pub mod create;
pub mod plan;
pub mod report;
