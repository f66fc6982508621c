//! What the archive's objects hold, against what the samples say that they must.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use super::{Evidence, Landed, Place};
use crate::archive::{record, records};
use crate::samples::SampleLogs;

/// Enough to see what is wrong.
const SHOWN: usize = 3;
const SHOWN_CHARACTERS: usize = 100;

/// Compares one log group's records, folder by folder, and tells where they landed.
pub(super) fn check(samples: &SampleLogs, place: &Place<'_>, bucket: &str, problems: &mut Vec<String>) -> Result<Landed> {
    let expected = expected(samples, place)?;
    let mut found: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut landed = Landed {
        log_group_name: place.group.name.clone(),
        uri: format!("s3://{bucket}/{}/", place.prefix),
        objects: 0,
        bytes: 0,
        events: 0,
    };
    for (folder, object) in place.data() {
        match object.gunzip() {
            Ok(text) => found.entry(folder).or_default().extend(text),
            Err(error) => problems.push(format!("{}: {error:#}", object.key)),
        }
        landed.objects += 1;
        landed.bytes += object.body.len();
    }

    let none = Vec::new();
    let mut folders: Vec<&str> = expected.keys().map(String::as_str).chain(found.keys().copied()).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        let (expected, found) = (expected.get(folder).unwrap_or(&none), found.get(folder).unwrap_or(&none));
        landed.events += records(found).len();
        let differences = differences(expected, found);
        if !differences.is_empty() {
            problems.push(format!("{}, log stream folder {folder:?}: {differences}", place.group.name));
        }
    }
    Ok(landed)
}

/// The text of the month's events by the folder that their stream goes to.
fn expected(samples: &SampleLogs, place: &Place<'_>) -> Result<BTreeMap<String, Vec<u8>>> {
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

/// The keys of the bucket that have no business there. Those below `rows` are another check's.
pub(super) fn strays(places: &[Place<'_>], rows: &str, evidence: &Evidence) -> Vec<String> {
    let belongs = |key: &str| {
        places.iter().any(|place| {
            let rest = key.strip_prefix(&place.prefix).and_then(|rest| rest.strip_prefix('/'));
            let of_a_task = matches!(rest, Some("_manifest.json" | "aws-logs-write-test")) && !place.tasks.is_empty();
            of_a_task || place.data().any(|(_, object)| object.key == key)
        })
    };
    evidence
        .objects
        .iter()
        .filter(|object| !belongs(&object.key) && !object.key.starts_with(rows))
        .map(|object| format!("s3://{}/{}: expected nothing here, found {} bytes", evidence.bucket, object.key, object.body.len()))
        .collect()
}
