//! One file per command; what only that command needs lies in its folder.

pub mod completions;
pub mod doctor;
pub mod export;
pub mod fetch;
pub mod groups;
pub mod plan;
pub mod put;
pub mod retention;
pub mod run;
pub mod selftest;
pub mod status;
pub mod verify;
pub mod watch;
