//! The clock of a task: hours that pass in no time, so that a test sees what a task of a day or a month takes.

use super::task::ExportRequest;

const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: f64 = 24.0 * HOUR_MS;

/// AWS ends a task after 24 hours.
const LONGEST_MS: f64 = DAY_MS;

/// How long a task takes on its own clock, in milliseconds; `None` where it has none.
#[derive(Clone, Copy)]
pub(crate) struct OwnClock(Option<f64>);

impl OwnClock {
    #[expect(clippy::cast_precision_loss, reason = "a float has whole numbers enough for the milliseconds of any date")]
    pub(crate) fn of(request: &ExportRequest, hours_per_day: f64) -> Self {
        let days = (request.to as f64 - request.from as f64 + 1.0) / DAY_MS;
        Self((hours_per_day > 0.0).then_some(days * hours_per_day * HOUR_MS))
    }

    /// The task would take more than 24 hours, so that it does not complete.
    pub(crate) fn is_over(self) -> bool {
        self.0.is_some_and(|millis| millis > LONGEST_MS)
    }

    /// How many objects it writes: a task that is out of time leaves the first.
    pub(crate) fn objects(self) -> usize {
        if self.is_over() { 1 } else { usize::MAX }
    }

    /// When the task ends, after its creation.
    #[expect(clippy::cast_possible_truncation, reason = "24 hours at most")]
    pub(crate) fn took(self) -> Option<i64> {
        self.0.map(|millis| millis.min(LONGEST_MS).round() as i64)
    }
}
