//! The artifacts against one another.

mod documents;
mod input_schema;
mod monitoring;
mod roles;
mod sql;
mod storage;
mod workflows;
