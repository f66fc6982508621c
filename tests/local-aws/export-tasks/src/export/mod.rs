//! An export task: its record, its life, and the data it writes.

pub(crate) mod destination;
pub(crate) mod files;
pub(crate) mod life;
pub(crate) mod own_clock;
pub(crate) mod pages;
pub(crate) mod task;
pub(crate) mod write;
