//! One file per command.

// plan, run, watch
pub mod plan;
pub mod run;
pub mod watch;

// status, verify

// groups, doctor

pub mod completions;
