//! Reads a log stream's events page by page: memory does not grow with the number of events.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::local::Local;
use crate::scope::Caller;
use crate::upstream::UpstreamError;

const PAGE_EVENTS: usize = 2_000;

/// One page of events, borrowing from the answer's bytes where JSON needed no escapes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<'a> {
    #[serde(borrow)]
    pub(crate) events: Vec<Event<'a>>,
    next_forward_token: String,
}

#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    pub(crate) timestamp: i64,
    #[serde(borrow)]
    pub(crate) message: Cow<'a, str>,
}

/// Walks one stream from its oldest event of the window to its newest.
pub(crate) struct Pages<'a> {
    local: &'a Local,
    caller: &'a Caller,
    request: Value,
    at_end: bool,
}

impl<'a> Pages<'a> {
    /// `from` and `to` both inclusive.
    pub(crate) fn new(local: &'a Local, caller: &'a Caller, log_group: &str, log_stream: &str, (from, to): (i64, i64)) -> Self {
        let request = json!({
            "logGroupName": log_group,
            "logStreamName": log_stream,
            "startTime": from,
            // GetLogEvents excludes the end, an export includes it.
            "endTime": to.saturating_add(1),
            "startFromHead": true,
            "limit": PAGE_EVENTS,
        });
        Self { local, caller, request, at_end: false }
    }

    /// The bytes of the next page; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        if self.at_end {
            return Ok(None);
        }
        self.local.upstream.logs(self.caller, "GetLogEvents", &self.request).await.map(Some)
    }

    /// Parses a page and moves on behind it.
    pub(crate) fn parse<'b>(&mut self, bytes: &'b [u8]) -> Result<Page<'b>, UpstreamError> {
        let page: Page<'b> = serde_json::from_slice(bytes).map_err(|error| UpstreamError::Garbled(format!("GetLogEvents: {error}")))?;
        // The end is where the token no longer moves; a page without events before it is possible.
        self.at_end = self.request["nextToken"] == page.next_forward_token.as_str();
        self.request["nextToken"] = page.next_forward_token.as_str().into();
        Ok(page)
    }
}
