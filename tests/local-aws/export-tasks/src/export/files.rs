//! The files of a task: `<prefix>/<taskId>/<log stream>/000000.gz`, `000001.gz`, ...

use std::collections::HashMap;
use std::io::{self, Write};

use bytes::Bytes;
use chrono::DateTime;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::pages::Event;

/// S3's limit in UTF-8 bytes. The local AWS accepts longer keys.
pub(crate) const MAX_KEY_BYTES: usize = 1024;

/// The keys of a task's files. Streams whose names differ only in `/` and `-` share a folder and its numbers, so that no file overwrites
/// another.
pub(crate) struct Keys {
    base: String,
    next_number: HashMap<String, u32>,
}

impl Keys {
    pub(crate) fn new(data_prefix: &str, task_id: &str) -> Self {
        Self { base: format!("{data_prefix}/{task_id}"), next_number: HashMap::new() }
    }

    /// The key of the stream's next file.
    pub(crate) fn next(&mut self, log_stream: &str) -> String {
        let folder = log_stream.replace('/', "-");
        let next = self.next_number.entry(folder.clone()).or_default();
        let number = *next;
        *next += 1;
        format!("{}/{folder}/{number:06}.gz", self.base)
    }
}

/// A file that is compressed in memory before it is written.
pub(crate) struct GzipFile(GzEncoder<Vec<u8>>);

impl GzipFile {
    pub(crate) fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::default()))
    }

    /// Appends `<timestamp> <message>\n`, and returns the compressed size so far.
    pub(crate) fn append(&mut self, event: &Event<'_>) -> io::Result<usize> {
        let time = DateTime::from_timestamp_millis(event.timestamp).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("an event has the timestamp {}, which is not a date", event.timestamp))
        })?;
        write!(self.0, "{} ", time.format("%Y-%m-%dT%H:%M:%S%.3fZ"))?;
        self.0.write_all(event.message.as_bytes())?;
        self.0.write_all(b"\n")?;
        Ok(self.0.get_ref().len())
    }

    pub(crate) fn finish(self) -> io::Result<Bytes> {
        self.0.finish().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Event, GzipFile};

    #[test]
    fn a_timestamp_that_is_not_a_date_is_an_error() {
        let event = Event { timestamp: i64::MAX, message: Cow::Borrowed("") };
        let error = GzipFile::new().append(&event).expect_err("not a date");
        assert_eq!(error.to_string(), "an event has the timestamp 9223372036854775807, which is not a date");
    }
}
