//! Polling policies: the workflow's, which is read from its definition, and fixed intervals.

use anyhow::{Context, Result, ensure};
use local_aws::workspace::root;
use serde_json::{Value, json};

const FILE: &str = "statemachine/export-logs.asl.json";

pub trait Policy {
    /// The seconds between the last of `polls` polls and the next one.
    fn delay(&self, polls: u32) -> f64;
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedInterval(pub f64);

impl Policy for FixedInterval {
    fn delay(&self, _polls: u32) -> f64 {
        self.0
    }
}

/// `WaitForExportTask`, then the first retrier of `CheckExportTask`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workflow {
    pub wait_seconds: f64,
    pub interval_seconds: f64,
    pub backoff_rate: f64,
    pub max_delay_seconds: f64,
    pub max_attempts: u32,
    /// The factor for all delays.
    pub scale: f64,
}

impl Policy for Workflow {
    fn delay(&self, polls: u32) -> f64 {
        let seconds = match polls.checked_sub(1) {
            None => self.wait_seconds,
            Some(retries) => (self.interval_seconds * self.backoff_rate.powf(f64::from(retries))).min(self.max_delay_seconds),
        };
        seconds * self.scale
    }
}

impl Workflow {
    pub fn read() -> Result<Self> {
        let path = root().join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let definition: Value = serde_json::from_str(&text).with_context(|| format!("{FILE} is not JSON"))?;
        let check = find_state(&definition, "CheckExportTask").with_context(|| format!("{FILE} has no CheckExportTask"))?;
        let wait = find_state(&definition, "WaitForExportTask").with_context(|| format!("{FILE} has no WaitForExportTask"))?;
        let retrier = &check["Retry"][0];
        ensure!(retrier["ErrorEquals"][0] == "ExportTaskPending", "the first retrier of CheckExportTask does not poll");
        ensure!(retrier["JitterStrategy"] != "FULL", "the polling has jitter, which the simulation lacks");
        let number = |value: &Value, name: &str| value[name].as_f64().with_context(|| format!("{FILE}: {name} is not a number"));
        Ok(Self {
            wait_seconds: number(wait, "Seconds")?,
            interval_seconds: number(retrier, "IntervalSeconds")?,
            backoff_rate: number(retrier, "BackoffRate")?,
            max_delay_seconds: number(retrier, "MaxDelaySeconds")?,
            max_attempts: u32::try_from(retrier["MaxAttempts"].as_u64().context("MaxAttempts is not a number")?)?,
            scale: 1.0,
        })
    }

    pub fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    pub fn to_json(self) -> Value {
        json!({
            "wait_seconds": self.wait_seconds, "interval_seconds": self.interval_seconds, "backoff_rate": self.backoff_rate,
            "max_delay_seconds": self.max_delay_seconds, "max_attempts": self.max_attempts,
        })
    }
}

/// Finds a state in the definition or in a nested processor.
fn find_state<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            let state = fields.get("States").and_then(|states| states.get(name));
            state.or_else(|| fields.values().find_map(|field| find_state(field, name)))
        }
        Value::Array(items) => items.iter().find_map(|item| find_state(item, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_from_the_second_poll_to_the_maximum() {
        let workflow =
            Workflow { wait_seconds: 3.0, interval_seconds: 2.0, backoff_rate: 2.0, max_delay_seconds: 5.0, max_attempts: 9, scale: 1.0 };
        assert_eq!([0, 1, 2, 3, 4].map(|polls| workflow.delay(polls)), [3.0, 2.0, 4.0, 5.0, 5.0]);
        assert_eq!(workflow.scaled(0.5).delay(0), 1.5);
    }

    #[test]
    fn the_workflow_polls_for_more_than_a_day() {
        let workflow = Workflow::read().unwrap();
        let waits: f64 = (0..=workflow.max_attempts).map(|polls| workflow.delay(polls)).sum();
        assert!(waits > 24.0 * 3600.0, "{waits} s");
    }
}
