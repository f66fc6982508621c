//! Faults, one scenario each: whatever goes wrong, the run ends in a named outcome, with nothing lost and nothing twice.
//!
//! A run of a scenario is an ordinary one of the deployed stack; the stand-in's controls, or the test itself in the part of a
//! person or of another tool, make the fault. Retries and catches of the definition are tried on both Step Functions engines.

mod access;
mod empty_pages;
mod lost_answers;
mod outages;
mod rounds;
mod runs;
