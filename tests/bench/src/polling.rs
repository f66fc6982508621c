//! The share of the export slot's time that tasks use: the rest is lost between a task's end and the poll that sees it.

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

/// How long a poll takes: invocation, one call, answer. Assumed, on the long side; function_start has what of it is the function's.
pub const POLL_SECONDS: f64 = 0.2;

/// What today's tools do.
const FIXED_SECONDS: [f64; 3] = [5.0, 30.0, 60.0];

/// What a policy made of a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    /// Sum of the tasks' lengths / sum of the times from a task's creation to the end of the poll that saw it done.
    pub efficiency: f64,
    pub polls_per_task: f64,
}

/// The lengths that the documents give as examples.
const TASK_SECONDS: [u32; 4] = [10, 60, 600, 3600];

pub fn simulate(policy: &dyn Policy, task_seconds: &[f64], poll_seconds: f64) -> Tally {
    let (mut held, mut polls) = (0.0, 0_u32);
    for &length in task_seconds {
        let (task_held, task_polls) = follow(policy, length, poll_seconds);
        held += task_held;
        polls += task_polls;
    }
    Tally { efficiency: task_seconds.iter().sum::<f64>() / held, polls_per_task: f64::from(polls) / task_seconds.len() as f64 }
}

/// How long one task's slot is held, and by how many polls. A poll sees what was so when it began.
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
        let mut result = json_of(simulate(&workflow, &tasks, POLL_SECONDS));
        for seconds in FIXED_SECONDS {
            result[format!("fixed_{seconds}s")] = json_of(simulate(&FixedInterval(seconds), &tasks, POLL_SECONDS));
        }
        results.insert(workload.name.to_owned(), result);
    }
    results.insert("tasks".to_owned(), json!(workload::TASKS));
    results.insert("poll_seconds".to_owned(), json!(POLL_SECONDS));
    results.insert("policy".to_owned(), workflow.to_json());
    let one_task = TASK_SECONDS.map(|seconds| {
        let (held, polls) = follow(&workflow, f64::from(seconds), POLL_SECONDS);
        (format!("s{seconds}"), json!({"polls": polls, "held_seconds": rounded(held), "hours_of_1000": rounded(1000.0 * held / 3600.0)}))
    });
    results.insert("one_task".to_owned(), Value::Object(one_task.into_iter().collect()));
    Ok(Value::Object(results))
}

fn json_of(tally: Tally) -> Value {
    json!({"efficiency": rounded(tally.efficiency), "polls_per_task": rounded(tally.polls_per_task)})
}

/// The bars by workload.
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
    fn a_task_is_held_until_the_poll_that_sees_it_done_has_ended() {
        // Polls at 5, 10.1 and 15.2.
        assert_eq!(follow(&FixedInterval(5.0), 4.0, 0.1), (5.1, 1));
        let (held, polls) = follow(&FixedInterval(5.0), 10.2, 0.1);
        assert!((held - 15.3).abs() < 1e-9 && polls == 3, "{held} {polls}");
    }

    #[test]
    fn every_bar_is_held() {
        let results = json!({"polling": measure().unwrap()});
        let computed = BARS.iter().filter(|(path, _)| !path.contains("confirmed")).map(|(path, bar)| ((*path).to_owned(), *bar));
        for judged in crate::bars::judge(&results, &computed.collect::<Vec<_>>()) {
            assert_eq!(judged.verdict, crate::bars::Verdict::Held, "{}", judged.path);
        }
    }
}
