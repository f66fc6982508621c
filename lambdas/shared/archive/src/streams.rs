//! The newest event of a log group, by the metadata of its log streams.

use aws_sdk_cloudwatchlogs::types::OrderBy;
use export_core::{ExportError, LogGroupName, decide::NewestEvent, service::logs_error, time::Millis};

use crate::{Archive, service_failure};

/// Of 50 log streams each. A log group that is idle and has more is exported: that is surer than to read on.
const MOST_PAGES: usize = 20;

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
}
