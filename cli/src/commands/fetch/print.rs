//! Events on stdout, as they come.

use std::io::{self, BufWriter, StdoutLock, Write};

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use export_core::time::Millis;
use serde::Serialize;

use crate::{arguments::Format, events::sorter::StreamName, failure::Failure};

/// Large writes are few calls.
const BUFFER: usize = 256 << 10;

/// What of an event is printed, and how.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub format: Format,
    pub timezone: Tz,
    pub names_log_group: bool,
    /// `--message`
    pub is_message_only: bool,
}

pub struct Printer<W: Write = BufWriter<StdoutLock<'static>>> {
    out: W,
    form: Form,
    clock: Clock,
    printed: u64,
}

impl Printer {
    pub fn new(form: Form) -> Self {
        Self::to(BufWriter::with_capacity(BUFFER, io::stdout().lock()), form)
    }
}

impl<W: Write> Printer<W> {
    fn to(out: W, form: Form) -> Self {
        let timezone = if form.format == Format::Table { form.timezone } else { Tz::UTC };
        Self { out, form, clock: Clock::new(timezone), printed: 0 }
    }

    pub fn event(&mut self, at: Millis, name: &StreamName, message: &[u8]) -> Result<(), Failure> {
        if self.form.format == Format::Json {
            self.out.write_all(if self.printed == 0 { b"[" } else { b",\n" })?;
        }
        self.printed += 1;
        match self.form.format {
            Format::Table => self.line(at, name, message),
            Format::Json => self.object(at, name, message),
            Format::Jsonl => self.object(at, name, message).and_then(|()| self.out.write_all(b"\n")),
        }?;
        Ok(())
    }

    /// One at least ends in a line break, whatever the message ends in.
    fn line(&mut self, at: Millis, name: &StreamName, message: &[u8]) -> io::Result<()> {
        if !self.form.is_message_only {
            self.clock.write(at, &mut self.out)?;
            self.out.write_all(b" ")?;
            if self.form.names_log_group {
                self.out.write_all(name.log_group.as_bytes())?;
                self.out.write_all(b" ")?;
            }
            self.out.write_all(name.log_stream.as_bytes())?;
            self.out.write_all(b" ")?;
        }
        self.out.write_all(message)?;
        if message.ends_with(b"\n") { Ok(()) } else { self.out.write_all(b"\n") }
    }

    fn object(&mut self, at: Millis, name: &StreamName, message: &[u8]) -> io::Result<()> {
        self.out.write_all(b"{")?;
        if !self.form.is_message_only {
            self.out.write_all(b"\"timestamp\":\"")?;
            self.clock.write(at, &mut self.out)?;
            self.out.write_all(b"\",\"logGroup\":")?;
            json(&mut self.out, name.log_group.as_str())?;
            self.out.write_all(b",\"logStream\":")?;
            json(&mut self.out, name.log_stream.as_str())?;
            self.out.write_all(b",")?;
        }
        self.out.write_all(b"\"message\":")?;
        json(&mut self.out, &*String::from_utf8_lossy(message))?;
        self.out.write_all(b"}")
    }

    /// A full disk may show only here.
    pub fn finish(mut self) -> Result<(), Failure> {
        if self.form.format == Format::Json {
            self.out.write_all(if self.printed == 0 { b"[]\n" } else { b"]\n" })?;
        }
        self.out.flush()?;
        Ok(())
    }
}

fn json(out: impl Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

/// RFC 3339 with milliseconds. Events of a minute differ in the seconds only.
struct Clock {
    timezone: Tz,
    minute: i64,
    /// Up to the seconds, and behind them.
    around: [String; 2],
}

impl Clock {
    fn new(timezone: Tz) -> Self {
        Self { timezone, minute: i64::MIN, around: Default::default() }
    }

    fn write(&mut self, at: Millis, out: &mut impl Write) -> io::Result<()> {
        let (minute, rest) = (at.0.div_euclid(60_000), at.0.rem_euclid(60_000));
        if minute != self.minute {
            self.minute = minute;
            let utc: DateTime<Utc> = DateTime::from_timestamp(minute.saturating_mul(60), 0).unwrap_or_default();
            let local = self.timezone.from_utc_datetime(&utc.naive_utc());
            let offset = if local.offset().fix().local_minus_utc() == 0 { "Z".to_owned() } else { local.format("%:z").to_string() };
            self.around = [local.format("%Y-%m-%dT%H:%M:").to_string(), offset];
        }
        let digit = |value: i64| b'0' + (value % 10) as u8;
        let (seconds, millis) = (rest / 1_000, rest % 1_000);
        out.write_all(self.around[0].as_bytes())?;
        out.write_all(&[digit(seconds / 10), digit(seconds), b'.', digit(millis / 100), digit(millis / 10), digit(millis)])?;
        out.write_all(self.around[1].as_bytes())
    }
}

/// A time as [`Printer`] writes it, and as `--since` and `--until` take it.
pub fn time(at: Millis, timezone: Tz) -> String {
    let mut text = Vec::new();
    Clock::new(timezone).write(at, &mut text).expect("in memory");
    String::from_utf8(text).expect("digits")
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Asia, Europe};

    use super::*;
    use crate::instant::instant;

    fn printed(form: Form, events: &[(i64, &[u8])]) -> String {
        let name = StreamName { log_group: "/g".into(), log_stream: "s \"1\"".into() };
        let mut out = Vec::new();
        let mut printer = Printer::to(&mut out, form);
        events.iter().for_each(|(at, message)| printer.event(Millis(*at), &name, message).unwrap());
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_form_prints_each_event_once() {
        let form = |format| Form { format, timezone: Asia::Tokyo, names_log_group: false, is_message_only: false };
        let only = |format| Form { is_message_only: true, ..form(format) };
        let events: [(i64, &[u8]); 3] =
            [(1_727_708_400_007, b"a\rb\n"), (1_727_708_459_123, b"x"), (1_727_708_460_000, "é🔒\n\tatÿ".as_bytes())];
        let lines = "2024-10-01T00:00:00.007+09:00 s \"1\" a\rb\n2024-10-01T00:00:59.123+09:00 s \"1\" x\n2024-10-01T00:01:00.000+09:00 s \"1\" é🔒\n\tatÿ\n";
        assert_eq!(printed(form(Format::Table), &events), lines);
        let named = Form { names_log_group: true, ..form(Format::Table) };
        assert_eq!(printed(named, &events[1..2]), "2024-10-01T00:00:59.123+09:00 /g s \"1\" x\n");
        assert_eq!(printed(only(Format::Table), &events), "a\rb\nx\né🔒\n\tatÿ\n");
        let object = r#"{"timestamp":"2024-09-30T15:00:00.007Z","logGroup":"/g","logStream":"s \"1\"","message":"a\rb\n"}"#;
        assert_eq!(printed(form(Format::Jsonl), &events[..1]), format!("{object}\n"));
        assert_eq!(printed(only(Format::Jsonl), &events[..2]), "{\"message\":\"a\\rb\\n\"}\n{\"message\":\"x\"}\n");
        assert_eq!(printed(only(Format::Json), &events[..2]), "[{\"message\":\"a\\rb\\n\"},\n{\"message\":\"x\"}]\n");
        assert_eq!(printed(form(Format::Json), &[]), "[]\n");
        // What is no UTF-8 is marked in JSON, and left alone in lines.
        assert_eq!(printed(only(Format::Jsonl), &[(0, b"a\xff")]), "{\"message\":\"a\u{fffd}\"}\n");
    }

    #[test]
    fn what_is_printed_is_accepted_as_a_time() {
        // Two times that the clocks of Berlin show alike.
        for at in [1_729_989_000_001, 1_729_992_600_001, 1_472_610_205_000, 0, 253_339_228_799_999].map(Millis) {
            for timezone in [Tz::UTC, Europe::Berlin, Asia::Kolkata] {
                assert_eq!(instant(&time(at, timezone), Tz::UTC, Utc::now()), Ok(at), "{}", time(at, timezone));
            }
        }
    }
}
