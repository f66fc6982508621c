//! Tests of the built binary, as an operator runs it, against the local AWS. One program, since each takes seconds to link.

mod doctor;
mod grammar;
mod groups;
mod schedule;
mod tool;
