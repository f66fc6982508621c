//! One file per command.

// plan, run, watch

// status, verify

// groups, doctor
pub mod doctor;
pub mod groups;

pub mod completions;
