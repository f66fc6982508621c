//! Metrics, in CloudWatch's embedded metric format: lines of the log that CloudWatch Logs makes metrics of. No call, and no
//! permission for one.
//!
//! Dimensions are few, because each combination of their values is a metric of its own. What an event is about stands
//! beside them, where Logs Insights finds it.

use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use export_core::ErrorName;
use serde_json::{Map, Value, json};
use tracing::{debug, error};

use crate::{
    Invocation,
    json_lines::{timestamp, write_line},
};

const NAMESPACE: &str = "CloudWatchLogsArchive";

/// The environment variable that has the value of the dimension `Archive`.
const ARCHIVE_NAME: &str = "ARCHIVE_NAME";

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// From when the entry was first at the function to the call that created its task.
    SlotWait(TimeDelta),
    /// From a task's creation to its completion.
    ExportDuration(TimeDelta),
    ArchivedObjects(u64),
    ArchivedBytes(u64),
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Self::SlotWait(_) => "SlotWait",
            Self::ExportDuration(_) => "ExportDuration",
            Self::ArchivedObjects(_) => "ArchivedObjects",
            Self::ArchivedBytes(_) => "ArchivedBytes",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::SlotWait(_) | Self::ExportDuration(_) => "Seconds",
            Self::ArchivedObjects(_) => "Count",
            Self::ArchivedBytes(_) => "Bytes",
        }
    }

    fn value(self) -> Value {
        match self {
            // Two clocks may differ by a little; no time is negative.
            Self::SlotWait(time) | Self::ExportDuration(time) => (time.max(TimeDelta::zero()).as_seconds_f64()).into(),
            Self::ArchivedObjects(count) | Self::ArchivedBytes(count) => count.into(),
        }
    }
}

/// The metrics of one function of one archive.
pub(crate) struct Metrics {
    function: &'static str,
    /// Without its name there are no metrics: nobody would find them.
    archive: Option<String>,
}

impl Metrics {
    pub(crate) fn from_environment(function: &'static str) -> Self {
        let archive = std::env::var(ARCHIVE_NAME).ok().filter(|name| !name.is_empty());
        if archive.is_none() {
            debug!("{ARCHIVE_NAME} is not set: no metrics");
        }
        Self { function, archive }
    }

    pub(crate) fn write(&self, invocation: &Invocation, failure: Option<ErrorName>, now: DateTime<Utc>) {
        for document in self.documents(invocation, failure, now) {
            if let Err(error) = write_line(io::stdout().lock(), &document) {
                error!(%error, "metrics cannot be written");
            }
        }
    }

    fn documents(&self, invocation: &Invocation, failure: Option<ErrorName>, now: DateTime<Utc>) -> Vec<Map<String, Value>> {
        let Some(archive) = &self.archive else { return Vec::new() };
        let document = |dimensions: Value, metrics: Vec<Value>, members: Value| {
            let directive = json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics});
            // Level and timestamp because it is a line of the log as well: Lambda would add its own.
            let line = json!({
                "_aws": {"Timestamp": now.timestamp_millis(), "CloudWatchMetrics": [directive]},
                "Archive": archive,
                "level": "INFO",
                "timestamp": timestamp(now),
            });
            let parts = [invocation.about().clone(), object(line), object(members)];
            parts.into_iter().flatten().collect()
        };
        let mut documents = Vec::new();
        let measured = invocation.metrics();
        if !measured.is_empty() {
            let metrics = measured.iter().map(|metric| json!({"Name": metric.name(), "Unit": metric.unit()})).collect();
            let values = measured.iter().map(|metric| (metric.name().to_owned(), metric.value())).collect();
            documents.push(document(json!([["Archive"]]), metrics, Value::Object(values)));
        }
        if let Some(error) = failure.filter(|error| error.is_fault()) {
            let members = json!({"Function": self.function, "FunctionErrors": 1, "error": error.as_str()});
            let metrics = vec![json!({"Name": "FunctionErrors", "Unit": "Count"})];
            documents.push(document(json!([["Archive"], ["Archive", "Function"]]), metrics, members));
        }
        documents
    }
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(object) = value { object } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Subject;

    const NOW: &str = "2026-11-01T04:00:05.250Z";

    fn invocation() -> Invocation {
        let mut invocation = Invocation::new("request-1", NOW.parse().unwrap());
        invocation.is_about(Subject::LogGroup, "/ecs/web");
        invocation
    }

    fn documents(archive: Option<&str>, invocation: &Invocation, failure: Option<ErrorName>) -> Vec<Value> {
        let metrics = Metrics { function: "check-export-task", archive: archive.map(str::to_owned) };
        metrics.documents(invocation, failure, NOW.parse().unwrap()).into_iter().map(Value::Object).collect()
    }

    #[test]
    fn what_was_measured_is_one_document() {
        let mut invocation = invocation();
        for metric in [
            Metric::ExportDuration(TimeDelta::milliseconds(2250)),
            Metric::SlotWait(TimeDelta::milliseconds(-1)),
            Metric::ArchivedObjects(3),
            Metric::ArchivedBytes(u64::MAX),
        ] {
            invocation.report(metric);
        }
        let expected = json!({
            "_aws": {"Timestamp": 1793505605250i64, "CloudWatchMetrics": [{
                "Namespace": "CloudWatchLogsArchive",
                "Dimensions": [["Archive"]],
                "Metrics": [
                    {"Name": "ExportDuration", "Unit": "Seconds"},
                    {"Name": "SlotWait", "Unit": "Seconds"},
                    {"Name": "ArchivedObjects", "Unit": "Count"},
                    {"Name": "ArchivedBytes", "Unit": "Bytes"},
                ],
            }]},
            "Archive": "logs", "ExportDuration": 2.25, "SlotWait": 0.0, "ArchivedObjects": 3, "ArchivedBytes": u64::MAX,
            "level": "INFO", "timestamp": NOW, "requestId": "request-1", "log_group": "/ecs/web",
        });
        assert_eq!(documents(Some("logs"), &invocation, None), [expected]);
        assert_eq!(documents(None, &invocation, Some(ErrorName::Unexpected)), [Value::Null; 0]);
    }

    #[test]
    fn an_error_is_counted_for_the_archive_and_for_its_function() {
        let expected = json!({
            "_aws": {"Timestamp": 1793505605250i64, "CloudWatchMetrics": [{
                "Namespace": "CloudWatchLogsArchive",
                "Dimensions": [["Archive"], ["Archive", "Function"]],
                "Metrics": [{"Name": "FunctionErrors", "Unit": "Count"}],
            }]},
            "Archive": "logs", "Function": "check-export-task", "FunctionErrors": 1, "error": "AccessDenied",
            "level": "INFO", "timestamp": NOW, "requestId": "request-1", "log_group": "/ecs/web",
        });
        assert_eq!(documents(Some("logs"), &invocation(), Some(ErrorName::AccessDenied)), [expected]);
        for error in ErrorName::ALL {
            assert_eq!(documents(Some("logs"), &invocation(), Some(error)).len(), usize::from(error.is_fault()), "{error}");
        }
        assert_eq!(documents(Some("logs"), &invocation(), None), [Value::Null; 0]);
    }
}
