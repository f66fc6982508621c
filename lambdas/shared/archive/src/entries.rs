//! Expands the entries of a run's input to log groups.

use std::collections::BTreeMap;

use export_core::{
    ErrorName, ExportError, LogGroupName,
    decide::LogGroup,
    entry::{Entry, Selector},
    input::{RunInput, best_entries},
    planner::Group,
    warning::Warning,
};

use crate::Archive;

impl Archive {
    /// The log groups that the entries of an input match now, and a warning for each entry that matches nothing.
    pub async fn expand(&self, input: &RunInput) -> Result<(Vec<Group>, Vec<Warning>), ExportError> {
        expand(self, input, std::iter::empty()).await
    }
}

/// The log groups of the input, in the order of their names, and a warning for each entry that matches nothing. `seen`: the log groups of
/// earlier runs. An entry also matches those that do not exist any more.
pub async fn expand<'a>(
    archive: &Archive,
    input: &RunInput,
    seen: impl Iterator<Item = &'a LogGroupName>,
) -> Result<(Vec<Group>, Vec<Warning>), ExportError> {
    let mut known: BTreeMap<LogGroupName, LogGroup> = BTreeMap::new();
    for prefix in shortest_prefixes(&input.entries) {
        known.extend(archive.log_groups(prefix).await?);
    }
    let named = input.entries.iter().filter_map(|entry| match &entry.selector {
        Selector::Name(name) if !known.contains_key(name) => Some(name.clone()),
        _ => None,
    });
    let named: Vec<LogGroupName> = named.collect();
    known.extend(archive.named_log_groups(&named).await?);

    let mut groups = Vec::new();
    let unmatched = input.entries.iter().filter(|entry| !known.keys().any(|name| entry.rank(name).is_some()));
    let warnings = unmatched.filter_map(Warning::entry_matches_nothing).collect();
    for name in seen {
        // If the log group existed, the listing of a prefix entry would have found it.
        if !known.contains_key(name) && input.entries.iter().any(|entry| entry.rank(name).is_some()) {
            known.insert(name.clone(), LogGroup::Gone);
        }
    }
    for (name, log_group) in known {
        for entry in best_entries(&input.entries, &name) {
            let source = entry.source(name.clone(), &input.bucket, &input.s3_prefix);
            let place = source.place(&archive.stack).map_err(|problem| {
                ExportError::new(ErrorName::InvalidInput, format!("logGroups matches {:?}: {problem}", name.as_str()))
            })?;
            groups.push(Group { source, place, log_group: log_group.clone() });
        }
    }
    Ok((groups, warnings))
}

/// The prefixes that include all others, so that no log group is listed twice.
fn shortest_prefixes(entries: &[Entry]) -> Vec<&LogGroupName> {
    let mut prefixes: Vec<&LogGroupName> = entries
        .iter()
        .filter_map(|entry| match &entry.selector {
            Selector::Prefix { log_group_name_prefix, .. } => Some(log_group_name_prefix),
            Selector::Name(_) => None,
        })
        .collect();
    prefixes.sort_unstable();
    prefixes.dedup_by(|longer, shorter| longer.as_str().starts_with(shorter.as_str()));
    prefixes
}
