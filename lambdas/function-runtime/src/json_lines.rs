//! Log lines in the shape that Lambda gives those of its managed runtimes: one JSON object each, everything at its root.
//! What an event is about is said once, in fields of its span, and stands in each of its lines.

use std::{
    fmt::Debug,
    io::{self, Write},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, Scope},
};

/// Without a timestamp in RFC 3339, Lambda takes a line of any level for INFO.
pub(crate) fn timestamp(now: DateTime<Utc>) -> Value {
    now.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

/// One line in one piece, so that nothing of another can come between.
pub(crate) fn write_line(mut writer: impl Write, line: &Map<String, Value>) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    writer.write_all(text.as_bytes())?;
    writer.flush()
}

pub(crate) struct JsonLines<M> {
    make_writer: M,
}

impl<M> JsonLines<M> {
    pub(crate) fn to(make_writer: M) -> Self {
        Self { make_writer }
    }
}

/// Of a span or an event. Here they are JSON already, because a span's are written with each of its lines.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn of_spans<S: for<'a> LookupSpan<'a>>(scope: Option<Scope<'_, S>>) -> Self {
        let mut fields = Self::default();
        for span in scope.into_iter().flat_map(Scope::from_root) {
            if let Some(Self(of_span)) = span.extensions().get() {
                fields.0.extend(of_span.clone());
            }
        }
        fields
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, format!("{value:?}"));
    }
}

impl<S, M, W> Layer<S> for JsonLines<M>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    M: Fn() -> W + 'static,
    W: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::of_spans(context.event_scope(event));
        event.record(&mut line);
        line.0.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.0.insert("timestamp".to_owned(), timestamp(Utc::now()));
        // Where the log cannot be written there is nobody to tell.
        drop(write_line((self.make_writer)(), &line.0));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing::{Span, debug_span, error_span, field::Empty, info, subscriber::with_default, warn};
    use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `act` logs, each line without its timestamp, which is looked at here.
    pub(crate) fn lines_of(level: LevelFilter, act: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let to = written.clone();
        with_default(registry().with(level).with(JsonLines::to(move || to.clone())), act);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let without_timestamp = |line: &str| {
            let mut line: Map<String, Value> = serde_json::from_str(line).unwrap();
            let timestamp = line.remove("timestamp").unwrap();
            assert_eq!(timestamp.as_str().map(str::len), Some("2026-11-01T04:00:05.123Z".len()), "{timestamp}");
            assert!(export_core::time::parse_instant(timestamp.as_str().unwrap()).is_some(), "{timestamp}");
            Value::Object(line)
        };
        text.lines().map(without_timestamp).collect()
    }

    #[test]
    fn a_line_has_the_fields_of_its_spans_as_they_are_by_then() {
        let lines = lines_of(LevelFilter::TRACE, || {
            info!("outside");
            let outer = error_span!("outer", requestId = "r-1", month = Empty);
            let _in_outer = outer.enter();
            info!(objects = 3u64, ratio = 0.5, done = true, delta = -1, "two\nlines, \"quoted\"");
            Span::current().record("month", "2026-10");
            let inner = debug_span!("inner", attempt = 2, requestId = "r-2");
            inner.in_scope(|| warn!(requestId = "r-3", reason = ?Some(1), absent = None::<&str>, "inside"));
            inner.in_scope(|| warn!("inside"));
            info!("after");
        });
        assert_eq!(
            lines,
            [
                json!({"level": "INFO", "message": "outside"}),
                json!({"level": "INFO", "message": "two\nlines, \"quoted\"", "requestId": "r-1", "objects": 3, "ratio": 0.5, "done": true, "delta": -1}),
                json!({"level": "WARN", "message": "inside", "requestId": "r-3", "month": "2026-10", "attempt": 2, "reason": "Some(1)"}),
                json!({"level": "WARN", "message": "inside", "requestId": "r-2", "month": "2026-10", "attempt": 2}),
                json!({"level": "INFO", "message": "after", "requestId": "r-1", "month": "2026-10"}),
            ]
        );
    }

    /// Counts the writes that a line takes.
    #[test]
    fn a_line_is_written_in_one_piece() {
        struct Pieces<'a>(&'a mut Vec<String>);
        impl Write for Pieces<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(String::from_utf8(bytes.to_vec()).unwrap());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut pieces = Vec::new();
        let line = json!({"a": "x".repeat(5000), "b": [1, 2]});
        write_line(Pieces(&mut pieces), line.as_object().unwrap()).unwrap();
        assert_eq!(pieces, [format!("{line}\n")]);
    }
}
