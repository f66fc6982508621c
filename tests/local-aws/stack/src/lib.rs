//! A local AWS for this project: ministack, the stand-in `export-tasks` in front of it, and the real template deployed on it.
//!
//! Everything that is started here is owned: it ends with the value that started it, and with the process that holds that value,
//! however that process ends. Nothing uses a fixed port, so that any number of stacks run side by side.

pub mod calendar;
pub mod cargo;
pub mod check;
pub mod cli;
pub mod controls;
pub mod demo;
pub mod deploy;
pub mod engine;
pub mod execution;
pub mod functions;
pub mod history;
pub mod http;
pub mod lambda;
pub mod load;
pub mod ministack;
pub mod moto;
mod process;
pub mod progress;
pub mod query;
pub mod samples;
pub mod set_up;
pub mod stack;
pub mod stored_objects;
pub mod tasks;
pub mod venv;
mod wait;
pub mod workspace;

pub use controls::LogGroupOverlay;
pub use deploy::{DeployOptions, Deployment};
pub use engine::Engine;
pub use execution::Execution;
pub use history::{History, Payload};
pub use ministack::{Ministack, MinistackOptions};
pub use stack::{LocalAws, Options, sdk_config};
pub use wait::wait_for;
