//! One file per command.

// plan, run, watch

// status, verify

// groups, doctor

pub mod completions;
