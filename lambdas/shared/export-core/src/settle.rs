//! How long a run waits for late events: `settleDays` of a run's input, `SettleDays` of the stack.

use chrono::TimeDelta;

/// Days that a month is left alone after its end, so that events that are put late are exported with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettleDays(u8);

impl SettleDays {
    /// One more than events can be late.
    pub const MOST: u8 = 15;
    pub const FIX: &str = "give a whole number of days from 0 to 15";

    pub fn new(days: f64) -> Option<Self> {
        let fits = days.fract() == 0.0 && (0.0..=f64::from(Self::MOST)).contains(&days);
        fits.then_some(Self(days as u8))
    }

    /// A day has 24 hours here, whatever the clocks of a time zone do.
    pub fn time(self) -> TimeDelta {
        TimeDelta::days(self.0.into())
    }

    pub fn days(self) -> u8 {
        self.0
    }
}
