//! Cuts bytes into lines that can be events, in memory that does not grow with the length of a line.

/// PutLogEvents takes so many bytes at once, with [`OVERHEAD`] for each event.
pub const MOST_BYTES: usize = 1_048_576;
pub const OVERHEAD: usize = 26;
/// What is left for the message of one event.
pub const LONGEST_EVENT: usize = MOST_BYTES - OVERHEAD;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Event(String),
    /// CloudWatch Logs takes no event without a message.
    Empty,
    /// With its number of bytes.
    TooLong(u64),
    /// With the number of good bytes before the first wrong one.
    NotUtf8(usize),
}

impl Line {
    pub fn of(bytes: Vec<u8>) -> Self {
        match bytes.len() {
            0 => Self::Empty,
            length if length > LONGEST_EVENT => Self::TooLong(length as u64),
            _ => String::from_utf8(bytes).map_or_else(|error| Self::NotUtf8(error.utf8_error().valid_up_to()), Self::Event),
        }
    }
}

/// The line that is being read.
#[derive(Debug, Default)]
pub struct Lines {
    /// Its beginning, as far as it can be an event.
    kept: Vec<u8>,
    length: u64,
}

impl Lines {
    /// Takes the rest of a line off `bytes`. `None`: the line goes on behind them. `\n` and `\r\n` end a line.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Line> {
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        // One more: it may be the `\r` of the line's end.
        self.kept.extend_from_slice(&part[..part.len().min(LONGEST_EVENT + 1 - self.kept.len())]);
        self.length += part.len() as u64;
        *bytes = &bytes[end.map_or(bytes.len(), |end| end + 1)..];
        end.map(|_| self.take())
    }

    /// What is left when the input ends without a line break.
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
        Line::of(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text that comes in parts of so many bytes.
    fn read(text: &[u8], part: usize) -> Vec<Line> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for mut bytes in text.chunks(part) {
            while let Some(line) = lines.next(&mut bytes) {
                found.push(line);
            }
        }
        found.extend(lines.finish());
        found
    }

    #[test]
    fn lines_are_the_same_however_their_bytes_come() {
        let text = "one\n\ntwo\r\n\r\na\rb\n é🔒 \nx\u{0}\nlast".as_bytes();
        let event = |text: &str| Line::Event(text.to_owned());
        let expected =
            [event("one"), Line::Empty, event("two"), Line::Empty, event("a\rb"), event(" é🔒 "), event("x\u{0}"), event("last")];
        for part in 1..=text.len() {
            assert_eq!(read(text, part), expected, "{part} bytes at a time");
        }
        assert_eq!(read(b"", 1), []);
        assert_eq!(read(b"ok\nab\xff\xfe\nok", 2), [event("ok"), Line::NotUtf8(2), event("ok")]);
    }

    #[test]
    fn a_line_is_kept_as_far_as_it_can_be_an_event() {
        let line = |length: usize, end: &str| [vec![b'x'; length], end.as_bytes().to_vec()].concat();
        for end in ["\n", "\r\n", ""] {
            let longest = read(&line(LONGEST_EVENT, end), 65_536);
            assert!(matches!(&longest[..], [Line::Event(text)] if text.len() == LONGEST_EVENT), "{end:?}");
        }
        assert_eq!(read(&line(LONGEST_EVENT + 1, "\n"), 65_536), [Line::TooLong(LONGEST_EVENT as u64 + 1)]);
        assert_eq!(read(&line(1_048_577, "\nok"), 65_536), [Line::TooLong(1_048_577), Line::Event("ok".to_owned())]);
        let (mut lines, long) = (Lines::default(), vec![b'x'; 65_536]);
        (0..1_000).for_each(|_| _ = lines.next(&mut &long[..]));
        assert!(lines.kept.capacity() <= 2 * MOST_BYTES, "{} bytes are kept", lines.kept.capacity());
        assert_eq!(lines.finish(), Some(Line::TooLong(65_536_000)));
    }
}
