//! The limits of one call of PutLogEvents, and the events that it rejects.

use aws_sdk_cloudwatchlogs::types::RejectedLogEventsInfo;
use export_core::time::Millis;

use crate::commands::put::lines::{EVENT_OVERHEAD, MAX_BATCH_BYTES};

const MAX_BATCH_EVENTS: usize = 10_000;
const MAX_BATCH_SPAN_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    TooOld,
    TooNew,
    Expired,
}

impl Rejection {
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooOld => "CloudWatch Logs rejected it: its time is more than 14 days ago. Set this machine's clock",
            Self::TooNew => "CloudWatch Logs rejected it: its time is more than 2 hours ahead. Set this machine's clock",
            Self::Expired => "CloudWatch Logs rejected it: its time is before the log group's retention. Set this machine's clock",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The number of the line, from 1 on.
    pub line: u64,
    pub at: Millis,
    pub message: String,
}

/// Events in the order of time.
#[derive(Debug, Default)]
pub struct Batch {
    pub events: Vec<Event>,
    bytes: usize,
}

impl Batch {
    pub fn has_room_for(&self, event: &Event) -> bool {
        let is_within_span = self.events.first().is_none_or(|first| event.at.0 - first.at.0 <= MAX_BATCH_SPAN_MS);
        self.events.len() < MAX_BATCH_EVENTS && self.bytes + size(event) <= MAX_BATCH_BYTES && is_within_span
    }

    pub fn push(&mut self, event: Event) {
        self.bytes += size(&event);
        self.events.push(event);
    }

    /// The lines of the rejected events. In the response, both end indexes are exclusive.
    pub fn rejected(&self, info: &RejectedLogEventsInfo) -> Vec<(u64, Rejection)> {
        let index = |index: Option<i32>| index.and_then(|index| usize::try_from(index).ok());
        let too_old = index(info.too_old_log_event_end_index).unwrap_or(0);
        let expired = index(info.expired_log_event_end_index).unwrap_or(0);
        let too_new = index(info.too_new_log_event_start_index).unwrap_or(usize::MAX);
        let rejection = |index: usize| match index {
            _ if index < too_old => Some(Rejection::TooOld),
            _ if index < expired => Some(Rejection::Expired),
            _ => (index >= too_new).then_some(Rejection::TooNew),
        };
        self.events.iter().enumerate().filter_map(|(index, event)| Some((event.line, rejection(index)?))).collect()
    }
}

fn size(event: &Event) -> usize {
    event.message.len() + EVENT_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::put::lines::MAX_EVENT_BYTES;

    fn event(at: i64, bytes: usize) -> Event {
        Event { line: 1, at: Millis(at), message: "x".repeat(bytes) }
    }

    /// How many of these events fit into the first batch.
    fn fitting(events: &[Event]) -> usize {
        let mut batch = Batch::default();
        for event in events {
            if !batch.has_room_for(event) {
                break;
            }
            batch.push(event.clone());
        }
        batch.events.len()
    }

    #[test]
    fn a_batch_stays_within_the_limits_of_a_call() {
        assert_eq!(fitting(&vec![event(0, 1); 10_001]), 10_000);
        assert_eq!(fitting(&[event(0, MAX_EVENT_BYTES)]), 1, "the largest event fits");
        // Each event counts 26 bytes more than its message.
        assert_eq!(fitting(&[event(0, 524_262), event(0, 524_262)]), 2);
        assert_eq!(fitting(&[event(0, 524_262), event(0, 524_263)]), 1);
        assert_eq!(fitting(&[event(0, 1), event(86_400_000, 1), event(86_400_001, 1)]), 2);
    }

    #[test]
    fn rejected_events_are_found_by_their_indexes() {
        let events = (0..6).map(|index| Event { line: 10 + 2 * index, at: Millis(0), message: "x".to_owned() }).collect();
        let batch = Batch { events, bytes: 0 };
        let info = RejectedLogEventsInfo::builder();
        let all = info.too_old_log_event_end_index(1).expired_log_event_end_index(3).too_new_log_event_start_index(5).build();
        let expected = [(10, Rejection::TooOld), (12, Rejection::Expired), (14, Rejection::Expired), (20, Rejection::TooNew)];
        assert_eq!(batch.rejected(&all), expected);
        assert_eq!(batch.rejected(&RejectedLogEventsInfo::builder().build()), []);
        let none = RejectedLogEventsInfo::builder().too_old_log_event_end_index(0).too_new_log_event_start_index(6).build();
        assert_eq!(batch.rejected(&none), []);
    }
}
