//! An export task: its record, its lifecycle, and the data that it writes.

pub(crate) mod destination;
pub(crate) mod files;
pub(crate) mod lifecycle;
pub(crate) mod pages;
pub(crate) mod simulated_duration;
pub(crate) mod task;
pub(crate) mod write;
