//! Counts the bytes of log data held in memory and remembers the highest count.
//!
//! A test can thereby assert, without a clock and without asking the operating system, that an export's memory does not
//! grow with the log group: everything that holds event data takes a [`Held`] for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Default)]
struct Counts {
    held: AtomicUsize,
    high_water: AtomicUsize,
}

/// A shared count of held bytes.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<Counts>);

impl Gauge {
    /// Starts a holding of no bytes.
    pub(crate) fn hold(&self) -> Held {
        Held { gauge: self.clone(), bytes: 0 }
    }

    /// The most bytes held at any one time so far.
    pub(crate) fn high_water(&self) -> usize {
        self.0.high_water.load(Ordering::Relaxed)
    }
}

/// Bytes counted as held until this is dropped.
pub(crate) struct Held {
    gauge: Gauge,
    bytes: usize,
}

impl Held {
    /// Sets how many bytes this holding stands for now.
    pub(crate) fn set(&mut self, bytes: usize) {
        let counts = &self.gauge.0;
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            let held = counts.held.fetch_add(more, Ordering::Relaxed) + more;
            counts.high_water.fetch_max(held, Ordering::Relaxed);
        } else {
            counts.held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::Gauge;

    #[test]
    fn high_water_is_the_most_held_at_once_not_the_sum() {
        let gauge = Gauge::default();
        let mut first = gauge.hold();
        first.set(100);
        drop(first);
        let (mut second, mut third) = (gauge.hold(), gauge.hold());
        second.set(60);
        third.set(70);
        third.set(10);
        second.set(90);
        assert_eq!(gauge.high_water(), 130);
    }
}
