//! Tests of the built binary, as an operator runs it, against the local AWS. One program, since each takes seconds to link.

mod grammar;
mod list;
mod plan;
mod preview;
mod refusals;
mod run;
mod tool;
mod watch;
