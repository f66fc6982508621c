//! Delays calls, so that many at once stay below a service's limit.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

pub(crate) struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub fn per_second(calls: u32) -> Self {
        Self { interval: Duration::from_secs(1) / calls, next: Mutex::new(None) }
    }

    /// Returns when the caller's turn has come.
    pub async fn wait_turn(&self) {
        let mut next = self.next.lock().await;
        let now = Instant::now();
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.interval);
        drop(next);
        // Tokio's timer takes up to a millisecond, also for a turn that has come.
        if turn > now {
            sleep_until(turn).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn twenty_one_calls_take_one_second() {
        let pace = Pace::per_second(20);
        let began = Instant::now();
        for _ in 0..21 {
            pace.wait_turn().await;
        }
        assert_eq!(began.elapsed().as_millis(), 1000);
    }
}
