//! Looks up log streams and events: the newest event by the log streams' metadata, a log stream with a prefix, an event in a window.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::OrderBy;
use export_core::{
    ExportError, LogGroupName, StreamPrefix, Window,
    decide::{EventSearch, NewestEvent},
    service::logs_error,
    time::Millis,
};
use tokio::time::Instant;

use crate::{Archive, service_failure};

/// The log streams of one page of DescribeLogStreams.
const PAGE_SIZE: i32 = 50;

/// An idle log group with more pages of log streams is exported without further reading.
const MAX_STREAM_PAGES: usize = 20;

/// Pages of FilterLogEvents can be empty. A search that needs more pages proves nothing.
const MAX_EVENT_PAGES: usize = 200;
/// check-export-task has five minutes.
const MAX_SEARCH_TIME: Duration = Duration::from_secs(200);

impl Archive {
    /// The newest event of a log group. An event at `since` or later ends the search. The log streams with the newest events come first.
    /// AWS does not document the position of log streams without a last event, so one of them makes the answer unknown.
    pub async fn newest_event(&self, log_group: &LogGroupName, since: Millis) -> Result<NewestEvent, ExportError> {
        let mut newest = NewestEvent::None;
        let mut token = None;
        for _ in 0..MAX_STREAM_PAGES {
            self.describe_log_streams.wait_turn().await;
            let request = self.logs.describe_log_streams().log_group_name(log_group.as_str());
            let page = request.order_by(OrderBy::LastEventTime).descending(true).limit(PAGE_SIZE).set_next_token(token).send().await;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let failure = service_failure("DescribeLogStreams", &error);
                    // The log group was deleted meanwhile: CreateExportTask will say so.
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

    /// Whether a log stream has this prefix. If the search does not come to an end, the answer is yes, and the export will show it.
    pub async fn has_stream(&self, log_group: &LogGroupName, prefix: Option<&StreamPrefix>) -> Result<bool, ExportError> {
        let mut token = None;
        for _ in 0..MAX_STREAM_PAGES {
            self.describe_log_streams.wait_turn().await;
            let request = self.logs.describe_log_streams().log_group_name(log_group.as_str()).limit(1);
            let request = request.set_log_stream_name_prefix(prefix.map(ToString::to_string)).set_next_token(token);
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) => {
                    let failure = service_failure("DescribeLogStreams", &error);
                    // The log group was deleted meanwhile: CreateExportTask will say so.
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

    /// Searches an event in `window`. The search reads at most one event, and keeps nothing of it.
    pub async fn search_event(
        &self,
        log_group: &LogGroupName,
        prefix: Option<&StreamPrefix>,
        window: Window,
    ) -> Result<EventSearch, ExportError> {
        let began = Instant::now();
        let mut token = None;
        for _ in 0..MAX_EVENT_PAGES {
            if began.elapsed() > MAX_SEARCH_TIME {
                break;
            }
            self.filter_log_events.wait_turn().await;
            let request = self.logs.filter_log_events().log_group_name(log_group.as_str()).limit(1);
            // Sources differ on whether the end is included. So the request ends one millisecond later, and the answer is filtered.
            let request = request.start_time(window.from.0).end_time(window.to.0 + 1);
            let request = request.set_log_stream_name_prefix(prefix.map(ToString::to_string)).set_next_token(token);
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) => {
                    let failure = service_failure("FilterLogEvents", &error);
                    // The log group was deleted: the table of `decide` covers that.
                    return if failure.has_code("ResourceNotFoundException") { Ok(EventSearch::None) } else { Err(logs_error(&failure)) };
                }
            };
            if page.events().iter().filter_map(|event| event.timestamp()).any(|at| window.includes(Millis(at))) {
                return Ok(EventSearch::Found);
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(EventSearch::None);
            }
        }
        Ok(EventSearch::Unknown)
    }
}
