//! The event and the answer of `check-export-task`.

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use crate::{
    ErrorName, ExportError, Month, Window,
    fields::Fields,
    month::{FIRST_YEAR, LAST_YEAR},
    names,
    problems::Problems,
    run::DEFAULT_TIMEZONE,
};

/// The answer of `create-export-task`, or just `{taskId}`: bucket, prefix, log group and window are CloudWatch's to tell,
/// so that a wrong event can never file one task's objects under another one's name. Other fields are let through.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub task_id: String,
    pub timezone: Tz,
    pub month: Option<Month>,
    pub log_stream_name_prefix: Option<String>,
    pub execution: Option<String>,
    /// The polling has given the task up: cancel it, so that it does not hold the slot for ever.
    pub cancel: bool,
    /// Warnings of `create-export-task`, handed on to the manifest as they are.
    pub warnings: Vec<Value>,
}

impl Request {
    pub fn parse(event: &Value) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(event, "the event", &mut problems) else { return problems.into_result(None) };
        fields.require("taskId", &mut problems);
        let task_id = fields.text("taskId", names::identifier, &mut problems);
        let timezone = fields.text("timezone", names::timezone, &mut problems).unwrap_or(DEFAULT_TIMEZONE);
        let month = fields.text("month", names::month, &mut problems);
        let log_stream_name_prefix = fields.text("logStreamNamePrefix", names::log_stream_prefix, &mut problems);
        let execution = fields.text("execution", names::identifier, &mut problems);
        let cancel = fields.flag("cancel", &mut problems);
        let warnings = read_warnings(&fields, &mut problems);
        problems.into_result(task_id.map(|task_id| Self { task_id, timezone, month, log_stream_name_prefix, execution, cancel, warnings }))
    }

    /// The month the task's window is. A window that is no calendar month of the time zone, or another month than the
    /// event's, is refused: its manifest would claim a month that is not there.
    pub fn month_of(&self, window: Window) -> Result<Month, ExportError> {
        let refuse = |field: &str, value: String, fix: &str| {
            let Window { from, to } = window;
            Err(ExportError::new(
                ErrorName::InvalidInput,
                format!("{field} is {value}, but export task {} covers {from} to {to}: {fix}", self.task_id),
            ))
        };
        // Far from the years that a month may name, its window is beyond what chrono can count.
        let in_reach = |instant: &DateTime<Utc>| (FIRST_YEAR - 1..=LAST_YEAR).contains(&instant.year());
        let begins = DateTime::from_timestamp_millis(window.from).filter(in_reach).unwrap_or_default();
        let month = Month::at(begins, self.timezone);
        if Window::of(month, self.timezone) != window {
            return refuse(
                "timezone",
                format!("{:?}", self.timezone.name()),
                "that is no calendar month there; give the time zone the task was created with",
            );
        }
        match self.month {
            Some(given) if given != month => refuse("month", format!("\"{given}\""), "give that task's own month, or leave the field out"),
            _ => Ok(month),
        }
    }
}

fn read_warnings(fields: &Fields, problems: &mut Problems) -> Vec<Value> {
    match fields.get("warnings") {
        None => Vec::new(),
        // Anything else would be a row that Athena cannot read, and with it no row of the month.
        Some(Value::Array(warnings)) if warnings.iter().all(is_warning) => warnings.clone(),
        Some(value) => {
            problems.add("warnings", value, "give the list that create-export-task answered with, or leave the field out");
            Vec::new()
        }
    }
}

fn is_warning(warning: &Value) -> bool {
    warning.as_object().is_some_and(|fields| fields.len() == 2) && warning["name"].is_string() && warning["message"].is_string()
}

/// What became of an export that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// At least one object was written.
    Exported,
    /// CloudWatch says COMPLETED, and nothing lies below the task's folder. Never reported as an export with data.
    Empty,
}

impl Outcome {
    pub fn of(objects: u64) -> Self {
        if objects > 0 { Self::Exported } else { Self::Empty }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub s3_bucket_name: String,
    pub destination_prefix: String,
    pub log_group_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<String>,
    pub timezone: &'static str,
    pub month: Month,
    pub from: i64,
    pub to: i64,
    pub task_id: String,
    /// Always `COMPLETED`: every other status is an error.
    pub status: &'static str,
    pub outcome: Outcome,
    pub objects: u64,
    pub bytes: u64,
    pub warnings: Vec<Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_id_is_enough() {
        let request = Request::parse(&json!({"taskId": "t-1"})).unwrap();
        assert_eq!((request.timezone, request.month, request.warnings.len()), (chrono_tz::Asia::Tokyo, None, 0));
    }

    #[test]
    fn creates_answer_is_taken_as_it_is() {
        let event = json!({"s3BucketName": "b", "s3Prefix": "", "logGroupName": "/a", "timezone": "UTC", "force": false, "allowIncompleteMonth": false,
            "month": "2026-10", "from": 0, "to": 1, "destinationPrefix": "x", "taskId": "t-1", "status": "CREATED", "reason": null,
            "execution": "arn:x", "warnings": [{"name": "RetentionShorterThanMonth", "message": "m"}]});
        let request = Request::parse(&event).unwrap();
        assert_eq!(request.month.unwrap().to_string(), "2026-10");
        assert_eq!(request.warnings, [json!({"name": "RetentionShorterThanMonth", "message": "m"})]);
        assert_eq!(request.execution.as_deref(), Some("arn:x"));
    }

    #[test]
    fn wrong_fields_are_named() {
        let error = Request::parse(&json!({"taskId": null, "timezone": "Tokyo", "warnings": 3})).unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidInput);
        assert_eq!(
            error.message,
            "taskId is null: write it as a text in double quotes; timezone is \"Tokyo\": give an IANA time zone name such as Asia/Tokyo, Europe/Berlin or \
             UTC; warnings is 3: give the list that create-export-task answered with, or leave the field out"
        );
        assert_eq!(Request::parse(&json!({})).unwrap_err().message, "taskId is missing: it is required");
        assert_eq!(Request::parse(&json!([])).unwrap_err().message, "the event is []: give a JSON object");
    }

    #[test]
    fn a_warning_is_a_name_and_a_message() {
        for warnings in [
            json!(["text"]),
            json!([{}]),
            json!([{"name": "n"}]),
            json!([{"name": "n", "message": 1}]),
            json!([{"name": "n", "message": "m", "x": 1}]),
        ] {
            let error = Request::parse(&json!({"taskId": "t", "warnings": warnings})).unwrap_err();
            assert!(error.message.starts_with("warnings is ["), "{error}");
        }
    }

    #[test]
    fn a_window_is_the_month_it_was_made_of_or_refused() {
        let window = Window::of("2026-10".parse().unwrap(), chrono_tz::Asia::Tokyo);
        let request = |event: Value| Request::parse(&event).unwrap();
        assert_eq!(request(json!({"taskId": "t"})).month_of(window).unwrap().to_string(), "2026-10");
        let other_zone = request(json!({"taskId": "t", "timezone": "UTC"})).month_of(window).unwrap_err();
        assert_eq!(other_zone.name, ErrorName::InvalidInput);
        assert!(
            other_zone.message.starts_with("timezone is \"UTC\", but export task t covers 1790780400000 to 1793458799999"),
            "{other_zone}"
        );
        let part = Window { to: window.to - 1, ..window };
        assert!(
            request(json!({"taskId": "t"}))
                .month_of(part)
                .unwrap_err()
                .message
                .starts_with("timezone is \"Asia/Tokyo\", but export task t covers")
        );
        let other_month = request(json!({"taskId": "t", "month": "2026-09"})).month_of(window).unwrap_err();
        assert!(other_month.message.starts_with("month is \"2026-09\", but export task t covers"), "{other_month}");
    }
}
