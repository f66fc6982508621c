//! The stand-in's suite: the real Rust SDK against the stand-in in front of a real ministack.
//!
//! All tests share one ministack. Each test has its own stand-in and its own account.

mod cancel;
mod control;
mod create;
mod data;
mod destination;
mod documentation;
mod faults;
mod forward;
mod lifecycle;
mod list;
mod log_events;
mod log_groups;
mod log_streams;
mod requests;
mod s3_faults;
mod stand_in;
mod wire;
