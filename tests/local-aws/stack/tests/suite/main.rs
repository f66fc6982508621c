//! The tests of the local AWS itself, as one program.

mod athena;
mod engines;
mod operators;
mod ownership;
mod processes;
mod programs;
mod stack;
mod stack_life;
