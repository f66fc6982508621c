//! Efficiency: the share of the export slot's time in which a task runs. The slot is idle between a task's end and the poll that notices it.

mod confirm;
mod policy;
mod workload;

use anyhow::Result;
use serde_json::{Map, Value, json};

pub use confirm::{Effort, confirm};
pub use policy::{FixedInterval, Policy, Workflow};
use workload::WORKLOADS;

use crate::bars::Bar;
use crate::stats::rounded;

/// The assumed time of a poll: an invocation with one call. It is rather long; function_start measures the function's part.
pub const POLL_SECONDS: f64 = 0.2;

/// The intervals of other tools.
const FIXED_SECONDS: [f64; 3] = [5.0, 30.0, 60.0];

/// The result of a policy for a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    /// The tasks' lengths divided by the times that they hold the slot.
    pub efficiency: f64,
    pub polls_per_task: f64,
}

/// The examples in the documents.
const TASK_SECONDS: [u32; 4] = [10, 60, 600, 3600];

pub fn simulate(policy: &dyn Policy, task_seconds: &[f64], poll_seconds: f64) -> Tally {
    let (mut slot_seconds, mut polls) = (0.0, 0_u32);
    for &length in task_seconds {
        let (seconds_of_task, polls_of_task) = follow(policy, length, poll_seconds);
        slot_seconds += seconds_of_task;
        polls += polls_of_task;
    }
    Tally { efficiency: task_seconds.iter().sum::<f64>() / slot_seconds, polls_per_task: f64::from(polls) / task_seconds.len() as f64 }
}

/// The seconds from a task's creation to the end of the last poll, and the number of polls. A poll sees the status at its beginning.
pub fn follow(policy: &dyn Policy, length: f64, poll_seconds: f64) -> (f64, u32) {
    let mut now = policy.delay(0);
    let mut polls = 1;
    while now < length {
        now += poll_seconds + policy.delay(polls);
        polls += 1;
    }
    (now + poll_seconds, polls)
}

pub fn measure() -> Result<Value> {
    let workflow = Workflow::read()?;
    let mut results = Map::new();
    for workload in WORKLOADS {
        let tasks = workload.task_seconds();
        let mut result = to_json(simulate(&workflow, &tasks, POLL_SECONDS));
        for seconds in FIXED_SECONDS {
            result[format!("fixed_{seconds}s")] = to_json(simulate(&FixedInterval(seconds), &tasks, POLL_SECONDS));
        }
        results.insert(workload.name.to_owned(), result);
    }
    results.insert("tasks".to_owned(), json!(workload::TASKS));
    results.insert("poll_seconds".to_owned(), json!(POLL_SECONDS));
    results.insert("policy".to_owned(), workflow.to_json());
    let one_task = TASK_SECONDS.map(|seconds| {
        let (slot_seconds, polls) = follow(&workflow, f64::from(seconds), POLL_SECONDS);
        (
            format!("s{seconds}"),
            json!({"polls": polls, "held_seconds": rounded(slot_seconds), "hours_of_1000": rounded(1000.0 * slot_seconds / 3600.0)}),
        )
    });
    results.insert("one_task".to_owned(), Value::Object(one_task.into_iter().collect()));
    Ok(Value::Object(results))
}

fn to_json(tally: Tally) -> Value {
    json!({"efficiency": rounded(tally.efficiency), "polls_per_task": rounded(tally.polls_per_task)})
}

pub const BARS: [(&str, Bar); 7] = [
    ("polling.median_10s.efficiency", Bar::AtLeast(0.90)),
    ("polling.median_45s.efficiency", Bar::AtLeast(0.94)),
    ("polling.median_600s.efficiency", Bar::AtLeast(0.97)),
    ("polling.median_10s.polls_per_task", Bar::AtMost(10.0)),
    ("polling.median_45s.polls_per_task", Bar::AtMost(20.0)),
    ("polling.median_600s.polls_per_task", Bar::AtMost(60.0)),
    ("polling.confirmed.measured_vs_predicted", Bar::AtLeast(0.95)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_holds_the_slot_until_the_end_of_the_last_poll() {
        // Polls at 5, 10.1 and 15.2.
        assert_eq!(follow(&FixedInterval(5.0), 4.0, 0.1), (5.1, 1));
        let (seconds, polls) = follow(&FixedInterval(5.0), 10.2, 0.1);
        assert!((seconds - 15.3).abs() < 1e-9 && polls == 3, "{seconds} {polls}");
    }

    #[test]
    fn the_workflow_holds_every_bar_of_the_simulation() {
        let results = json!({"polling": measure().unwrap()});
        let simulated = BARS.iter().filter(|(path, _)| !path.contains("confirmed")).map(|(path, bar)| ((*path).to_owned(), *bar));
        for judgement in crate::bars::judge(&results, &simulated.collect::<Vec<_>>()) {
            assert_eq!(judgement.verdict, crate::bars::Verdict::Held, "{}", judgement.path);
        }
    }
}
