//! Reads the JSON body of a control field by field, so that a mistake is answered with field, value and fix.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The operations of CloudWatch Logs a fault can be ordered for: those answered here and those the local AWS has.
pub(super) const OPERATIONS: [&str; 56] = [
    "CancelExportTask",
    "CreateDelivery",
    "CreateExportTask",
    "CreateLogGroup",
    "CreateLogStream",
    "DeleteDelivery",
    "DeleteDeliveryDestination",
    "DeleteDeliveryDestinationPolicy",
    "DeleteDeliverySource",
    "DeleteDestination",
    "DeleteLogGroup",
    "DeleteLogStream",
    "DeleteMetricFilter",
    "DeleteResourcePolicy",
    "DeleteRetentionPolicy",
    "DeleteSubscriptionFilter",
    "DescribeDeliveries",
    "DescribeDeliveryDestinations",
    "DescribeDeliverySources",
    "DescribeDestinations",
    "DescribeExportTasks",
    "DescribeLogGroups",
    "DescribeLogStreams",
    "DescribeMetricFilters",
    "DescribeResourcePolicies",
    "DescribeSubscriptionFilters",
    "FilterLogEvents",
    "GetDelivery",
    "GetDeliveryDestination",
    "GetDeliveryDestinationPolicy",
    "GetDeliverySource",
    "GetLogEvents",
    "GetLogGroupFields",
    "GetLogRecord",
    "GetQueryResults",
    "ListLogGroups",
    "ListTagsForResource",
    "ListTagsLogGroup",
    "PutDeliveryDestination",
    "PutDeliveryDestinationPolicy",
    "PutDeliverySource",
    "PutDestination",
    "PutDestinationPolicy",
    "PutLogEvents",
    "PutMetricFilter",
    "PutResourcePolicy",
    "PutRetentionPolicy",
    "PutSubscriptionFilter",
    "StartLiveTail",
    "StartQuery",
    "StopQuery",
    "TagLogGroup",
    "TagResource",
    "TestMetricFilter",
    "UntagLogGroup",
    "UntagResource",
];

/// What is wrong with a control's body.
#[derive(Debug)]
pub(super) struct Problem {
    field: String,
    value: Value,
    fix: String,
}

impl Problem {
    pub(super) fn new(field: &str, value: Value, fix: impl Into<String>) -> Self {
        Self { field: field.to_owned(), value, fix: fix.into() }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "field": self.field,
            "value": self.value,
            "fix": self.fix,
            "message": format!("{} is {}: {}", self.field, self.value, self.fix),
        })
    }
}

/// The fields of a body; whatever was never asked for is unknown.
pub(super) struct Fields {
    all: Map<String, Value>,
    known: BTreeSet<&'static str>,
}

impl Fields {
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(all)) => Ok(Self { all, known: BTreeSet::new() }),
            Ok(other) => Err(Problem::new("body", other, "send a JSON object")),
            Err(error) => {
                let text = String::from_utf8_lossy(body).into_owned();
                let fix = format!("send a JSON object; this is none: {error}");
                Err(Problem::new("body", text.into(), fix))
            }
        }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(other) => Err(Problem::new(name, other, "give a string that is not empty")),
        }
    }

    pub(super) fn number(&mut self, name: &'static str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
                _ => {
                    let fix = format!("give a whole number from {least} to {most}");
                    Err(Problem::new(name, value, fix))
                }
            },
        }
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(Problem::new(name, other, "give true or false")),
        }
    }

    /// Refuses fields nobody asked for; gives all others back.
    pub(super) fn finish(self) -> Result<Map<String, Value>, Problem> {
        let unknown = self.all.iter().find(|(name, _)| !self.known.contains(name.as_str()));
        if let Some((name, value)) = unknown {
            let known: Vec<_> = self.known.into_iter().collect();
            let fix = format!("this field is unknown; the fields are {}", known.join(", "));
            return Err(Problem::new(name, value.clone(), fix));
        }
        Ok(self.all)
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.insert(name);
        self.all.get(name).cloned()
    }
}
