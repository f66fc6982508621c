//! Overlays: values that DescribeLogGroups reports for a log group instead of the stored ones, such as its age.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// An absent field does not change the stored value.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overlay {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) creation_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retention_in_days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_group_class: Option<String>,
    /// The account-level policy that sets the retention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retention_policy_name: Option<String>,
}

impl Overlay {
    /// Newer values win.
    pub(crate) fn merge(&mut self, newer: Overlay) {
        self.creation_time = newer.creation_time.or(self.creation_time);
        self.retention_in_days = newer.retention_in_days.or(self.retention_in_days);
        self.log_group_class = newer.log_group_class.or(self.log_group_class.take());
        self.retention_policy_name = newer.retention_policy_name.or(self.retention_policy_name.take());
    }

    fn apply(&self, log_group: &mut Value) {
        if let Some(time) = self.creation_time {
            log_group["creationTime"] = time.into();
        }
        if let Some(days) = self.retention_in_days {
            log_group["retentionInDays"] = days.into();
        }
        if let Some(class) = &self.log_group_class {
            log_group["logGroupClass"] = class.as_str().into();
        }
        if let Some(name) = &self.retention_policy_name {
            log_group["retentionPolicyName"] = name.as_str().into();
        }
    }
}

/// Removes the overlay of a deleted log group, so that a new one with its name has none.
pub(crate) fn remove(request: &[u8], overlays: &mut BTreeMap<String, Overlay>) {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    if let Some(name) = request["logGroupName"].as_str() {
        overlays.remove(name);
    }
}

/// Rewrites an answer of DescribeLogGroups. `None`: it does not change.
pub(crate) fn rewrite(answer: &[u8], overlays: &BTreeMap<String, Overlay>) -> Option<Vec<u8>> {
    if overlays.is_empty() {
        return None;
    }
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let mut changed = false;
    for log_group in answer["logGroups"].as_array_mut()? {
        if let Some(overlay) = log_group["logGroupName"].as_str().and_then(|name| overlays.get(name)) {
            overlay.apply(log_group);
            changed = true;
        }
    }
    changed.then(|| answer.to_string().into_bytes())
}
