//! How long a run waits for late events: `settleDays` of a run's input, `SettleDays` of the stack.

use chrono::TimeDelta;

/// The days that a run waits after a month's end, so that late events are exported with the month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettleDays(u8);

impl SettleDays {
    /// One day more than an event can be late.
    pub const MAX: u8 = 15;
    pub const EXPECTED: &str = "give a whole number of days from 0 to 15";

    pub fn new(days: f64) -> Option<Self> {
        let is_valid = days.fract() == 0.0 && (0.0..=f64::from(Self::MAX)).contains(&days);
        is_valid.then_some(Self(days as u8))
    }

    /// A day has 24 hours here, also where the clocks change.
    pub fn duration(self) -> TimeDelta {
        TimeDelta::days(self.0.into())
    }

    pub fn days(self) -> u8 {
        self.0
    }
}
