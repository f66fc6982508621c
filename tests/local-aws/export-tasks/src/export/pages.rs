//! Reads a log stream's events in pages, so that memory does not grow with the number of events.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::local::Local;
use crate::scope::Caller;
use crate::upstream::UpstreamError;

const PAGE_EVENTS: usize = 2_000;

/// A page of events. It borrows from the answer's bytes if a message has no JSON escapes.
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

/// The pages of a stream, from the oldest event of the window to the newest.
pub(crate) struct Pages<'a> {
    local: &'a Local,
    caller: &'a Caller,
    request: Value,
    at_end: bool,
}

impl<'a> Pages<'a> {
    /// Both ends of the window are inclusive.
    pub(crate) fn new(local: &'a Local, caller: &'a Caller, log_group: &str, log_stream: &str, (from, to): (i64, i64)) -> Self {
        let request = json!({
            "logGroupName": log_group,
            "logStreamName": log_stream,
            "startTime": from,
            // GetLogEvents excludes the end. An export includes it.
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

    /// Parses a page, and remembers the token of the next one.
    pub(crate) fn parse<'b>(&mut self, bytes: &'b [u8]) -> Result<Page<'b>, UpstreamError> {
        let page: Page<'b> = serde_json::from_slice(bytes).map_err(|error| UpstreamError::Invalid(format!("GetLogEvents: {error}")))?;
        // A repeated token means the end. A page without events does not.
        self.at_end = self.request["nextToken"] == page.next_forward_token.as_str();
        self.request["nextToken"] = page.next_forward_token.as_str().into();
        Ok(page)
    }
}
