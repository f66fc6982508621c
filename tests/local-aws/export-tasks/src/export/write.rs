//! Writes a task's data: every event of its window, stream by stream. It has at most one page and one file in memory.

use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::destination::{Destination, PutError, permission_error_message};
use super::files::{GzipFile, Keys, MAX_KEY_BYTES};
use super::pages::Pages;
use super::task::ExportRequest;
use crate::local::Local;
use crate::scope::Caller;

/// The reason why writing ended early.
pub(crate) enum Stop {
    Cancelled,
    Failed(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    log_streams: Vec<LogStream>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogStream {
    log_stream_name: String,
}

pub(crate) struct Writer<'a> {
    pub(crate) local: &'a Local,
    pub(crate) caller: &'a Caller,
    pub(crate) request: &'a ExportRequest,
    pub(crate) destination: &'a Destination,
    pub(crate) cancel: &'a watch::Receiver<bool>,
    pub(crate) keys: Keys,
    /// A task that takes more than 24 hours writes only some objects.
    pub(crate) remaining_objects: usize,
}

impl Writer<'_> {
    /// Writes all streams in the order of their names.
    pub(crate) async fn write(&mut self) -> Result<(), Stop> {
        let mut token: Option<String> = None;
        let mut last: Option<String> = None;
        loop {
            let listing = self.list(token.as_deref()).await?;
            for stream in listing.log_streams {
                // A stream created meanwhile shifts the local AWS's pages, so that a written stream comes again.
                if last.as_ref().is_some_and(|last| stream.log_stream_name <= *last) {
                    continue;
                }
                self.write_stream(&stream.log_stream_name).await?;
                last = Some(stream.log_stream_name);
            }
            token = match listing.next_token {
                Some(token) => Some(token),
                None => return Ok(()),
            };
        }
    }

    async fn list(&self, token: Option<&str>) -> Result<Listing, Stop> {
        let mut input = json!({ "logGroupName": self.request.log_group_name });
        if let Some(prefix) = &self.request.log_stream_name_prefix {
            input["logStreamNamePrefix"] = prefix.as_str().into();
        }
        if let Some(token) = token {
            input["nextToken"] = token.into();
        }
        let answer = self.local.upstream.logs(self.caller, "DescribeLogStreams", &input).await.map_err(failed)?;
        serde_json::from_slice(&answer).map_err(|error| failed(format!("DescribeLogStreams: {error}")))
    }

    /// A stream without events in the window writes no file.
    async fn write_stream(&mut self, log_stream: &str) -> Result<(), Stop> {
        let max_file_bytes = self.local.settings().max_file_bytes;
        let window = (self.request.from, self.request.to);
        let mut pages = Pages::new(self.local, self.caller, &self.request.log_group_name, log_stream, window);
        let mut file: Option<GzipFile> = None;
        while let Some(bytes) = pages.next().await.map_err(failed)? {
            self.stop_if_cancelled()?;
            let page = pages.parse(&bytes).map_err(failed)?;
            for event in &page.events {
                let gzip = file.get_or_insert_with(GzipFile::new);
                if gzip.append(event).map_err(failed)? as u64 >= max_file_bytes {
                    self.put(log_stream, file.take()).await?;
                }
            }
        }
        self.put(log_stream, file).await
    }

    async fn put(&mut self, log_stream: &str, file: Option<GzipFile>) -> Result<(), Stop> {
        let Some(file) = file.filter(|_| self.remaining_objects > 0) else {
            return Ok(());
        };
        self.remaining_objects -= 1;
        self.stop_if_cancelled()?;
        let body = file.finish().map_err(failed)?;
        let key = self.keys.next(log_stream);
        if key.len() > MAX_KEY_BYTES {
            return Err(failed(format!("The key {key} has {} bytes; an S3 key has at most {MAX_KEY_BYTES}.", key.len())));
        }
        self.destination.put(self.local, self.caller, &self.request.log_group_name, &key, body).await.map_err(|error| match error {
            PutError::NotAllowed => Stop::Failed(permission_error_message("PutObject")),
            PutError::Upstream(error) => failed(error),
        })
    }

    fn stop_if_cancelled(&self) -> Result<(), Stop> {
        if *self.cancel.borrow() {
            return Err(Stop::Cancelled);
        }
        Ok(())
    }
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::Failed(error.to_string())
}
