//! What a run is asked to do: the input that the schedule has, and what the options of `plan` and `run` make of it.

use aws_sdk_scheduler::types::ScheduleState;
use chrono::{DateTime, SubsecRound, Utc};
use export_core::{ErrorName, ExportError, LogGroupName, Month, input::RunInput, place::Stack, planner::Group, time::format_instant};
use serde_json::{Map, Value, json};

use crate::{
    arguments::Months,
    failure::Failure,
    globs::Globs,
    schedule::{SCHEDULED_TIME, Schedule},
};

impl Schedule {
    pub fn is_enabled(&self) -> bool {
        self.described.state() == Some(&ScheduleState::Enabled)
    }

    /// Of the run that the schedule would start at `now`.
    pub fn input_at(&self, now: DateTime<Utc>) -> Result<Value, Failure> {
        let text = self.input().replace(SCHEDULED_TIME, &format_instant(now.trunc_subsecs(0)));
        match serde_json::from_str(&text) {
            Ok(input @ Value::Object(_)) => Ok(input),
            _ => Err(Failure::Usage(format!(
                "the input of schedule {} is no JSON object: `logs-archive doctor` has the command that mends it",
                self.name()
            ))),
        }
    }

    /// Of a run by hand over the schedule's list.
    pub fn input_by_hand(&self, months: &Months, force: bool, now: DateTime<Utc>) -> Result<Value, Failure> {
        let mut input = self.input_at(now)?;
        if let Some(fields) = input.as_object_mut() {
            fields.remove("scheduledTime");
            set(fields, "month", months.month);
            set(fields, "since", months.since);
            if force {
                fields.insert("force".to_owned(), json!(true));
            }
        }
        Ok(input)
    }
}

fn set(fields: &mut Map<String, Value>, name: &str, month: Option<Month>) {
    if let Some(month) = month {
        fields.insert(name.to_owned(), json!(month));
    }
}

/// Refuses what a run would refuse.
pub fn parse(input: &Value, stack: &Stack) -> Result<RunInput, Failure> {
    RunInput::parse(input, stack).map_err(refused)
}

/// What a run fails with before it looks at a log group is for whoever asked for it.
pub fn refused(error: ExportError) -> Failure {
    match error.name {
        ErrorName::InvalidInput | ErrorName::MonthNotComplete => Failure::Usage(error.message),
        _ => error.into(),
    }
}

/// The log groups that `--group` names. None: all.
pub struct Selection<'a> {
    texts: &'a [String],
}

impl<'a> Selection<'a> {
    pub fn new(texts: &'a [String]) -> Self {
        Self { texts }
    }

    pub fn is_all(&self) -> bool {
        self.texts.is_empty()
    }

    /// Adds each name that no entry covers, with the stack's defaults. Answers with those.
    pub fn add_names(&self, input: &mut Value, stack: &Stack) -> Result<Vec<&'a str>, Failure> {
        let entries = parse(input, stack)?.entries;
        let mut added = Vec::new();
        for text in self.texts.iter().filter(|text| !text.contains(['*', '?'])) {
            let name = LogGroupName::parse(text).map_err(|fix| Failure::Usage(format!("--group is {text:?}: {fix}")))?;
            if entries.iter().all(|entry| entry.rank(&name).is_none()) {
                added.push(text.as_str());
            }
        }
        if let Some(list) = input["logGroups"].as_array_mut() {
            list.extend(added.iter().map(|name| json!(name)));
        }
        Ok(added)
    }

    /// Keeps what is selected. A glob has to match something.
    pub fn keep(&self, groups: &mut Vec<Group>) -> Result<(), Failure> {
        let globs = Globs::new(self.texts);
        let names: Vec<&LogGroupName> = groups.iter().map(|group| &group.source.log_group_name).collect();
        if let [idle, ..] = globs.without_match(self.texts, &names)[..] {
            return Err(Failure::Usage(format!(
                "--group {idle} matches no log group of the schedule's list: write the glob anew, or name the log group"
            )));
        }
        groups.retain(|group| globs.matches(&group.source.log_group_name));
        Ok(())
    }
}

/// A list of exactly these log groups, each with the options that it has in the whole list.
pub fn entries_of(groups: &[Group], input: &RunInput) -> Value {
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
