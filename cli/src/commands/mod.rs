//! One file per command; what only that command needs lies in its folder.

pub mod completions;
pub mod doctor;
pub mod groups;
pub mod plan;
pub mod run;
pub mod status;
pub mod verify;
pub mod watch;
