//! The artifacts against one another.

mod athena;
mod documents;
mod input_schema;
mod monitoring;
mod roles;
mod storage;
mod workflows;
