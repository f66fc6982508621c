//! Splits exported text into records, and compares sets of records without keeping them in memory.
//!
//! An export writes `<RFC 3339 with milliseconds, UTC> <message>` and a line break, and escapes nothing. A record begins with a line that
//! begins with a time. A line without a time belongs to the record before it. A message can have a line that looks like a record. Such an
//! event makes two records, in the archive and in CloudWatch Logs alike. Comparisons ignore line breaks at a record's end.

use std::io;

use chrono::NaiveDate;
use export_core::{Window, place::hexadecimal, time::Millis};
use sha2::{Digest, Sha256};

/// CloudWatch Logs accepts events of up to 1 MiB. Longer text without a line break is not an export.
const MAX_RECORD_BYTES: usize = 16 << 20;

/// The shape of a time: `0` stands for any digit.
const TIME: &[u8] = b"0000-00-00T00:00:00.000Z ";

#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// `None`: the text before an object's first time.
    pub at: Option<Millis>,
    /// Includes the line breaks at its end: those of the message, and that of the export.
    pub text: &'a [u8],
}

impl<'a> Record<'a> {
    /// The message without the line breaks at its end.
    pub fn message(&self) -> &'a [u8] {
        let end = self.text.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
        &self.text[..end]
    }

    /// The message without the line break that an export writes after it.
    pub fn exported_message(&self) -> &'a [u8] {
        self.text.strip_suffix(b"\n").unwrap_or(self.text)
    }

    pub fn hash(&self) -> u128 {
        let at = self.at.map_or(i64::MIN, |at| at.0);
        let hash = Sha256::new_with_prefix(at.to_le_bytes()).chain_update(self.message()).finalize();
        u128::from_le_bytes(hash[..16].try_into().expect("a hash has 32 bytes"))
    }
}

/// Identifies a set of records by their number and the sum of their hashes. Their order does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub events: u64,
    sum: u128,
}

impl Tally {
    pub fn add(&mut self, record: &Record) {
        *self += Self { events: 1, sum: record.hash() };
    }

    pub fn digest(&self) -> String {
        hexadecimal(&self.sum.to_be_bytes(), 16)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// Splits a stream of text into records.
pub struct Splitter<V> {
    visit: V,
    /// A line with a time outside the window does not begin a record.
    window: Option<Window>,
    at: Option<Millis>,
    record: Vec<u8>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
}

impl<V: FnMut(Record)> Splitter<V> {
    pub fn new(visit: V) -> Self {
        Self { visit, window: None, at: None, record: Vec::new(), line: Vec::new() }
    }

    /// Sets the window of the export: a line with a time outside it belongs to a message.
    pub fn within(self, window: Option<Window>) -> Self {
        Self { window, ..self }
    }

    /// Adds an event as an export writes it. Its first line never begins a second record.
    pub fn push_event(&mut self, at: Millis, message: &str) {
        let first = message.find('\n').map_or(message.len(), |end| end + 1);
        self.at = Some(at);
        self.record.extend_from_slice(&message.as_bytes()[..first]);
        for line in message[first..].split_inclusive('\n') {
            self.push_line(line.as_bytes());
        }
        self.emit();
    }

    /// Ends the last record. The last line of an object need not have a line break.
    pub fn finish(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.push_line(&line);
        }
        self.emit();
    }

    fn push_line(&mut self, line: &[u8]) {
        match leading_time(line).filter(|at| self.window.is_none_or(|window| window.includes(*at))) {
            Some(at) => {
                self.emit();
                self.at = Some(at);
                self.record.extend_from_slice(&line[TIME.len()..]);
            }
            None => self.record.extend_from_slice(line),
        }
    }

    fn emit(&mut self) {
        if self.at.is_some() || !self.record.is_empty() {
            (self.visit)(Record { at: self.at, text: &self.record });
        }
        self.at = None;
        self.record.clear();
    }
}

impl<V: FnMut(Record)> io::Write for Splitter<V> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut rest = text;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end + 1);
            if self.line.is_empty() {
                self.push_line(line);
            } else {
                self.line.extend_from_slice(line);
                let mut whole = std::mem::take(&mut self.line);
                self.push_line(&whole);
                whole.clear();
                self.line = whole;
            }
            rest = after;
        }
        self.line.extend_from_slice(rest);
        if self.line.len().max(self.record.len()) > MAX_RECORD_BYTES {
            return Err(io::Error::other(format!("a record has more than {MAX_RECORD_BYTES} bytes, so the object is not an export")));
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The time at the beginning of a line.
fn leading_time(line: &[u8]) -> Option<Millis> {
    let has_shape = line.len() >= TIME.len()
        && line.iter().zip(TIME).all(|(byte, shape)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape });
    if !has_shape {
        return None;
    }
    let number = |from: usize, to: usize| line[from..to].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    let day = NaiveDate::from_ymd_opt(number(0, 4) as i32, number(5, 7), number(8, 10))?;
    let time = day.and_hms_milli_opt(number(11, 13), number(14, 16), number(17, 19), number(20, 23))?;
    Some(Millis::of(time.and_utc()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The records of a text that is written in parts of `size` bytes.
    fn records(text: &str, size: usize) -> Vec<(Option<i64>, String)> {
        let mut found = Vec::new();
        let mut splitter = Splitter::new(|record: Record| {
            found.push((record.at.map(|at| at.0), String::from_utf8(record.message().to_vec()).unwrap()));
        });
        text.as_bytes().chunks(size).for_each(|part| splitter.write_all(part).unwrap());
        splitter.finish();
        found
    }

    /// A line that quotes another log is not a separate event.
    #[test]
    fn a_time_outside_the_window_does_not_begin_a_record() {
        let text = b"2024-10-01T00:00:00.000Z a\n2024-09-01T00:00:00.000Z quoted\n2024-10-01T00:00:00.001Z b\n";
        let window = Window { from: Millis(1_727_740_800_000), to: Millis(1_727_740_800_001) };
        for (window, expected) in [(None, 3), (Some(window), 2)] {
            let mut messages = Vec::new();
            let mut splitter = Splitter::new(|record: Record| messages.push(record.message().to_vec())).within(window);
            splitter.write_all(text).unwrap();
            splitter.finish();
            assert_eq!(messages.len(), expected);
            if window.is_some() {
                assert_eq!(messages[0], b"a\n2024-09-01T00:00:00.000Z quoted");
            }
        }
    }

    #[test]
    fn a_line_that_begins_with_a_time_begins_a_record() {
        let text = "stray\n2026-10-04T00:00:00.123Z a\r\n\tat b\n\n2026-10-04T00:00:00.124Z é🔒\n2026-13-04T00:00:00.123Z no date\n\
            2026-10-04T00:00:00.125Z\n2026-10-04T00:00:00.126Z \n2026-10-04T00:00:00.127Z no line break";
        let at = |millis: i64, message: &str| (Some(1_791_072_000_000 + millis), message.to_owned());
        let expected = [
            (None, "stray".to_owned()),
            at(123, "a\r\n\tat b"),
            at(124, "é🔒\n2026-13-04T00:00:00.123Z no date\n2026-10-04T00:00:00.125Z"),
            at(126, ""),
            at(127, "no line break"),
        ];
        for size in [1, 2, 7, 1000] {
            assert_eq!(records(text, size), expected, "{size}");
        }
        assert_eq!(records("", 1), []);
    }

    #[test]
    fn an_event_and_its_export_have_the_same_records() {
        let at = Millis(1_791_072_000_123);
        for message in ["a", "a\n", "a\r\nb\n\n", "2026-10-04T00:00:00.123Z x", "a\n2026-10-04T00:00:00.123Z x\ny", "\n", " "] {
            let mut tally = Tally::default();
            Splitter::new(|record: Record| tally.add(&record)).push_event(at, message);
            let mut exported = Tally::default();
            let mut splitter = Splitter::new(|record: Record| exported.add(&record));
            splitter.write_all(format!("2026-10-04T00:00:00.123Z {message}\n").as_bytes()).unwrap();
            splitter.finish();
            assert_eq!(tally, exported, "{message:?}");
        }
    }

    #[test]
    fn a_tally_depends_on_the_records_and_not_on_their_order() {
        let tally = |records: &[(i64, &str)]| {
            let mut tally = Tally::default();
            records.iter().for_each(|(at, message)| tally.add(&Record { at: Some(Millis(*at)), text: message.as_bytes() }));
            tally
        };
        let one = tally(&[(1, "a"), (2, "b"), (2, "b")]);
        assert_eq!(one, tally(&[(2, "b"), (1, "a"), (2, "b")]));
        for other in
            [&[(1, "a"), (2, "b")][..], &[(1, "a"), (1, "a"), (2, "b")], &[(2, "a"), (1, "b"), (2, "b")], &[(1, "b"), (2, "a"), (2, "b")]]
        {
            assert_ne!(one, tally(other), "{other:?}");
        }
    }
}
