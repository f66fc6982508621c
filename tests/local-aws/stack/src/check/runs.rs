//! What a run did, and what its output and its report say about it.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::{Value, json};

use super::{Case, ExpectedMonth, ExpectedOutcome, differing_fields, manifests};
use crate::calendar::TIMEZONE;
use crate::execution;
use crate::samples::MISSING_LOG_GROUP;

/// The tasks that this run created.
pub(super) fn tasks(case: &Case<'_>, places: &[ExpectedMonth<'_>]) -> Vec<String> {
    let (evidence, window) = (case.evidence, case.samples.window);
    let mut problems = Vec::new();
    for place in places {
        let name = &place.group.name;
        let expected = usize::from(place.expected_outcome == ExpectedOutcome::Exported);
        if place.tasks.len() != expected {
            problems.push(format!("{name}: expected {expected} new export task, found {}", place.tasks.len()));
        }
        for task in &place.tasks {
            let mut expect = |what: &str, expected: &dyn Debug, found: &dyn Debug, same: bool| {
                if !same {
                    problems.push(format!("{name}, task {}: {what}: expected {expected:?}, found {found:?}", task.task_id));
                }
            };
            expect("status", &"COMPLETED", &task.status, task.status == "COMPLETED");
            expect("from", &window.from, &task.from, task.from == window.from);
            expect("to", &window.to, &task.to, task.to == window.to);
            expect("destination", &evidence.bucket, &task.destination, task.destination == evidence.bucket);
            expect("destinationPrefix", &place.prefix, &task.destination_prefix, task.destination_prefix == place.prefix);
        }
    }
    let known = |name: &str| places.iter().any(|place| place.group.name == name);
    for task in evidence.tasks.iter().filter(|task| !known(&task.log_group_name)) {
        problems.push(format!("{}: expected no export task, found {}", task.log_group_name, task.task_id));
    }
    problems
}

pub(super) fn output(case: &Case<'_>, places: &[ExpectedMonth<'_>]) -> Vec<String> {
    let (evidence, mut problems) = (case.evidence, Vec::new());
    let count = |became: ExpectedOutcome| places.iter().filter(|place| place.expected_outcome == became).count();
    let exported =
        || places.iter().filter(|place| place.expected_outcome == ExpectedOutcome::Exported).map(|place| (place, manifests::size(place)));
    let counts = json!({
        "alreadyArchived": count(ExpectedOutcome::AlreadyArchived),
        "exported": exported().filter(|(_, (objects, _))| *objects > 0).count(),
        "empty": exported().filter(|(_, (objects, _))| *objects == 0).count(),
        "skipped": count(ExpectedOutcome::Skipped),
        "lost": 0,
        "nothingYet": count(ExpectedOutcome::NothingYet),
        "waiting": 0,
        "warned": 1,
        "failed": 0,
        "objects": exported().map(|(_, (objects, _))| objects).sum::<usize>(),
        "bytes": exported().map(|(_, (_, bytes))| bytes).sum::<usize>(),
    });
    let run = json!({ "timezone": TIMEZONE.name(), "months": [case.samples.month.to_string()] });
    let output = &evidence.output;
    for expected in [&counts, &run] {
        differing_fields("output", expected, output, &mut problems);
    }
    differing_fields("output", &json!({ "missing": 0 }), output, &mut problems);
    let warnings = ["LogGroupNotFound"];
    if names(&output["warnings"]) != warnings || output["warningsInAll"] != 1 {
        problems.push(format!("output: expected the one warning LogGroupNotFound, found {}", output["warnings"]));
    }

    let key = output["report"]["key"].as_str().unwrap_or_default();
    let Some(report) = evidence.objects.iter().find(|object| object.key == key && output["report"]["bucket"] == evidence.bucket) else {
        problems.push(format!("output: report: expected an object of the bucket, found {}", output["report"]));
        return problems;
    };
    let report: Value = serde_json::from_slice(&report.body).unwrap_or_default();
    differing_fields("report", &run, &report, &mut problems);
    differing_fields(
        "report",
        &json!({ "execution": evidence.execution_arn, "error": null, "missing_count": 0, "missing": [] }),
        &report,
        &mut problems,
    );
    differing_fields("report", &counts, &report["counts"], &mut problems);
    if names(&report["warnings"]) != warnings {
        problems.push(format!("report: expected the one warning LogGroupNotFound, found {}", report["warnings"]));
    }
    let mut expected: BTreeMap<String, String> = places.iter().filter_map(|place| Some((place.group.name.clone(), word(place)?))).collect();
    expected.insert(MISSING_LOG_GROUP.to_owned(), "warned LogGroupNotFound".to_owned());
    let decided = execution::became(&report);
    if decided != expected {
        problems.push(format!("report: decided: expected {expected:?}, found {decided:?}"));
    }
    problems
}

/// What the report says became of it; nothing, where it was archived already.
fn word(place: &ExpectedMonth<'_>) -> Option<String> {
    let word = match place.expected_outcome {
        ExpectedOutcome::AlreadyArchived => return None,
        ExpectedOutcome::Exported if manifests::size(place).0 > 0 => "exported",
        ExpectedOutcome::Exported => "empty",
        ExpectedOutcome::Skipped => "skipped NoEventsInMonth",
        ExpectedOutcome::NothingYet => "nothingYet",
    };
    Some(word.to_owned())
}

fn names(warnings: &Value) -> Vec<&str> {
    warnings.as_array().into_iter().flatten().filter_map(|warning| warning["name"].as_str()).collect()
}
