//! The plan of a run: what `create-export-task` answers when the state machine hands it a run's whole input to validate.
//! The month is fixed here, once; retries, redrives and entries hours later all get it from the plan.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::{
    ErrorName, ExportError, Month,
    entry::{Entry, Placement},
    fields::Fields,
    names,
    problems::Problems,
    run::RunInput,
};

/// Entries the state machine takes at once. A page of DescribeLogGroups has as many at most; the results of a page must
/// stay far below a state's 256 KiB.
pub const PAGE_SIZE: usize = 50;

/// A state's payload holds 256 KiB, Lambda's envelope included. A plan beyond it would end the run with an anonymous
/// States.DataLimitExceeded, which nothing can catch, instead of an error that says what to do.
pub const PLAN_LIMIT: usize = 248 * 1024;

/// The event `{"validate": <the run's input>, "startTime": <when the execution really started>, "execution": <its ARN>}`.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidateRequest {
    pub input: Value,
    /// When the execution really started.
    pub start_time: DateTime<Utc>,
    /// ARN of the execution, for the log.
    pub execution: Option<String>,
}

impl ValidateRequest {
    /// Whether an event of `create-export-task` asks to validate a run rather than to create one task.
    pub fn is_one(event: &Value) -> bool {
        event.get("validate").is_some()
    }

    pub fn parse(event: &Value) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(event, "the event", &mut problems) else { return problems.into_result(None) };
        fields.refuse_unknown(&["validate", "startTime", "execution"], &mut problems);
        fields.require("validate", &mut problems);
        fields.require("startTime", &mut problems);
        let start_time = fields.text("startTime", names::instant, &mut problems);
        let execution = fields.text("execution", names::identifier, &mut problems);
        let input = fields.get("validate").cloned();
        problems.into_result(input.zip(start_time).map(|(input, start_time)| Self { input, start_time, execution }))
    }

    pub fn plan(&self) -> Result<Plan, ExportError> {
        let run = RunInput::parse(&self.input)?;
        let month = run.settings.resolve_month(self.start_time);
        let window = run.settings.window(month, self.start_time)?;
        let plan = Plan {
            s3_bucket_name: run.settings.s3_bucket_name,
            s3_prefix: run.settings.s3_prefix,
            timezone: run.settings.timezone.name(),
            month,
            from: window.from,
            to: window.to,
            force: run.settings.force,
            allow_incomplete_month: run.settings.allow_incomplete_month,
            compact: run.compact,
            pages: pages(run.entries),
        };
        plan.refuse_too_large()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub s3_bucket_name: String,
    pub s3_prefix: String,
    pub timezone: &'static str,
    pub month: Month,
    pub from: i64,
    pub to: i64,
    pub force: bool,
    pub allow_incomplete_month: bool,
    pub compact: bool,
    pub pages: Vec<Page>,
}

impl Plan {
    fn refuse_too_large(self) -> Result<Self, ExportError> {
        let size = serde_json::to_vec(&self).map_or(usize::MAX, |json| json.len());
        if size <= PLAN_LIMIT {
            return Ok(self);
        }
        let fix = format!(
            "logGroups is too long: the plan of the run has {size} bytes and may have {PLAN_LIMIT}; name log groups by logGroupNamePrefix, or divide \
             them among several schedules"
        );
        Err(ExportError::new(ErrorName::InvalidInput, fix))
    }
}

/// One turn of the state machine's loop.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Page {
    /// Up to [`PAGE_SIZE`] log groups by name.
    #[serde(rename_all = "camelCase")]
    LogGroups { log_groups: Vec<PlannedEntry> },
    /// One prefix entry; the state machine lists its log groups page by page.
    #[serde(rename_all = "camelCase")]
    Prefix {
        log_group_name_prefix: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        exclude_names: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        exclude_prefixes: Vec<String>,
        placement: Placement,
    },
}

/// An entry as short as it can be written: long lists have to fit into a state's payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PlannedEntry {
    Name(String),
    #[serde(rename_all = "camelCase")]
    Placed {
        log_group_name: String,
        #[serde(flatten)]
        placement: Placement,
    },
}

/// Log groups by name first, then the prefix entries, each in the order of the input.
fn pages(entries: Vec<Entry>) -> Vec<Page> {
    let mut by_name = Vec::new();
    let mut by_prefix = Vec::new();
    for entry in entries {
        match entry {
            Entry::LogGroup { log_group_name, placement } if placement == Placement::default() => {
                by_name.push(PlannedEntry::Name(log_group_name))
            }
            Entry::LogGroup { log_group_name, placement } => by_name.push(PlannedEntry::Placed { log_group_name, placement }),
            Entry::Prefix { log_group_name_prefix, exclude, placement } => {
                let (prefixes, names): (Vec<_>, Vec<_>) = exclude.into_iter().partition(|pattern| pattern.ends_with('*'));
                let exclude_prefixes = prefixes.into_iter().map(|pattern| pattern.trim_end_matches('*').to_owned()).collect();
                by_prefix.push(Page::Prefix { log_group_name_prefix, exclude_names: names, exclude_prefixes, placement });
            }
        }
    }
    by_name.chunks(PAGE_SIZE).map(|page| Page::LogGroups { log_groups: page.to_vec() }).chain(by_prefix).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(input: Value, start_time: &str) -> Result<Value, ExportError> {
        let event = json!({"validate": input, "startTime": start_time});
        ValidateRequest::parse(&event)?.plan().map(|plan| serde_json::to_value(plan).unwrap())
    }

    #[test]
    fn the_plan_fixes_the_month_and_pages_the_entries() {
        let input = json!({"s3BucketName": "archive", "s3Prefix": "logs", "scheduledTime": "2026-11-01T04:00:00Z", "compact": true, "logGroups": [
            "/a",
            {"logGroupNamePrefix": "/p/", "exclude": ["/p/debug-*", "/p/one"], "s3Prefix": "p"},
            {"logGroupName": "/b"},
            {"logGroupName": "/c", "destinationPrefix": "{year}/{month}/c", "logStreamNamePrefix": "prod/"},
        ]});
        assert_eq!(
            plan(input, "2026-11-01T04:00:07Z").unwrap(),
            json!({
                "s3BucketName": "archive", "s3Prefix": "logs", "timezone": "Asia/Tokyo", "month": "2026-10",
                "from": 1790780400000i64, "to": 1793458799999i64, "force": false, "allowIncompleteMonth": false,
                "compact": true,
                "pages": [
                    {"logGroups": ["/a", "/b", {"logGroupName": "/c", "destinationPrefix": "{year}/{month}/c", "logStreamNamePrefix": "prod/"}]},
                    {"logGroupNamePrefix": "/p/", "excludeNames": ["/p/one"], "excludePrefixes": ["/p/debug-"], "placement": {"s3Prefix": "p"}},
                ],
            })
        );
    }

    #[test]
    fn long_lists_are_cut_into_pages_and_lose_nothing() {
        let names: Vec<_> = (0..120).map(|n| format!("/g/{n}")).collect();
        let plan = plan(json!({"s3BucketName": "archive", "month": "2026-09", "logGroups": names}), "2026-11-01T04:00:00Z").unwrap();
        let pages = plan["pages"].as_array().unwrap();
        let sizes: Vec<_> = pages.iter().map(|page| page["logGroups"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [50, 50, 20]);
        let planned: Vec<_> = pages.iter().flat_map(|page| page["logGroups"].as_array().unwrap().clone()).collect();
        assert_eq!(json!(planned), json!(names));
    }

    #[test]
    fn a_plan_that_no_payload_can_carry_is_refused() {
        let of = |entries: Vec<Value>| {
            plan(json!({"s3BucketName": "archive", "month": "2026-09", "logGroups": entries}), "2026-11-01T04:00:00Z")
        };
        let names = |count: usize| (0..count).map(|n| json!(format!("/aws/lambda/{n:0>38}"))).collect();
        assert!(of(names(4700)).unwrap().to_string().len() <= PLAN_LIMIT);
        // A prefix entry takes more room in the plan than in the input.
        let prefixes = |count: usize| (0..count).map(|n| json!({"logGroupNamePrefix": format!("/{n}/")})).collect();
        for entries in [names(4800), prefixes(6000)] {
            let error = of(entries).unwrap_err();
            assert_eq!(error.name, ErrorName::InvalidInput);
            assert!(error.message.starts_with("logGroups is too long: the plan of the run has 2"), "{error}");
            assert!(error.message.contains(" bytes and may have 253952; name log groups by logGroupNamePrefix"), "{error}");
        }
    }

    #[test]
    fn a_late_scheduled_time_does_not_make_a_month_complete() {
        let input = json!({"s3BucketName": "archive", "scheduledTime": "2026-12-01T04:00:00Z", "logGroups": ["/a"]});
        let error = plan(input, "2026-11-20T00:00:00Z").unwrap_err();
        assert_eq!(error.name, crate::ErrorName::MonthNotComplete);
        assert!(error.message.contains("month 2026-11 in Asia/Tokyo is complete from 2026-12-01T03:00:00Z on"), "{}", error.message);
    }

    #[test]
    fn an_event_without_a_start_is_refused() {
        let error = ValidateRequest::parse(&json!({"validate": {}, "extra": 1})).unwrap_err();
        assert_eq!(
            error.message,
            "extra is not a known field: use one of validate, startTime, execution; startTime is missing: it is required"
        );
    }
}
