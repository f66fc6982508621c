//! One file per command.

// plan, run, watch

// groups, doctor

pub mod completions;
pub mod status;
pub mod verify;
