//! The stand-in's own suite: the real Rust SDK against the stand-in in front of a real ministack.
//!
//! One ministack serves all tests; each test has a stand-in and an account of its own, so that none disturbs another.

mod cancel;
mod control;
mod create;
mod data;
mod destination;
mod documentation;
mod faults;
mod forward;
mod life;
mod list;
mod log_events;
mod log_groups;
mod log_streams;
mod requests;
mod s3_faults;
mod stand_in;
mod volume;
mod wire;
