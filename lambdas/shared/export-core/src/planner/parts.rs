//! Splits windows, so that no task reaches the 24 hours after which CloudWatch Logs ends it.

use chrono::TimeDelta;

use crate::{Window, manifest::Manifest};

/// The longest task that a part is planned for. A month can have more log events than the month before, so this is less than 24 hours.
const MAX_TASK_TIME: TimeDelta = TimeDelta::hours(16);

const MIN_PART: TimeDelta = TimeDelta::days(1);

/// How long a task held the slot for a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskSpeed {
    seconds: f64,
    window: Window,
}

impl TaskSpeed {
    pub fn of(manifest: &Manifest) -> Option<Self> {
        Self::new(manifest.window(), manifest.seconds())
    }

    /// `None`: a short window only tells how long a task takes to start.
    pub fn new(window: Window, seconds: f64) -> Option<Self> {
        (seconds > 0.0 && window.duration() >= MIN_PART).then_some(Self { seconds, window })
    }

    /// The seconds that a task takes for a window of another length.
    pub fn seconds_for(self, window: Window) -> f64 {
        let length = |window: Window| window.duration().num_milliseconds() as f64;
        self.seconds * length(window) / length(self.window)
    }
}

/// Splits a window into equal parts, so that each task takes less than [`MAX_TASK_TIME`] at this speed.
pub fn split_for_speed(window: Window, speed: Option<TaskSpeed>) -> Vec<Window> {
    let seconds = speed.map_or(0.0, |speed| speed.seconds_for(window));
    let max_parts = (window.duration().num_milliseconds() / MIN_PART.num_milliseconds()).max(1);
    window.split_equally(((seconds / MAX_TASK_TIME.as_seconds_f64()).floor() as i64 + 1).min(max_parts))
}

/// Splits a window whose task took too long. A window of a day or less stays whole.
pub fn split_in_halves(window: Window) -> Vec<Window> {
    window.split_equally(if window.duration() > MIN_PART { 2 } else { 1 })
}
