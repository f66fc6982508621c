//! One event that a function is at: when it came, what it is about, and what there is to measure of it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tracing::{Span, error_span, field::Empty};

use crate::Metric;

/// What an event can be about. Each line of its log and each of its metrics says it, as far as it is known by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The run, by its ARN.
    Execution,
    LogGroup,
    Month,
    TaskId,
}

impl Subject {
    const ALL: [Self; 4] = [Self::Execution, Self::LogGroup, Self::Month, Self::TaskId];

    fn as_str(self) -> &'static str {
        match self {
            Self::Execution => "execution",
            Self::LogGroup => "log_group",
            Self::Month => "month",
            Self::TaskId => "task_id",
        }
    }

    fn field_of_events(self) -> &'static str {
        match self {
            Self::Execution => "execution",
            Self::LogGroup => "logGroupName",
            Self::Month => "month",
            Self::TaskId => "taskId",
        }
    }
}

/// The longest value that a request may have for a subject. What is longer is refused, and need not fill the log.
const LONGEST: usize = 512;

pub struct Invocation {
    now: DateTime<Utc>,
    span: Span,
    about: Map<String, Value>,
    metrics: Vec<Metric>,
}

impl Invocation {
    /// `now` is the one reading of the clock that counts for this event.
    pub fn new(request_id: &str, now: DateTime<Utc>) -> Self {
        // Of the highest level, so that the filter that keeps a line keeps its fields as well.
        let span = error_span!("invocation", requestId = request_id, execution = Empty, log_group = Empty, month = Empty, task_id = Empty);
        let about = Map::from_iter([("requestId".to_owned(), request_id.into())]);
        Self { now, span, about, metrics: Vec::new() }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// What is known from here on. The first word of it may be the event's, the last is AWS's.
    pub fn is_about(&mut self, subject: Subject, value: &str) {
        let name = subject.as_str();
        if self.about.get(name).and_then(Value::as_str) != Some(value) {
            self.span.record(name, value);
            self.about.insert(name.to_owned(), value.into());
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

    /// Subjects by name, and `requestId`.
    pub fn about(&self) -> &Map<String, Value> {
        &self.about
    }

    /// From the event as it is, before anything checks it: an event that is refused was about something too.
    pub(crate) fn read(&mut self, event: &Value) {
        for subject in Subject::ALL {
            match event.get(subject.field_of_events()) {
                Some(Value::String(value)) if value.len() <= LONGEST => self.is_about(subject, value),
                _ => {}
            }
        }
    }
}
