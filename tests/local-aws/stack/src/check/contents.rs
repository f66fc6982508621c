//! What the archive's objects hold, against what the samples say that they must.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;

use super::{Archived, Case, Evidence, ExpectedMonth};
use crate::samples::SampleLogs;
use crate::stored_objects::{StoredObject, record, records};

/// Enough to see what is wrong.
const SHOWN: usize = 3;
const SHOWN_CHARACTERS: usize = 100;

/// Compares one log group's records, folder by folder, and tells what is archived.
pub(super) fn check(samples: &SampleLogs, place: &ExpectedMonth<'_>, problems: &mut Vec<String>) -> Result<Archived> {
    let expected = expected(samples, place)?;
    let mut found: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let manifest = place.manifests.first().map(|(_, manifest)| manifest);
    let text = |field: &str| manifest.and_then(|manifest| manifest[field].as_str());
    let mut archived = Archived {
        log_group_name: place.group.name.clone(),
        outcome: [text("outcome"), text("reason")].into_iter().flatten().collect::<Vec<_>>().join(": "),
        folder: text("task_id").map(|task_id| format!("{}/{task_id}/", place.prefix)),
        ..Archived::default()
    };
    for (folder, object) in place.data() {
        match object.gunzip() {
            Ok(text) => found.entry(folder).or_default().extend(text),
            Err(error) => problems.push(format!("{}: {error:#}", object.key)),
        }
        archived.objects += 1;
        archived.bytes += object.body.len();
    }

    let none = Vec::new();
    let mut folders: Vec<&str> = expected.keys().map(String::as_str).chain(found.keys().copied()).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        let (expected, found) = (expected.get(folder).unwrap_or(&none), found.get(folder).unwrap_or(&none));
        archived.events += records(found).len();
        let differences = differences(expected, found);
        if !differences.is_empty() {
            problems.push(format!("{}, log stream folder {folder:?}: {differences}", place.group.name));
        }
    }
    Ok(archived)
}

/// The text of the month's events by the folder that their stream goes to.
fn expected(samples: &SampleLogs, place: &ExpectedMonth<'_>) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut folders: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for stream in &place.group.streams {
        for event in stream.events.iter().filter(|event| samples.window.contains(event.timestamp)) {
            folders.entry(stream.name.replace('/', "-")).or_default().extend(record(event)?);
        }
    }
    Ok(folders)
}

/// What differs between two texts when the order of their records does not count; empty where nothing does.
///
/// Both are cut into records by the same rule, so that a message which looks like two records is compared as two.
fn differences(expected: &[u8], found: &[u8]) -> String {
    let mut balance: HashMap<&[u8], i64> = HashMap::new();
    for record in records(expected) {
        *balance.entry(record).or_default() += 1;
    }
    for record in records(found) {
        *balance.entry(record).or_default() -= 1;
    }
    let mut parts = Vec::new();
    for (what, sign) in [("missing", 1), ("too many", -1)] {
        let mut records: Vec<&[u8]> = balance.iter().filter(|(_, count)| **count * sign > 0).map(|(record, _)| *record).collect();
        records.sort_unstable();
        let count: i64 = records.iter().map(|record| balance[record].abs()).sum();
        if count > 0 {
            let examples: Vec<String> = records.iter().take(SHOWN).map(|record| excerpt(record)).collect();
            parts.push(format!("{count} records {what}, such as {}", examples.join(", ")));
        }
    }
    if expected.len() != found.len() {
        parts.push(format!("expected {} bytes, found {}", expected.len(), found.len()));
    }
    parts.join("; ")
}

fn excerpt(record: &[u8]) -> String {
    let text = String::from_utf8_lossy(record);
    let short: String = text.chars().take(SHOWN_CHARACTERS).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("{short:?}{dots}")
}

/// The keys of the bucket that have no business there, and those that a run must not have changed. The month's manifests are another
/// check's.
pub(super) fn strays(case: &Case<'_>, places: &[ExpectedMonth<'_>]) -> Vec<String> {
    let Evidence { bucket, objects, output, .. } = case.evidence;
    let manifests = case.folder("manifests");
    let reports = format!("{}/runs/", case.s3_prefix);
    let is_report = |key: &str| key.starts_with(&reports) && output["report"]["key"] == key;
    let of_a_task = |place: &ExpectedMonth<'_>, object: &StoredObject| {
        let test = format!("{}/aws-logs-write-test", place.prefix);
        (object.key == test && place.task().is_some()) || place.data().any(|(_, data)| data.key == object.key)
    };
    // What lies in the folder of a task that is replaced stays there: nothing of the product deletes logs.
    let before = case.damaged.into_iter().flat_map(|damaged| damaged.before.objects.iter().filter(|object| **object != damaged.removed));
    let before: Vec<&StoredObject> = before.filter(|object| !object.key.starts_with(&manifests)).collect();
    let belongs = |object: &StoredObject| {
        object.key.starts_with(&manifests)
            || is_report(&object.key)
            || places.iter().any(|place| of_a_task(place, object))
            || before.iter().any(|before| before.key == object.key)
    };
    let place = |key: &str| format!("s3://{bucket}/{key}");
    let strays = objects.iter().filter(|object| !belongs(object));
    let strays = strays.map(|object| format!("{}: expected nothing here, found {} bytes", place(&object.key), object.body.len()));
    let changed = before.iter().filter(|before| !objects.contains(before));
    strays.chain(changed.map(|object| format!("{}: expected it as it was", place(&object.key)))).collect()
}

/// Athena answers with the log groups that have events in the month.
pub(super) fn counts(samples: &SampleLogs, evidence: &Evidence) -> Vec<String> {
    let expected = samples.groups.iter().map(|group| (group.name.as_str(), group.events_in(samples.window)));
    let expected: BTreeMap<&str, usize> = expected.filter(|(_, events)| *events > 0).collect();
    let found: BTreeMap<&str, usize> = evidence.athena_counts.iter().map(|(name, events)| (name.as_str(), *events)).collect();
    let names: BTreeSet<&str> = expected.keys().chain(found.keys()).copied().collect();
    let differing = names.into_iter().filter(|name| expected.get(name) != found.get(name));
    let told = |events: Option<&usize>| events.map_or("none".to_owned(), usize::to_string);
    differing.map(|name| format!("{name}: expected {}, found {}", told(expected.get(name)), told(found.get(name)))).collect()
}
