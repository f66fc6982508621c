//! The end-to-end tests: one program, since each program of tests takes seconds to compile and link with the AWS SDK. A module's tests alone:
//! `cargo test -p e2e keeps::`.

mod alarms;
mod athena;
mod bad_input;
mod entries;
mod faults;
mod keeps;
mod missing;
mod months;
mod roles;
mod scale;
mod sql;
mod whole;
