//! One file per command.

// plan, run, watch
pub mod plan;
pub mod run;
pub mod watch;

// groups, doctor
pub mod doctor;
pub mod groups;

pub mod completions;
pub mod status;
pub mod verify;
