//! The input of a run: the schedule's input, changed by the options of `plan` and `run`.

use chrono::{DateTime, SubsecRound, Utc};
use export_core::{ErrorName, ExportError, LogGroupName, input::RunInput, place::Stack, planner::Group, time::format_instant};
use serde_json::{Map, Value, json};

use crate::{
    arguments::Months,
    failure::Failure,
    globs::{Globs, is_glob},
    schedule::{SCHEDULED_TIME, Schedule},
};

impl Schedule {
    /// The input of the run that the schedule would start at `now`.
    pub fn input_at(&self, now: DateTime<Utc>) -> Result<Value, Failure> {
        let text = self.input().replace(SCHEDULED_TIME, &format_instant(now.trunc_subsecs(0)));
        match serde_json::from_str(&text) {
            Ok(input @ Value::Object(_)) => Ok(input),
            _ => Err(Failure::Usage(format!(
                "the input of schedule {} is not a JSON object: `logs-archive doctor` prints the command that fixes it",
                self.name()
            ))),
        }
    }

    /// The input of a run by hand over the schedule's list.
    pub fn input_by_hand(&self, months: &Months, force: bool, now: DateTime<Utc>) -> Result<Value, Failure> {
        let mut input = self.input_at(now)?;
        if let Some(fields) = input.as_object_mut() {
            fields.remove("scheduledTime");
            for (name, month) in [("month", months.month), ("since", months.since)] {
                if let Some(month) = month {
                    fields.insert(name.to_owned(), json!(month));
                }
            }
            if force {
                fields.insert("force".to_owned(), json!(true));
            }
        }
        Ok(input)
    }
}

/// Parses an input, and refuses what a run would refuse.
pub fn parse(input: &Value, stack: &Stack) -> Result<RunInput, Failure> {
    RunInput::parse(input, stack).map_err(to_failure)
}

/// An input that a run would refuse is wrong usage. All other errors are failures of AWS.
pub fn to_failure(error: ExportError) -> Failure {
    match error.name {
        ErrorName::InvalidInput | ErrorName::MonthNotComplete => Failure::Usage(error.message),
        _ => error.into(),
    }
}

/// The log groups that `--group` names. Without a pattern: all log groups.
pub struct GroupSelection<'a> {
    patterns: &'a [String],
}

impl<'a> GroupSelection<'a> {
    pub fn new(patterns: &'a [String]) -> Self {
        Self { patterns }
    }

    pub fn is_all(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Adds each name that no entry matches to the list, with the stack's defaults. Returns the added names.
    pub fn add_names(&self, input: &mut Value, stack: &Stack) -> Result<Vec<&'a str>, Failure> {
        let entries = parse(input, stack)?.entries;
        let mut added = Vec::new();
        for pattern in self.patterns.iter().filter(|pattern| !is_glob(pattern)) {
            let name = LogGroupName::parse(pattern).map_err(|fix| Failure::Usage(format!("--group is {pattern:?}: {fix}")))?;
            if entries.iter().all(|entry| entry.rank(&name).is_none()) {
                added.push(pattern.as_str());
            }
        }
        if let Some(list) = input["logGroups"].as_array_mut() {
            list.extend(added.iter().map(|name| json!(name)));
        }
        Ok(added)
    }

    /// Removes the log groups that are not selected. Each pattern has to match a log group.
    pub fn retain(&self, groups: &mut Vec<Group>) -> Result<(), Failure> {
        let globs = Globs::new(self.patterns);
        let names: Vec<&LogGroupName> = groups.iter().map(|group| &group.source.log_group_name).collect();
        if let [pattern, ..] = globs.unmatched(&names)[..] {
            return Err(Failure::Usage(format!(
                "--group {pattern} matches no log group of the schedule's list: correct the pattern, or give the name of the log group"
            )));
        }
        groups.retain(|group| globs.matches(&group.source.log_group_name));
        Ok(())
    }
}

/// A list of exactly these log groups, each with the options of its entry in the schedule's list.
pub fn list_of(groups: &[Group], input: &RunInput) -> Value {
    let entry = |group: &Group| {
        let source = &group.source;
        let mut entry = Map::from_iter([("logGroupName".to_owned(), json!(source.log_group_name))]);
        if source.s3_prefix != input.s3_prefix {
            entry.insert("s3Prefix".to_owned(), json!(source.s3_prefix));
        }
        if let Some(prefix) = &source.log_stream_name_prefix {
            entry.insert("logStreamNamePrefix".to_owned(), json!(prefix));
        }
        if let Some(template) = &source.destination_template {
            entry.insert("destinationPrefix".to_owned(), json!(template));
        }
        if entry.len() == 1 { json!(source.log_group_name) } else { Value::Object(entry) }
    };
    groups.iter().map(entry).collect()
}
