//! Splits bytes into lines, in memory that does not grow with the length of a line.

/// PutLogEvents accepts so many bytes, with [`EVENT_OVERHEAD`] for each event.
pub const MAX_BATCH_BYTES: usize = 1_048_576;
pub const EVENT_OVERHEAD: usize = 26;
/// The longest message of one event.
pub const MAX_EVENT_BYTES: usize = MAX_BATCH_BYTES - EVENT_OVERHEAD;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Event(String),
    /// CloudWatch Logs accepts no event without a message.
    Empty,
    /// The number of bytes.
    TooLong(u64),
    /// The number of valid bytes before the first invalid one.
    NotUtf8(usize),
}

impl Line {
    pub fn parse(bytes: Vec<u8>) -> Self {
        match bytes.len() {
            0 => Self::Empty,
            length if length > MAX_EVENT_BYTES => Self::TooLong(length as u64),
            _ => String::from_utf8(bytes).map_or_else(|error| Self::NotUtf8(error.utf8_error().valid_up_to()), Self::Event),
        }
    }
}

/// The line that is read now.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of the line, up to the length of an event.
    kept: Vec<u8>,
    length: u64,
}

impl Lines {
    /// Removes the rest of a line from `bytes`. `None`: the line continues in the next bytes. `\n` and `\r\n` end a line.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Line> {
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        // One byte more, which may be the `\r` of the line's end.
        self.kept.extend_from_slice(&part[..part.len().min(MAX_EVENT_BYTES + 1 - self.kept.len())]);
        self.length += part.len() as u64;
        *bytes = &bytes[end.map_or(bytes.len(), |end| end + 1)..];
        end.map(|_| self.take())
    }

    /// The last line, if the input ends without a line break.
    pub fn finish(&mut self) -> Option<Line> {
        (self.length > 0).then(|| self.take())
    }

    fn take(&mut self) -> Line {
        let Self { mut kept, length } = std::mem::take(self);
        if length > kept.len() as u64 {
            return Line::TooLong(length);
        }
        if kept.last() == Some(&b'\r') {
            kept.pop();
        }
        Line::parse(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text that is read in parts of `size` bytes.
    fn read(text: &[u8], size: usize) -> Vec<Line> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for mut bytes in text.chunks(size) {
            while let Some(line) = lines.next(&mut bytes) {
                found.push(line);
            }
        }
        found.extend(lines.finish());
        found
    }

    #[test]
    fn the_lines_do_not_depend_on_the_parts_that_are_read() {
        let text = "one\n\ntwo\r\n\r\na\rb\n é🔒 \nx\u{0}\nlast".as_bytes();
        let event = |text: &str| Line::Event(text.to_owned());
        let expected =
            [event("one"), Line::Empty, event("two"), Line::Empty, event("a\rb"), event(" é🔒 "), event("x\u{0}"), event("last")];
        for size in 1..=text.len() {
            assert_eq!(read(text, size), expected, "{size} bytes at a time");
        }
        assert_eq!(read(b"", 1), []);
        assert_eq!(read(b"ok\nab\xff\xfe\nok", 2), [event("ok"), Line::NotUtf8(2), event("ok")]);
    }

    #[test]
    fn no_more_of_a_line_is_kept_than_an_event_can_have() {
        let line = |length: usize, end: &str| [vec![b'x'; length], end.as_bytes().to_vec()].concat();
        for end in ["\n", "\r\n", ""] {
            let longest = read(&line(MAX_EVENT_BYTES, end), 65_536);
            assert!(matches!(&longest[..], [Line::Event(text)] if text.len() == MAX_EVENT_BYTES), "{end:?}");
        }
        assert_eq!(read(&line(MAX_EVENT_BYTES + 1, "\n"), 65_536), [Line::TooLong(MAX_EVENT_BYTES as u64 + 1)]);
        assert_eq!(read(&line(1_048_577, "\nok"), 65_536), [Line::TooLong(1_048_577), Line::Event("ok".to_owned())]);
        let (mut lines, long) = (Lines::default(), vec![b'x'; 65_536]);
        (0..1_000).for_each(|_| _ = lines.next(&mut &long[..]));
        assert!(lines.kept.capacity() <= 2 * MAX_BATCH_BYTES, "{} bytes are kept", lines.kept.capacity());
        assert_eq!(lines.finish(), Some(Line::TooLong(65_536_000)));
    }
}
