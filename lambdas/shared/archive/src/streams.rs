//! What log streams tell: the newest event of a log group by their metadata, whether one has a prefix, and whether an event is there.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::OrderBy;
use export_core::{
    ExportError, LogGroupName, StreamPrefix, Window,
    decide::{AnyEvent, NewestEvent},
    service::logs_error,
    time::Millis,
};
use tokio::time::Instant;

use crate::{Archive, service_failure};

/// Of 50 log streams each. A log group that is idle and has more is exported: that is surer than to read on.
const MOST_PAGES: usize = 20;

/// Of FilterLogEvents, which can be empty one after another. A search that takes longer is no proof.
const MOST_PAGES_OF_EVENTS: usize = 200;
/// The function that asks has five minutes.
const LONGEST_SEARCH: Duration = Duration::from_secs(200);

impl Archive {
    /// An event at `since` or later ends the search. Log streams come with the newest event first; where those that do not tell their
    /// newest event stand in that order is not known, so one of them makes the answer unknown.
    pub async fn newest_event(&self, log_group: &LogGroupName, since: Millis) -> Result<NewestEvent, ExportError> {
        let mut newest = NewestEvent::None;
        let mut token = None;
        for _ in 0..MOST_PAGES {
            self.describe_log_streams.turn().await;
            let request = self.logs.describe_log_streams().log_group_name(log_group.as_str());
            let page = request.order_by(OrderBy::LastEventTime).descending(true).limit(50).set_next_token(token).send().await;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let failure = service_failure("DescribeLogStreams", &error);
                    // Deleted since it was looked at: CreateExportTask will say so.
                    return if failure.has_code("ResourceNotFoundException") {
                        Ok(NewestEvent::Unknown)
                    } else {
                        Err(logs_error(&failure))
                    };
                }
            };
            for stream in page.log_streams() {
                newest = match (stream.last_event_timestamp().map(Millis), newest) {
                    (Some(last), _) if last >= since => return Ok(NewestEvent::At(last)),
                    (Some(last), NewestEvent::At(newest)) => NewestEvent::At(last.max(newest)),
                    (Some(last), _) => NewestEvent::At(last),
                    (None, _) => return Ok(NewestEvent::Unknown),
                };
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(newest);
            }
        }
        Ok(NewestEvent::Unknown)
    }

    /// Whether there is a log stream, one whose name begins with `prefix`. A search that comes to no end says yes: the export will tell.
    pub async fn has_stream(&self, log_group: &LogGroupName, prefix: Option<&StreamPrefix>) -> Result<bool, ExportError> {
        let mut token = None;
        for _ in 0..MOST_PAGES {
            self.describe_log_streams.turn().await;
            let request = self.logs.describe_log_streams().log_group_name(log_group.as_str()).limit(1);
            let request = request.set_log_stream_name_prefix(prefix.map(ToString::to_string)).set_next_token(token);
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) => {
                    let failure = service_failure("DescribeLogStreams", &error);
                    // Deleted since it was looked at: CreateExportTask will say so.
                    return if failure.has_code("ResourceNotFoundException") { Ok(true) } else { Err(logs_error(&failure)) };
                }
            };
            token = page.next_token.clone();
            if !page.log_streams().is_empty() || token.is_none() {
                return Ok(!page.log_streams().is_empty());
            }
        }
        Ok(true)
    }

    /// Whether an event is in `window`. At most one event is read, and nothing of it is kept.
    pub async fn any_event(
        &self,
        log_group: &LogGroupName,
        prefix: Option<&StreamPrefix>,
        window: Window,
    ) -> Result<AnyEvent, ExportError> {
        let began = Instant::now();
        let mut token = None;
        for _ in 0..MOST_PAGES_OF_EVENTS {
            if began.elapsed() > LONGEST_SEARCH {
                break;
            }
            self.filter_log_events.turn().await;
            let request = self.logs.filter_log_events().log_group_name(log_group.as_str()).limit(1);
            // Sources differ on whether the end is included: one millisecond more is asked for, and cut off again.
            let request = request.start_time(window.from.0).end_time(window.to.0 + 1);
            let request = request.set_log_stream_name_prefix(prefix.map(ToString::to_string)).set_next_token(token);
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) => {
                    let failure = service_failure("FilterLogEvents", &error);
                    // Deleted: what that means is in the table.
                    return if failure.has_code("ResourceNotFoundException") { Ok(AnyEvent::None) } else { Err(logs_error(&failure)) };
                }
            };
            if page.events().iter().filter_map(|event| event.timestamp()).any(|at| window.includes(Millis(at))) {
                return Ok(AnyEvent::Found);
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(AnyEvent::None);
            }
        }
        Ok(AnyEvent::Unknown)
    }
}
