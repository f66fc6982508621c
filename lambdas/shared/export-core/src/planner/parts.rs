//! Into which parts a window is cut, so that no task reaches the 24 hours after which CloudWatch Logs ends it.

use chrono::TimeDelta;

use crate::{Window, manifest::Manifest};

/// A part's task is to take less than this, because a month can have more log events than the one before.
const LONGEST_TASK: TimeDelta = TimeDelta::hours(16);

const SHORTEST_PART: TimeDelta = TimeDelta::days(1);

/// How long a task held the slot for a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    seconds: f64,
    window: Window,
}

impl Speed {
    pub fn of(manifest: &Manifest) -> Option<Self> {
        Self::new(manifest.window(), manifest.seconds())
    }

    /// A short window tells how long a task takes to start, and no more.
    pub fn new(window: Window, seconds: f64) -> Option<Self> {
        (seconds > 0.0 && window.duration() >= SHORTEST_PART).then_some(Self { seconds, window })
    }

    /// For a window of another length.
    pub fn seconds_for(self, window: Window) -> f64 {
        let length = |window: Window| window.duration().num_milliseconds() as f64;
        self.seconds * length(window) / length(self.window)
    }
}

/// As many equal parts as keep each task short, at this speed.
pub fn equal_parts(window: Window, speed: Option<Speed>) -> Vec<Window> {
    let seconds = speed.map_or(0.0, |speed| speed.seconds_for(window));
    let most = (window.duration().num_milliseconds() / SHORTEST_PART.num_milliseconds()).max(1);
    window.parts(((seconds / LONGEST_TASK.as_seconds_f64()).floor() as i64 + 1).min(most))
}

/// Of a window whose task took too long. One part: it is of a day or less, and no shorter one is tried.
pub fn halves(window: Window) -> Vec<Window> {
    window.parts(if window.duration() > SHORTEST_PART { 2 } else { 1 })
}
