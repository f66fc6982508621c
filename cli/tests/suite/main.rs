//! Tests of the built binary, as an operator runs it, against the local AWS. One program, since each takes seconds to link.

mod captures;
mod doctor;
mod download;
mod endpoint;
mod export;
mod fetch;
mod fetch_source;
mod grammar;
mod groups;
mod list;
mod page;
mod plan;
mod planted;
mod preview;
mod put;
mod refusals;
mod retention;
mod run;
mod schedule;
mod selftest;
mod source;
mod status;
mod terminal;
mod tool;
mod verify;
mod watch;
