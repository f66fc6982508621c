//! Reads a log stream's events page by page, each page bounded in bytes.
//!
//! The local AWS bounds a page of GetLogEvents by its number of events only, and an event may have a megabyte. So the
//! number asked for follows the size of the events seen, and a page that turns out larger than the budget is given up
//! unread and asked for again, smaller. One event always fits.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::gauge::Held;
use crate::local::Local;
use crate::scope::Caller;
use crate::upstream::UpstreamError;

/// A page is given up beyond this. JSON may write each byte of a 1 MiB message as six.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// A page is meant to have about this size.
const USUAL_PAGE_BYTES: usize = 1024 * 1024;
const FIRST_PAGE_EVENTS: usize = 100;
const MAX_PAGE_EVENTS: usize = 2_000;

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

impl Page<'_> {
    /// Memory the parsed page needs beyond the answer's bytes.
    pub(crate) fn owned_bytes(&self) -> usize {
        let owned: usize = self
            .events
            .iter()
            .map(|event| match &event.message {
                Cow::Borrowed(_) => 0,
                Cow::Owned(message) => message.capacity(),
            })
            .sum();
        owned + self.events.capacity() * size_of::<Event<'_>>()
    }
}

/// Walks one stream from its oldest event of the window to its newest.
pub(crate) struct Pages<'a> {
    local: &'a Local,
    caller: &'a Caller,
    request: Value,
    events_wanted: usize,
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
        });
        Self { local, caller, request, events_wanted: FIRST_PAGE_EVENTS, at_end: false }
    }

    /// The bytes of the next page, counted in `held`; `None` after the last.
    pub(crate) async fn next(&mut self, held: &mut Held) -> Result<Option<Bytes>, UpstreamError> {
        if self.at_end {
            return Ok(None);
        }
        loop {
            self.request["limit"] = self.events_wanted.into();
            let answer = self.local.upstream.logs(self.caller, "GetLogEvents", &self.request, MAX_PAGE_BYTES, Some(held)).await;
            match answer {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(UpstreamError::TooLarge) if self.events_wanted > 1 => {
                    self.events_wanted = (self.events_wanted / 8).max(1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Parses a page and moves on behind it.
    pub(crate) fn parse<'b>(&mut self, bytes: &'b [u8]) -> Result<Page<'b>, UpstreamError> {
        let page: Page<'b> = serde_json::from_slice(bytes).map_err(|error| UpstreamError::Garbled(format!("GetLogEvents: {error}")))?;
        // The end is where the token no longer moves; a page without events before it is possible.
        self.at_end = self.request["nextToken"] == page.next_forward_token.as_str();
        self.request["nextToken"] = page.next_forward_token.as_str().into();
        if !page.events.is_empty() {
            let per_event = (bytes.len() / page.events.len()).max(1);
            self.events_wanted = (USUAL_PAGE_BYTES / per_event).clamp(1, MAX_PAGE_EVENTS).min(self.events_wanted * 4);
        }
        Ok(page)
    }
}
