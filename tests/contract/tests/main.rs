//! Compares the project's artifacts with one another.

mod documents;
mod input_schema;
mod monitoring;
mod roles;
mod sql;
mod storage;
mod workflows;
