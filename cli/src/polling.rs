//! How `watch` and `export` poll AWS until a run or a task has ended.

use std::time::Duration;

use export_core::service::{FailureKind, ServiceFailure};
use tokio::time::Instant;

/// A run that has just started can end soon.
const FIRST_WAITS: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(400), Duration::from_millis(800)];
/// CloudWatch Logs allows five DescribeExportTasks a second, for the tool and the run together.
const MIN_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(15);
/// The wait is this part of the time since the last change: polling slows down while nothing changes.
const CHANGE_AGE_DIVISOR: u32 = 4;

/// Failed polls in a row before the tool gives up. The SDK makes several attempts for each.
pub const MAX_FAILED_POLLS: u32 = 5;

/// The waits between polls.
pub struct Polling {
    first_waits: <[Duration; 4] as IntoIterator>::IntoIter,
    changed: Instant,
}

impl Polling {
    pub fn start() -> Self {
        Self { first_waits: FIRST_WAITS.into_iter(), changed: Instant::now() }
    }

    /// Notes that the last poll has shown a change.
    pub fn record_change(&mut self) {
        self.changed = Instant::now();
    }

    pub async fn wait(&mut self) {
        let by_age = || (self.changed.elapsed() / CHANGE_AGE_DIVISOR).clamp(MIN_WAIT, MAX_WAIT);
        tokio::time::sleep(self.first_waits.next().unwrap_or_else(by_age)).await;
    }
}

/// Whether the next poll can succeed.
pub fn is_temporary(failure: &ServiceFailure) -> bool {
    matches!(failure.kind(), FailureKind::Throttled | FailureKind::Unavailable | FailureKind::NoAnswer)
}
