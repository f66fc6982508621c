//! Per-invocation context: start time, log fields, metrics.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tracing::{Span, error_span, field::Empty};

use crate::Metric;

/// The fields of each log line and each metric of an invocation, as soon as they are known.
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

    /// The field's name in the log, and the name of the event's field with its first value.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Execution => ("execution", "execution"),
            Self::LogGroup => ("log_group", "logGroupName"),
            Self::Month => ("month", "month"),
            Self::TaskId => ("task_id", "taskId"),
        }
    }
}

/// Longer values are not logged: the function refuses them.
const MAX_VALUE_LENGTH: usize = 512;

pub struct Invocation {
    now: DateTime<Utc>,
    span: Span,
    log_fields: Map<String, Value>,
    metrics: Vec<Metric>,
}

impl Invocation {
    /// `now`: the time of the event. The function does not read the clock again.
    pub fn new(request_id: &str, now: DateTime<Utc>) -> Self {
        // The highest level, so that a filter that keeps a line also keeps its fields.
        let span = error_span!("invocation", requestId = request_id, execution = Empty, log_group = Empty, month = Empty, task_id = Empty);
        let log_fields = Map::from_iter([("requestId".to_owned(), request_id.into())]);
        Self { now, span, log_fields, metrics: Vec::new() }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Sets a log field. AWS's value replaces the value of the event.
    pub fn set_log_field(&mut self, field: LogField, value: &str) {
        let (name, _) = field.names();
        // The text format appends each recorded value.
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

    /// The fields by name, with `requestId`.
    pub fn log_fields(&self) -> &Map<String, Value> {
        &self.log_fields
    }

    /// Sets the log fields from the event before it is checked, so that a refused event has log fields too.
    pub(crate) fn set_log_fields_from(&mut self, event: &Value) {
        for field in LogField::ALL {
            match event.get(field.names().1) {
                Some(Value::String(value)) if value.len() <= MAX_VALUE_LENGTH => self.set_log_field(field, value),
                _ => {}
            }
        }
    }
}
