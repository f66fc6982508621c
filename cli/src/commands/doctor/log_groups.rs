//! Checks the log groups of the schedule's list: log classes, retention, destinations, and entries that match nothing or overlap.

use std::collections::BTreeMap;

use export_core::{
    StreamPrefix,
    decide::{LogGroup, NOT_EXPORTABLE},
    entry::{Entry, Selector},
    input::{RunInput, best_entries},
    planner::Group,
    schedule::{entries, meaning},
    warning::WarningName,
};
use serde_json::{Value, json};

use super::{
    finding::{Call, FindingName, Findings},
    fix,
};
use crate::{
    context::Context,
    failure::Failure,
    schedule::{Schedule, repeated_index},
    shell::quoted,
    stack::DeployedStack,
};

/// The shortest retention that keeps each month until its export, with some weeks to repair a failed export.
const RECOMMENDED_DAYS: i32 = 60;
const MAX_MONTH_DAYS: i32 = 31;

/// Returns the log groups. `None`: they are unknown.
pub async fn check(
    context: &Context,
    stack: &DeployedStack,
    schedule: &Schedule,
    input: RunInput,
    findings: &mut Findings,
) -> Result<Option<Vec<Group>>, Failure> {
    let list = EntryList::new(stack, schedule, input);
    list.check_repeated(findings);
    let (groups, warnings) = match context.archive(stack).expand(&list.input).await {
        Ok(expanded) => expanded,
        Err(error) if error.name == export_core::ErrorName::AccessDenied => {
            let settings = &stack.settings;
            let arn = format!("arn:{}:logs:{}:{}:log-group:*", settings.partition, settings.region, settings.account);
            let call = Call { operation: "DescribeLogGroups", action: "logs:DescribeLogGroups", resource: &arn, absent: &[] };
            let failure = export_core::service::ServiceFailure {
                operation: call.operation,
                code: Some("AccessDeniedException".to_owned()),
                message: error.message,
                status: Some(400),
            };
            findings.answer_of_failure::<()>(call, &failure)?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    for warning in warnings.into_iter().filter(|warning| warning.name == WarningName::EntryMatchesNothing) {
        list.report_unmatched(&warning.message, findings);
    }
    list.check_absent_or_not_exportable(&groups, findings);
    list.check_retentions(&groups, findings);
    list.check_archived_twice(&groups, findings);
    list.check_nested_destinations(&groups, findings);
    Ok(Some(groups))
}

struct EntryList<'a> {
    schedule: &'a Schedule,
    /// The entries as JSON, including repeated ones.
    entries: Vec<Value>,
    /// The parsed entries, without repeated ones.
    input: RunInput,
    /// The position of each parsed entry in `entries`.
    positions: Vec<usize>,
}

impl<'a> EntryList<'a> {
    fn new(stack: &DeployedStack, schedule: &'a Schedule, input: RunInput) -> Self {
        let entries = entries(schedule.input());
        let mut positions = Vec::new();
        for (position, value) in entries.iter().enumerate() {
            let parsed = meaning(value, &stack.settings);
            if parsed.is_ok_and(|parsed| input.entries.get(positions.len()) == parsed.first()) {
                positions.push(position);
            }
        }
        Self { schedule, entries, input, positions }
    }

    /// Removes an entry by its value, because other commands may change its position. A run needs an entry, so a person has to name
    /// another one before the only entry is removed.
    fn remove_command(&self, position: usize) -> String {
        let entry = &self.entries[position];
        if self.entries.iter().all(|other| other == entry) {
            let entry = entry.as_str().map_or_else(|| entry.to_string(), str::to_owned);
            return format!("logs-archive groups add --yes NAME && logs-archive groups remove --yes {}", quoted(&entry));
        }
        let keep = r#"if . == [] then error("the list needs an entry") else . end"#;
        fix::edit_input(self.schedule, &format!(".logGroups |= (map(select(. != {entry})) | {keep})"))
    }

    fn edit_command(&self, position: usize, edit: &str) -> String {
        fix::edit_input(self.schedule, &format!("(.logGroups[] | select(. == {})) |= {edit}", self.entries[position]))
    }

    fn position_of(&self, entry: &Entry) -> usize {
        let index = self.input.entries.iter().position(|parsed| std::ptr::eq(parsed, entry));
        index.and_then(|index| self.positions.get(index).copied()).unwrap_or_default()
    }

    fn check_repeated(&self, findings: &mut Findings) {
        for warning in &self.input.warnings {
            let Some(position) = repeated_index(warning) else { continue };
            let value = &self.entries[position];
            let fix = match self.entries[..position].contains(value) {
                true => {
                    let keep_first = "reduce .[] as $entry ([]; if any(.[]; . == $entry) then . else . + [$entry] end)";
                    fix::edit_input(self.schedule, &format!(".logGroups |= {keep_first}"))
                }
                false => self.remove_command(position),
            };
            findings.add(FindingName::EntryRepeated, value.to_string(), format!("{}.", warning.message), fix);
        }
    }

    fn report_unmatched(&self, message: &str, findings: &mut Findings) {
        let is_named = |entry: &&Entry| match &entry.selector {
            Selector::Prefix { log_group_name_prefix: prefix, .. } => message.contains(&format!(" {prefix}*")),
            Selector::Name(_) => false,
        };
        let Some(entry) = self.input.entries.iter().find(is_named) else { return };
        let position = self.position_of(entry);
        findings.add(
            FindingName::EntryMatchesNothing,
            self.entries[position].to_string(),
            format!("{}.", uppercase(message)),
            self.remove_command(position),
        );
    }

    /// Reports each named log group, and each entry with a prefix.
    fn check_absent_or_not_exportable(&self, groups: &[Group], findings: &mut Findings) {
        let mut matched: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for group in groups {
            let name = &group.place.log_group;
            let (finding, what) = match group.log_group {
                LogGroup::Present { is_exportable: false, .. } => (FindingName::LogClassNotExportable, NOT_EXPORTABLE),
                LogGroup::Present { .. } => continue,
                LogGroup::Absent | LogGroup::Gone => (FindingName::EntryMatchesNothing, "does not exist"),
            };
            for entry in best_entries(&self.input.entries, name) {
                let position = self.position_of(entry);
                match entry.selector {
                    Selector::Name(_) => {
                        findings.add(finding, name.as_str(), format!("Log group {name} {what}."), self.remove_command(position))
                    }
                    Selector::Prefix { .. } => matched.entry(position).or_default().push(name.as_str()),
                }
            }
        }
        for (position, mut names) in matched {
            names.dedup();
            let what = format!("{} not of the class Standard.", log_groups_are(&names));
            let fix = self.edit_command(position, &format!("(.exclude += {})", json!(names)));
            findings.add(FindingName::LogClassNotExportable, self.entries[position].to_string(), what, fix);
        }
    }

    /// Reports each number of days once.
    fn check_retentions(&self, groups: &[Group], findings: &mut Findings) {
        let mut short: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
        for group in groups {
            if let LogGroup::Present { retention_in_days: Some(days), is_exportable: true, .. } = group.log_group
                && days < RECOMMENDED_DAYS
            {
                short.entry(days).or_default().push(group.place.log_group.as_str());
            }
        }
        let needed = MAX_MONTH_DAYS + 1 + i32::from(self.input.settle_days.days());
        for (days, mut names) in short {
            names.dedup();
            let what = format!(
                "{} set to a retention of {days} days, and the export of a month reads events of the last {needed} days.",
                log_groups_are(&names)
            );
            let put = |name: &str| format!("aws logs put-retention-policy --log-group-name {name} --retention-in-days {RECOMMENDED_DAYS}");
            let fix = match &names[..] {
                [only] => put(&quoted(only)),
                all => {
                    let words: Vec<String> = all.iter().map(|name| quoted(name)).collect();
                    format!("for name in {}; do {}; done", words.join(" "), put("\"$name\""))
                }
            };
            findings.add(FindingName::RetentionLosesEvents, names[0], what, fix);
        }
    }

    /// Reports log groups whose log streams are matched by two entries of the same rank.
    fn check_archived_twice(&self, groups: &[Group], findings: &mut Findings) {
        let mut pairs: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
        for group in groups.chunk_by(|one, other| one.place.log_group == other.place.log_group) {
            let name = &group[0].place.log_group;
            let entries = best_entries(&self.input.entries, name);
            for (index, second) in entries.iter().enumerate() {
                if let Some(first) = entries[..index].iter().find(|first| share_streams(first, second)) {
                    pairs.entry((self.position_of(first), self.position_of(second))).or_default().push(name.as_str());
                }
            }
        }
        for ((first, second), names) in pairs {
            let what = format!("{} matched by both logGroups[{first}] and logGroups[{second}].", log_groups_are(&names));
            findings.add(FindingName::LogGroupArchivedTwice, self.entries[second].to_string(), what, self.remove_command(second));
        }
    }

    /// Reports a destination inside the destination of another log group.
    fn check_nested_destinations(&self, groups: &[Group], findings: &mut Findings) {
        let mut sorted: Vec<(String, &Group)> =
            groups.iter().map(|group| (format!("{}/", group.place.destination.as_str()), group)).collect();
        sorted.sort_by(|one, other| one.0.cmp(&other.0));
        let mut outer: Option<&(String, &Group)> = None;
        let mut reported = Vec::new();
        for inner in &sorted {
            match outer {
                Some(outer) if inner.0.starts_with(&outer.0) && outer.1.place.log_group != inner.1.place.log_group => {
                    let Some(entry) = best_entries(&self.input.entries, &inner.1.place.log_group).into_iter().find(|entry| {
                        entry.destination_template == inner.1.source.destination_template
                            && entry.s3_prefix.as_ref().is_none_or(|prefix| *prefix == inner.1.source.s3_prefix)
                    }) else {
                        continue;
                    };
                    let index = self.position_of(entry);
                    if reported.contains(&index) {
                        continue;
                    }
                    reported.push(index);
                    let (one, other) = (&outer.1.place, &inner.1.place);
                    let what = format!(
                        "{} is archived to {}, inside {} of {}. The command gives it the archive's own layout.",
                        other.log_group,
                        other.destination.as_str(),
                        one.destination.as_str(),
                        one.log_group
                    );
                    let edit = self.edit_command(index, "del(.destinationPrefix, .s3Prefix)");
                    findings.add(FindingName::DestinationsNest, self.entries[index].to_string(), what, edit);
                }
                Some(outer) if inner.0.starts_with(&outer.0) => {}
                _ => outer = Some(inner),
            }
        }
    }
}

/// Whether a log stream can belong to both entries.
fn share_streams(one: &Entry, other: &Entry) -> bool {
    let (one, other) = (one.log_stream_name_prefix.as_ref(), other.log_stream_name_prefix.as_ref());
    StreamPrefix::includes(one, other) || StreamPrefix::includes(other, one)
}

/// The subject and the verb of a sentence. It names two log groups at most.
fn log_groups_are(names: &[&str]) -> String {
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
