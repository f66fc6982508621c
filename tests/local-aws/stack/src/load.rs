//! Puts the sample logs into CloudWatch Logs, in batches as large as it takes.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;

use crate::controls::LogGroupOverlay;
use crate::samples::{EVENT_OVERHEAD_BYTES, Event, LogGroup, LogStream, MAX_BATCH_BYTES};
use crate::stack::LocalAws;

/// PutLogEvents' other limits.
const MAX_BATCH_EVENTS: usize = 10_000;
const MAX_BATCH_SPAN_MS: i64 = 24 * 60 * 60 * 1_000;

impl LocalAws {
    /// Creates a log group with its age, streams and events.
    pub async fn load(&self, group: &LogGroup) -> Result<()> {
        let logs = Client::new(&self.sdk_config());
        logs.create_log_group()
            .log_group_name(&group.name)
            .send()
            .await
            .with_context(|| format!("cannot create the log group {}", group.name))?;
        // Made now for a month that is over: without its age it would count as created after the month.
        self.set_log_group(&LogGroupOverlay::created_at(&group.name, group.created)).await?;
        for stream in &group.streams {
            load_stream(&logs, &group.name, stream)
                .await
                .with_context(|| format!("cannot load the log stream {} of {}", stream.name, group.name))?;
        }
        Ok(())
    }
}

async fn load_stream(logs: &Client, group: &str, stream: &LogStream) -> Result<()> {
    logs.create_log_stream().log_group_name(group).log_stream_name(&stream.name).send().await?;
    for batch in batches(&stream.events)? {
        let events = stream.events[batch]
            .iter()
            .map(|event| InputLogEvent::builder().timestamp(event.timestamp).message(&event.message).build())
            .collect::<Result<_, _>>()?;
        let put = logs.put_log_events().log_group_name(group).log_stream_name(&stream.name).set_log_events(Some(events)).send().await?;
        if let Some(rejected) = put.rejected_log_events_info {
            bail!("events were rejected: {rejected:?}");
        }
    }
    Ok(())
}

/// Cuts chronological events into batches within PutLogEvents' limits.
fn batches(events: &[Event]) -> Result<Vec<Range<usize>>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, event) in events.iter().enumerate() {
        let size = event.message.len() + EVENT_OVERHEAD_BYTES;
        if event.message.is_empty() || size > MAX_BATCH_BYTES {
            bail!("an event of {} bytes is not possible", event.message.len());
        }
        match batches.last_mut() {
            Some(batch)
                if batch.len() < MAX_BATCH_EVENTS
                    && bytes + size <= MAX_BATCH_BYTES
                    && event.timestamp - events[batch.start].timestamp <= MAX_BATCH_SPAN_MS =>
            {
                batch.end = index + 1;
                bytes += size;
            }
            _ => {
                batches.push(index..index + 1);
                bytes = size;
            }
        }
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(timestamp: i64, bytes: usize) -> Event {
        Event { timestamp, message: "x".repeat(bytes) }
    }

    fn sizes(events: &[Event]) -> Vec<usize> {
        let batches = batches(events).unwrap();
        // Without a gap and without an overlap.
        assert_eq!(batches.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..events.len()).collect::<Vec<_>>());
        batches.iter().map(ExactSizeIterator::len).collect()
    }

    #[test]
    fn batches_keep_to_the_limits() {
        assert_eq!(sizes(&vec![event(0, 1); 10_001]), [10_000, 1]);
        // 26 bytes count for each event, besides its message.
        assert_eq!(sizes(&[event(0, 524_262), event(0, 524_262)]), [2]);
        assert_eq!(sizes(&[event(0, 524_262), event(0, 524_263)]), [1, 1]);
        assert_eq!(sizes(&[event(0, 1), event(86_400_000, 1), event(86_400_001, 1)]), [2, 1]);
        assert_eq!(batches(&[event(0, 1_048_551)]).unwrap_err().to_string(), "an event of 1048551 bytes is not possible");
    }
}
