//! Prints events on stdout.

use std::io::{self, BufWriter, StdoutLock, Write};

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use export_core::time::Millis;
use serde::Serialize;

use crate::{arguments::Format, events::sorter::StreamName, failure::Failure};

/// A large buffer needs few system calls.
const BUFFER_BYTES: usize = 256 << 10;

/// Which parts of an event are printed, and in which format.
#[derive(Debug, Clone, Copy)]
pub struct PrintOptions {
    pub format: Format,
    pub timezone: Tz,
    pub names_log_group: bool,
    pub is_message_only: bool,
}

pub struct Printer<Out: Write = BufWriter<StdoutLock<'static>>> {
    out: Out,
    options: PrintOptions,
    time_formatter: TimeFormatter,
    printed: u64,
}

impl Printer {
    pub fn new(options: PrintOptions) -> Self {
        Self::to(BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock()), options)
    }
}

impl<Out: Write> Printer<Out> {
    fn to(out: Out, options: PrintOptions) -> Self {
        let timezone = if options.format == Format::Table { options.timezone } else { Tz::UTC };
        Self { out, options, time_formatter: TimeFormatter::new(timezone), printed: 0 }
    }

    pub fn print_event(&mut self, at: Millis, name: &StreamName, message: &[u8]) -> Result<(), Failure> {
        if self.options.format == Format::Json {
            self.out.write_all(if self.printed == 0 { b"[" } else { b",\n" })?;
        }
        self.printed += 1;
        match self.options.format {
            Format::Table => self.write_line(at, name, message),
            Format::Json => self.write_object(at, name, message),
            Format::Jsonl => self.write_object(at, name, message).and_then(|()| self.out.write_all(b"\n")),
        }?;
        Ok(())
    }

    /// Writes an event as a line. It adds a line break, unless the message ends with one.
    fn write_line(&mut self, at: Millis, name: &StreamName, message: &[u8]) -> io::Result<()> {
        if !self.options.is_message_only {
            self.time_formatter.write(at, &mut self.out)?;
            self.out.write_all(b" ")?;
            if self.options.names_log_group {
                self.out.write_all(name.log_group.as_bytes())?;
                self.out.write_all(b" ")?;
            }
            self.out.write_all(name.log_stream.as_bytes())?;
            self.out.write_all(b" ")?;
        }
        self.out.write_all(message)?;
        if message.ends_with(b"\n") { Ok(()) } else { self.out.write_all(b"\n") }
    }

    fn write_object(&mut self, at: Millis, name: &StreamName, message: &[u8]) -> io::Result<()> {
        self.out.write_all(b"{")?;
        if !self.options.is_message_only {
            self.out.write_all(b"\"timestamp\":\"")?;
            self.time_formatter.write(at, &mut self.out)?;
            self.out.write_all(b"\",\"logGroup\":")?;
            write_json(&mut self.out, name.log_group.as_str())?;
            self.out.write_all(b",\"logStream\":")?;
            write_json(&mut self.out, name.log_stream.as_str())?;
            self.out.write_all(b",")?;
        }
        self.out.write_all(b"\"message\":")?;
        write_json(&mut self.out, &*String::from_utf8_lossy(message))?;
        self.out.write_all(b"}")
    }

    /// Ends the output, and flushes it. A full disk can cause an error here.
    pub fn finish(mut self) -> Result<(), Failure> {
        if self.options.format == Format::Json {
            self.out.write_all(if self.printed == 0 { b"[]\n" } else { b"]\n" })?;
        }
        self.out.flush()?;
        Ok(())
    }
}

fn write_json(out: impl Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

/// Formats times as RFC 3339 with milliseconds. It caches the text of a minute, which differs in the seconds only.
struct TimeFormatter {
    timezone: Tz,
    minute: i64,
    /// The cached text before and after the seconds.
    before_and_after_seconds: [String; 2],
}

impl TimeFormatter {
    fn new(timezone: Tz) -> Self {
        Self { timezone, minute: i64::MIN, before_and_after_seconds: Default::default() }
    }

    fn write(&mut self, at: Millis, out: &mut impl Write) -> io::Result<()> {
        let (minute, rest) = (at.0.div_euclid(60_000), at.0.rem_euclid(60_000));
        if minute != self.minute {
            self.minute = minute;
            let utc: DateTime<Utc> = DateTime::from_timestamp(minute.saturating_mul(60), 0).unwrap_or_default();
            let local = self.timezone.from_utc_datetime(&utc.naive_utc());
            let offset = if local.offset().fix().local_minus_utc() == 0 { "Z".to_owned() } else { local.format("%:z").to_string() };
            self.before_and_after_seconds = [local.format("%Y-%m-%dT%H:%M:").to_string(), offset];
        }
        let digit = |value: i64| b'0' + (value % 10) as u8;
        let (seconds, millis) = (rest / 1_000, rest % 1_000);
        out.write_all(self.before_and_after_seconds[0].as_bytes())?;
        out.write_all(&[digit(seconds / 10), digit(seconds), b'.', digit(millis / 100), digit(millis / 10), digit(millis)])?;
        out.write_all(self.before_and_after_seconds[1].as_bytes())
    }
}

/// A time as [`Printer`] writes it, and as `--since` and `--until` take it.
pub fn format_time(at: Millis, timezone: Tz) -> String {
    let mut text = Vec::new();
    TimeFormatter::new(timezone).write(at, &mut text).expect("in memory");
    String::from_utf8(text).expect("digits")
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Asia, Europe};

    use super::*;
    use crate::instant::parse_instant;

    fn printed(options: PrintOptions, events: &[(i64, &[u8])]) -> String {
        let name = StreamName { log_group: "/g".into(), log_stream: "s \"1\"".into() };
        let mut out = Vec::new();
        let mut printer = Printer::to(&mut out, options);
        events.iter().for_each(|(at, message)| printer.print_event(Millis(*at), &name, message).unwrap());
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_format_prints_each_event_once() {
        let options = |format| PrintOptions { format, timezone: Asia::Tokyo, names_log_group: false, is_message_only: false };
        let only = |format| PrintOptions { is_message_only: true, ..options(format) };
        let events: [(i64, &[u8]); 3] =
            [(1_727_708_400_007, b"a\rb\n"), (1_727_708_459_123, b"x"), (1_727_708_460_000, "é🔒\n\tatÿ".as_bytes())];
        let lines = "2024-10-01T00:00:00.007+09:00 s \"1\" a\rb\n2024-10-01T00:00:59.123+09:00 s \"1\" x\n2024-10-01T00:01:00.000+09:00 s \"1\" é🔒\n\tatÿ\n";
        assert_eq!(printed(options(Format::Table), &events), lines);
        let named = PrintOptions { names_log_group: true, ..options(Format::Table) };
        assert_eq!(printed(named, &events[1..2]), "2024-10-01T00:00:59.123+09:00 /g s \"1\" x\n");
        assert_eq!(printed(only(Format::Table), &events), "a\rb\nx\né🔒\n\tatÿ\n");
        let object = r#"{"timestamp":"2024-09-30T15:00:00.007Z","logGroup":"/g","logStream":"s \"1\"","message":"a\rb\n"}"#;
        assert_eq!(printed(options(Format::Jsonl), &events[..1]), format!("{object}\n"));
        assert_eq!(printed(only(Format::Jsonl), &events[..2]), "{\"message\":\"a\\rb\\n\"}\n{\"message\":\"x\"}\n");
        assert_eq!(printed(only(Format::Json), &events[..2]), "[{\"message\":\"a\\rb\\n\"},\n{\"message\":\"x\"}]\n");
        assert_eq!(printed(options(Format::Json), &[]), "[]\n");
        // JSON marks bytes that are not UTF-8. Lines keep them.
        assert_eq!(printed(only(Format::Jsonl), &[(0, b"a\xff")]), "{\"message\":\"a\u{fffd}\"}\n");
    }

    #[test]
    fn a_printed_time_is_accepted() {
        // The clocks of Berlin show the first two times alike.
        for at in [1_729_989_000_001, 1_729_992_600_001, 1_472_610_205_000, 0, 253_339_228_799_999].map(Millis) {
            for timezone in [Tz::UTC, Europe::Berlin, Asia::Kolkata] {
                assert_eq!(parse_instant(&format_time(at, timezone), Tz::UTC, Utc::now()), Ok(at), "{}", format_time(at, timezone));
            }
        }
    }
}
