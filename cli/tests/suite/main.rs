//! Tests of the built binary, as an operator runs it, against the local AWS. One program, since each takes seconds to link.

mod archive;
mod grammar;
mod page;
mod status;
mod tool;
mod verify;
