//! Metrics in CloudWatch's embedded metric format: CloudWatch Logs makes metrics from log lines. So no call and no permission is needed.
//!
//! There are few dimensions, because each combination of values is a separate metric. The log fields are properties beside them, where
//! Logs Insights finds them.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use export_core::ErrorName;
use serde_json::{Value, json};
use tracing::{debug, error};

use crate::Invocation;

const NAMESPACE: &str = "CloudWatchLogsArchive";

/// The environment variable that has the value of the dimension `Archive`.
const ARCHIVE_NAME: &str = "ARCHIVE_NAME";

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// From the window's first call of the function to the call that created its task.
    SlotWait(TimeDelta),
    /// From a task's creation to its completion.
    ExportDuration(TimeDelta),
    ArchivedObjects(u64),
    ArchivedBytes(u64),
    WindowsExported(u64),
    WindowsEmpty(u64),
    WindowsSkipped(u64),
    WindowsFailed(u64),
    WindowsLost(u64),
    WindowsWaiting(u64),
    /// The open windows that count as missing after the run.
    MissingMonths(u64),
    /// Succeeded or failed.
    ScheduledRunsEnded,
    ScheduledRunsSucceeded(bool),
}

impl Metric {
    /// Name, unit and value.
    fn parts(self) -> (&'static str, &'static str, Value) {
        // Two clocks can differ, but no duration is negative.
        let seconds = |time: TimeDelta| time.max(TimeDelta::zero()).as_seconds_f64().into();
        match self {
            Self::SlotWait(time) => ("SlotWait", "Seconds", seconds(time)),
            Self::ExportDuration(time) => ("ExportDuration", "Seconds", seconds(time)),
            Self::ArchivedObjects(count) => ("ArchivedObjects", "Count", count.into()),
            Self::ArchivedBytes(count) => ("ArchivedBytes", "Bytes", count.into()),
            Self::WindowsExported(count) => ("WindowsExported", "Count", count.into()),
            Self::WindowsEmpty(count) => ("WindowsEmpty", "Count", count.into()),
            Self::WindowsSkipped(count) => ("WindowsSkipped", "Count", count.into()),
            Self::WindowsFailed(count) => ("WindowsFailed", "Count", count.into()),
            Self::WindowsLost(count) => ("WindowsLost", "Count", count.into()),
            Self::WindowsWaiting(count) => ("WindowsWaiting", "Count", count.into()),
            Self::MissingMonths(count) => ("MissingMonths", "Count", count.into()),
            Self::ScheduledRunsEnded => ("ScheduledRunsEnded", "Count", 1.into()),
            Self::ScheduledRunsSucceeded(succeeded) => ("ScheduledRunsSucceeded", "Count", u64::from(succeeded).into()),
        }
    }
}

/// The metrics of one function of one archive.
pub(crate) struct Metrics {
    function: &'static str,
    /// `None`: no metrics, because nobody would find them without the archive's name.
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
            // One write, so that no other line comes between.
            if let Err(error) = std::io::stdout().write_all(format!("{document}\n").as_bytes()) {
                error!(%error, "metrics cannot be written");
            }
        }
    }

    fn documents(&self, invocation: &Invocation, failure: Option<ErrorName>, now: DateTime<Utc>) -> Vec<Value> {
        let Some(archive) = &self.archive else { return Vec::new() };
        let document = |dimensions: Value, metrics: &[(&str, &str, Value)], properties: Value| {
            let units: Vec<Value> = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
            let directive = json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": units});
            // With level and timestamp, because it is a log line too, and Lambda would add its own.
            let mut document = json!({
                "_aws": {"Timestamp": now.timestamp_millis(), "CloudWatchMetrics": [directive]},
                "Archive": archive,
                "level": "INFO",
                "timestamp": now.to_rfc3339_opts(SecondsFormat::Millis, true),
            });
            let values = metrics.iter().map(|(name, _, value)| (*name, value));
            let properties = invocation.log_fields().iter().chain(properties.as_object().into_iter().flatten());
            for (name, value) in properties.map(|(name, value)| (name.as_str(), value)).chain(values) {
                document[name] = value.clone();
            }
            document
        };
        let measured: Vec<_> = invocation.metrics().iter().map(|metric| metric.parts()).collect();
        let measured = (!measured.is_empty()).then(|| document(json!([["Archive"]]), &measured, json!({})));
        let failed = failure.filter(|error| error.is_fault()).map(|error| {
            let properties = json!({"Function": self.function, "error": error.as_str()});
            document(json!([["Archive"], ["Archive", "Function"]]), &[("FunctionErrors", "Count", 1.into())], properties)
        });
        measured.into_iter().chain(failed).collect()
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;

    use super::*;
    use crate::LogField;

    const NOW: &str = "2026-11-01T04:00:05.250Z";

    /// With a subscriber, because `tracing` decides once for the process whether a span is enabled. Without one, the span would be disabled
    /// for the tests that read the log too.
    fn invocation() -> Invocation {
        let new = || Invocation::new("request-1", NOW.parse().unwrap());
        let mut invocation = with_default(tracing_subscriber::registry(), new);
        invocation.set_log_field(LogField::LogGroup, "/ecs/web");
        invocation
    }

    fn documents(archive: Option<&str>, invocation: &Invocation, failure: Option<ErrorName>) -> Vec<Value> {
        let metrics = Metrics { function: "check-export-task", archive: archive.map(str::to_owned) };
        metrics.documents(invocation, failure, NOW.parse().unwrap())
    }

    #[test]
    fn the_metrics_of_an_invocation_are_one_document() {
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
    fn an_error_counts_for_the_archive_and_for_its_function() {
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
        for &error in ErrorName::ALL {
            assert_eq!(documents(Some("logs"), &invocation(), Some(error)).len(), usize::from(error.is_fault()), "{error}");
        }
        assert_eq!(documents(Some("logs"), &invocation(), None), [Value::Null; 0]);
    }
}
