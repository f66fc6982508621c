//! The log groups of the schedule's list: classes, retention, entries that match nothing or each other's places.

use std::collections::BTreeMap;

use export_core::{
    StreamPrefix,
    decide::{LogGroup, NOT_EXPORTABLE},
    entry::{Entry, Selector},
    input::{RunInput, best_entries},
    planner::Group,
    warning::WarningName,
};
use serde_json::{Value, json};

use super::{
    finding::{Call, Findings, Name},
    fix,
};
use crate::{
    context::Context,
    failure::Failure,
    schedule::{self, Schedule},
    shell::quoted,
    stack::DeployedStack,
};

/// The shortest retention with which no event of a month is deleted before its export, and weeks are left to mend what fails.
const RECOMMENDED_DAYS: i32 = 60;
const LONGEST_MONTH: i32 = 31;

/// `None`: the list is not known.
pub async fn check(
    context: &Context,
    stack: &DeployedStack,
    schedule: &Schedule,
    findings: &mut Findings,
) -> Result<Option<Vec<Group>>, Failure> {
    // What is wrong with the input is said with the schedule.
    let Ok(input) = schedule::parse(schedule.input(), &stack.stack) else { return Ok(None) };
    let value: Value = serde_json::from_str(schedule.input()).unwrap_or_default();
    let list = List::new(stack, schedule, value["logGroups"].as_array().cloned().unwrap_or_default(), input);
    list.repeated(findings);
    let (groups, warnings) = match context.archive(stack).expand(&list.input).await {
        Ok(expanded) => expanded,
        Err(error) if error.name == export_core::ErrorName::AccessDenied => {
            let of = &stack.stack;
            let arn = format!("arn:{}:logs:{}:{}:log-group:*", of.partition, of.region, of.account);
            let call = Call { operation: "DescribeLogGroups", action: "logs:DescribeLogGroups", resource: &arn, absent: &[] };
            let failure = export_core::service::ServiceFailure {
                operation: call.operation,
                code: Some("AccessDeniedException".to_owned()),
                message: error.message,
                status: Some(400),
            };
            findings.refused::<()>(call, &failure)?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    for warning in warnings.into_iter().filter(|warning| warning.name == WarningName::EntryMatchesNothing) {
        list.unmatched(&warning.message, findings);
    }
    list.absent_or_not_exportable(&groups, findings);
    list.retentions(&groups, findings);
    list.archived_twice(&groups, findings);
    list.nesting(&groups, findings);
    Ok(Some(groups))
}

struct List<'a> {
    schedule: &'a Schedule,
    /// As they are written.
    entries: Vec<Value>,
    input: RunInput,
    /// Where each entry of the input is in the list, which may have it twice.
    places: Vec<usize>,
}

impl<'a> List<'a> {
    fn new(stack: &DeployedStack, schedule: &'a Schedule, entries: Vec<Value>, input: RunInput) -> Self {
        let mut places = Vec::new();
        for (place, value) in entries.iter().enumerate() {
            let parsed = RunInput::parse(&json!({ "logGroups": [value] }), &stack.stack).ok();
            if parsed.is_some_and(|parsed| input.entries.get(places.len()) == parsed.entries.first()) {
                places.push(place);
            }
        }
        Self { schedule, entries, input, places }
    }

    /// By its value: other commands may have moved it. A run takes no empty list: the only entry goes when a person has named another one.
    fn remove(&self, place: usize) -> String {
        let entry = &self.entries[place];
        if self.entries.iter().all(|other| other == entry) {
            let entry = entry.as_str().map_or_else(|| entry.to_string(), str::to_owned);
            return format!("logs-archive groups add --yes NAME && logs-archive groups remove --yes {}", quoted(&entry));
        }
        let keep = r#"if . == [] then error("the list needs an entry") else . end"#;
        fix::edit_input(self.schedule, &format!(".logGroups |= (map(select(. != {entry})) | {keep})"))
    }

    fn edit(&self, place: usize, edit: &str) -> String {
        fix::edit_input(self.schedule, &format!("(.logGroups[] | select(. == {})) |= {edit}", self.entries[place]))
    }

    fn place_of(&self, entry: &Entry) -> usize {
        let index = self.input.entries.iter().position(|own| std::ptr::eq(own, entry));
        index.and_then(|index| self.places.get(index).copied()).unwrap_or_default()
    }

    fn repeated(&self, findings: &mut Findings) {
        for warning in self.input.warnings.iter().filter(|warning| warning.name == WarningName::EntryRepeated) {
            let place = warning.message.strip_prefix("logGroups[").and_then(|rest| rest.split_once(']')?.0.parse().ok());
            let place: usize = place.unwrap_or_default();
            let value = &self.entries[place];
            let fix = match self.entries[..place].contains(value) {
                true => {
                    let keep_first = "reduce .[] as $entry ([]; if any(.[]; . == $entry) then . else . + [$entry] end)";
                    fix::edit_input(self.schedule, &format!(".logGroups |= {keep_first}"))
                }
                false => self.remove(place),
            };
            findings.add(Name::EntryRepeated, value.to_string(), format!("{}.", warning.message), fix);
        }
    }

    fn unmatched(&self, message: &str, findings: &mut Findings) {
        let is_told = |entry: &&Entry| match &entry.selector {
            Selector::Prefix { log_group_name_prefix: prefix, .. } => message.contains(&format!(" {prefix}*")),
            Selector::Name(_) => false,
        };
        let Some(entry) = self.input.entries.iter().find(is_told) else { return };
        let place = self.place_of(entry);
        findings.add(Name::EntryMatchesNothing, self.entries[place].to_string(), format!("{}.", uppercase(message)), self.remove(place));
    }

    /// One finding for each named log group, and one for each entry with a prefix.
    fn absent_or_not_exportable(&self, groups: &[Group], findings: &mut Findings) {
        let mut matched: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for group in groups {
            let name = &group.place.log_group;
            let (finding, what) = match group.log_group {
                LogGroup::Present { is_exportable: false, .. } => (Name::LogClassNotExportable, NOT_EXPORTABLE),
                LogGroup::Present { .. } => continue,
                LogGroup::Absent | LogGroup::Gone => (Name::EntryMatchesNothing, "does not exist"),
            };
            for entry in best_entries(&self.input.entries, name) {
                let place = self.place_of(entry);
                match entry.selector {
                    Selector::Name(_) => findings.add(finding, name.as_str(), format!("Log group {name} {what}."), self.remove(place)),
                    Selector::Prefix { .. } => matched.entry(place).or_default().push(name.as_str()),
                }
            }
        }
        for (place, mut names) in matched {
            names.dedup();
            let what = format!("{} not of the class Standard.", are(&names));
            let fix = self.edit(place, &format!("(.exclude += {})", json!(names)));
            findings.add(Name::LogClassNotExportable, self.entries[place].to_string(), what, fix);
        }
    }

    /// One finding for each number of days.
    fn retentions(&self, groups: &[Group], findings: &mut Findings) {
        let mut short: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
        for group in groups {
            if let LogGroup::Present { retention_in_days: Some(days), is_exportable: true, .. } = group.log_group
                && days < RECOMMENDED_DAYS
            {
                short.entry(days).or_default().push(group.place.log_group.as_str());
            }
        }
        let needed = LONGEST_MONTH + 1 + i32::from(self.input.settle_days.days());
        for (days, mut names) in short {
            names.dedup();
            let what = format!(
                "{} set to a retention of {days} days, and the export of a month reads events of the last {needed} days.",
                are(&names)
            );
            let put = |name: &str| format!("aws logs put-retention-policy --log-group-name {name} --retention-in-days {RECOMMENDED_DAYS}");
            let fix = match &names[..] {
                [only] => put(&quoted(only)),
                all => {
                    let words: Vec<String> = all.iter().map(|name| quoted(name)).collect();
                    format!("for name in {}; do {}; done", words.join(" "), put("\"$name\""))
                }
            };
            findings.add(Name::RetentionLosesEvents, names[0], what, fix);
        }
    }

    /// Log groups whose streams two entries of the same rank match.
    fn archived_twice(&self, groups: &[Group], findings: &mut Findings) {
        let mut pairs: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
        for group in groups.chunk_by(|one, other| one.place.log_group == other.place.log_group) {
            let name = &group[0].place.log_group;
            let entries = best_entries(&self.input.entries, name);
            for (index, second) in entries.iter().enumerate() {
                if let Some(first) = entries[..index].iter().find(|first| share_streams(first, second)) {
                    pairs.entry((self.place_of(first), self.place_of(second))).or_default().push(name.as_str());
                }
            }
        }
        for ((first, second), names) in pairs {
            let what = format!("{} matched by logGroups[{first}] and logGroups[{second}] alike.", are(&names));
            findings.add(Name::LogGroupArchivedTwice, self.entries[second].to_string(), what, self.remove(second));
        }
    }

    /// Destinations that are the same, or one inside the other.
    fn nesting(&self, groups: &[Group], findings: &mut Findings) {
        let mut sorted: Vec<(String, &Group)> =
            groups.iter().map(|group| (format!("{}/", group.place.destination.as_str()), group)).collect();
        sorted.sort_by(|one, other| one.0.cmp(&other.0));
        let mut outer: Option<&(String, &Group)> = None;
        let mut told = Vec::new();
        for inner in &sorted {
            match outer {
                Some(outer) if inner.0.starts_with(&outer.0) && outer.1.place.log_group != inner.1.place.log_group => {
                    let Some(entry) = best_entries(&self.input.entries, &inner.1.place.log_group).into_iter().find(|entry| {
                        entry.destination_template == inner.1.source.destination_template
                            && entry.s3_prefix.as_ref().is_none_or(|own| *own == inner.1.source.s3_prefix)
                    }) else {
                        continue;
                    };
                    let index = self.place_of(entry);
                    if told.contains(&index) {
                        continue;
                    }
                    told.push(index);
                    let (one, other) = (&outer.1.place, &inner.1.place);
                    let what = format!(
                        "{} is archived to {}, inside {} of {}. The command gives it the archive's own layout.",
                        other.log_group,
                        other.destination.as_str(),
                        one.destination.as_str(),
                        one.log_group
                    );
                    let edit = self.edit(index, "del(.destinationPrefix, .s3Prefix)");
                    findings.add(Name::DestinationsNest, self.entries[index].to_string(), what, edit);
                }
                Some(outer) if inner.0.starts_with(&outer.0) => {}
                _ => outer = Some(inner),
            }
        }
    }
}

/// Whether some log stream is in both exports.
fn share_streams(one: &Entry, other: &Entry) -> bool {
    let (one, other) = (one.log_stream_name_prefix.as_ref(), other.log_stream_name_prefix.as_ref());
    StreamPrefix::includes(one, other) || StreamPrefix::includes(other, one)
}

/// The first of many names, and the verb.
fn are(names: &[&str]) -> String {
    match names {
        [only] => format!("Log group {only} is"),
        [first, second] => format!("Log groups {first} and {second} are"),
        [first, second, more @ ..] => format!("Log groups {first}, {second} and {} more are", more.len()),
        [] => String::new(),
    }
}

fn uppercase(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
