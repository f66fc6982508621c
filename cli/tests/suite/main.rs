//! Tests of the built binary, as an operator runs it, against the local AWS. One program, since each takes seconds to link.

mod archive;
mod grammar;
mod list;
mod page;
mod plan;
mod refusals;
mod run;
mod status;
mod tool;
mod verify;
mod watch;
