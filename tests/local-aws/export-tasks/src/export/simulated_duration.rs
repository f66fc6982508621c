//! A simulated duration: a test sees a task that took hours, but does not wait for it.

use super::task::ExportRequest;

const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: f64 = 24.0 * HOUR_MS;

/// AWS ends a task after 24 hours.
const MAX_MS: f64 = DAY_MS;

/// A task's duration in milliseconds. `None`: the task takes its real time.
#[derive(Clone, Copy)]
pub(crate) struct SimulatedDuration(Option<f64>);

impl SimulatedDuration {
    #[expect(clippy::cast_precision_loss, reason = "a float represents the milliseconds of any date exactly")]
    pub(crate) fn new(request: &ExportRequest, hours_per_day: f64) -> Self {
        let days = (request.to as f64 - request.from as f64 + 1.0) / DAY_MS;
        Self((hours_per_day > 0.0).then_some(days * hours_per_day * HOUR_MS))
    }

    pub(crate) fn is_too_long(self) -> bool {
        self.0.is_some_and(|millis| millis > MAX_MS)
    }

    /// A task that is too long writes only its first object.
    pub(crate) fn max_objects(self) -> usize {
        if self.is_too_long() { 1 } else { usize::MAX }
    }

    /// The time from the task's creation to its end.
    #[expect(clippy::cast_possible_truncation, reason = "24 hours at most")]
    pub(crate) fn millis(self) -> Option<i64> {
        self.0.map(|millis| millis.min(MAX_MS).round() as i64)
    }
}
