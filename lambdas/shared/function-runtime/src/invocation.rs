//! Per-invocation context: start time, log fields, metrics.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tracing::{Span, error_span, field::Empty};

use crate::Metric;

/// The fields of each line of an invocation's log and of each of its metrics, as far as they are known by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogField {
    /// The run, by its ARN.
    Execution,
    LogGroup,
    Month,
    TaskId,
}

impl LogField {
    const ALL: [Self; 4] = [Self::Execution, Self::LogGroup, Self::Month, Self::TaskId];

    /// Its own name, and that of the event's member that has its first value.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Execution => ("execution", "execution"),
            Self::LogGroup => ("log_group", "logGroupName"),
            Self::Month => ("month", "month"),
            Self::TaskId => ("task_id", "taskId"),
        }
    }
}

/// The longest value that a request may have for a log field. What is longer is refused, and need not fill the log.
const LONGEST: usize = 512;

pub struct Invocation {
    now: DateTime<Utc>,
    span: Span,
    log_fields: Map<String, Value>,
    metrics: Vec<Metric>,
}

impl Invocation {
    /// `now` is the one reading of the clock that counts for this event.
    pub fn new(request_id: &str, now: DateTime<Utc>) -> Self {
        // Of the highest level, so that the filter that keeps a line keeps its fields as well.
        let span = error_span!("invocation", requestId = request_id, execution = Empty, log_group = Empty, month = Empty, task_id = Empty);
        let log_fields = Map::from_iter([("requestId".to_owned(), request_id.into())]);
        Self { now, span, log_fields, metrics: Vec::new() }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The first value may be the event's, the last is AWS's.
    pub fn set_log_field(&mut self, field: LogField, value: &str) {
        let (name, _) = field.names();
        // The format for people appends each value that is recorded.
        if self.log_fields.get(name).is_none_or(|present| present != value) {
            self.span.record(name, value);
            self.log_fields.insert(name.to_owned(), value.into());
        }
    }

    pub fn report(&mut self, metric: Metric) {
        self.metrics.push(metric);
    }

    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// By name, with `requestId`.
    pub fn log_fields(&self) -> &Map<String, Value> {
        &self.log_fields
    }

    /// From the event as it is, before anything checks it: an event that is refused was about something too.
    pub(crate) fn set_log_fields_of(&mut self, event: &Value) {
        for field in LogField::ALL {
            match event.get(field.names().1) {
                Some(Value::String(value)) if value.len() <= LONGEST => self.set_log_field(field, value),
                _ => {}
            }
        }
    }
}
