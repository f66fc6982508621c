//! The events of the archive: from the manifests of a period to the records of their objects.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use archive::Archive;
use chrono::Utc;
use export_core::{LogGroupName, Month, Window, manifest::Manifest, place::ManifestKey, time::Millis};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    commands::fetch::{
        Found, Request,
        coverage::{self, Archived, Piece},
    },
    events::{
        exported::{self, folder_name},
        manifests,
        records::Record,
        sorter::{Place, Sorter, StreamName},
    },
    failure::Failure,
    globs::{Globs, is_glob},
};

/// Objects that are read at a time.
const READERS: usize = 8;
/// Listings under way at a time.
const LISTINGS: usize = 16;
/// Bits of a position for the records of an object; the others tell the objects of a log stream apart.
const RECORDS: u32 = 40;

/// An object to read.
struct Object {
    /// Index of its log group.
    log_group: usize,
    bucket: Arc<str>,
    key: String,
    stream: u32,
    part: u64,
    /// What to take from it.
    windows: Arc<[Window]>,
}

pub async fn read(archive: &Archive, request: &Arc<Request>, sorter: &Arc<Sorter>) -> Result<Found, Failure> {
    let mut found = Found::default();
    let log_groups = log_groups(archive, request, &mut found).await?;
    found.log_groups = log_groups.len();
    let names: Vec<LogGroupName> = log_groups.keys().cloned().collect();
    let (mut objects, mut failed) = (Vec::new(), HashSet::new());
    let listed = log_groups.into_iter().map(async |(log_group, manifests)| (list(archive, request, manifests).await, log_group));
    let mut listed = stream::iter(listed).buffered(LISTINGS).enumerate();
    while let Some((index, (archived, log_group))) = listed.next().await {
        match archived {
            Ok(archived) => {
                found.findings.extend(findings(request, &log_group, &archived));
                for Piece { index: of, windows } in coverage::pieces(request.period, request.stream.as_ref(), &archived) {
                    objects.extend(objects_of(request, sorter, (index, &log_group), &archived[of], windows.into()));
                }
            }
            Err(failure) => {
                failed.insert(index);
                found.failures.push(failure.of_log_group(&log_group));
            }
        }
    }

    // Once AWS has refused an object of a log group, the others of it are not asked for.
    let is_over: Arc<[AtomicBool]> = (0..found.log_groups).map(|_| AtomicBool::new(false)).collect();
    let read = |object: Object| {
        let (s3, request, sorter, is_over) = (archive.s3.clone(), Arc::clone(request), Arc::clone(sorter), Arc::clone(&is_over));
        tokio::spawn(async move {
            let log_group = object.log_group;
            if is_over[log_group].load(Relaxed) {
                return (log_group, Ok(None));
            }
            let read = read_object(&s3, &request, &sorter, object).await;
            is_over[log_group].fetch_or(read.is_err(), Relaxed);
            (log_group, read)
        })
    };
    let mut read = stream::iter(objects).map(read).buffer_unordered(READERS);
    while let Some(joined) = read.next().await {
        match joined.expect("a reader does not panic") {
            (_, Ok(problem)) => found.findings.extend(problem),
            (_, Err(failure @ Failure::Local(_))) => return Err(failure),
            (log_group, Err(failure)) if failed.insert(log_group) => found.failures.push(failure.of_log_group(&names[log_group])),
            _ => {}
        }
    }
    Ok(found)
}

/// The log groups that are asked for, with the manifests of the period.
async fn log_groups(
    archive: &Archive,
    request: &Request,
    found: &mut Found,
) -> Result<BTreeMap<LogGroupName, Vec<(ManifestKey, Manifest)>>, Failure> {
    let globs = Globs::new(&request.log_groups);
    let (manifests, are_wrong) = manifests::read(archive, keys(archive, request.period).await?, &globs).await?;
    if are_wrong {
        found.findings.push("a manifest of the period is wrong: see the warning above".to_owned());
    }
    let mut log_groups: BTreeMap<LogGroupName, Vec<_>> = BTreeMap::new();
    for (key, manifest) in manifests {
        log_groups.entry(manifest.log_group.clone()).or_default().push((key, manifest));
    }
    let names: Vec<&LogGroupName> = log_groups.keys().collect();
    let missing: Vec<&str> = globs.without_match(&request.log_groups, &names);
    for pattern in missing {
        if is_glob(pattern) {
            found.findings.push(format!("no log group of the archive matches {pattern} in the period: see `logs-archive status`"));
        } else {
            let name = LogGroupName::parse(pattern).map_err(|fix| Failure::Usage(format!("{pattern:?} is no log group: {fix}")))?;
            log_groups.insert(name, Vec::new());
        }
    }
    Ok(log_groups)
}

/// A manifest lies in the month that its window was planned for. The archive's time zone may have been another then.
async fn keys(archive: &Archive, period: Window) -> Result<Vec<ManifestKey>, Failure> {
    // No window ends in the future.
    let past = Window { to: period.to.min(Millis::of(Utc::now())), ..period };
    let months: Vec<Month> = Month::parts_of(past, archive.stack.timezone).into_iter().map(|(month, _)| month).collect();
    let months: BTreeSet<Month> = months.iter().flat_map(|month| [month.previous(), *month, month.next()]).collect();
    let listed = stream::iter(months).map(|month| archive.manifests_of_month(month)).buffered(LISTINGS);
    let keys: Vec<Vec<ManifestKey>> = listed.try_collect().await?;
    Ok(keys.into_iter().flatten().filter(|key| key.window.overlaps(period)).collect())
}

/// With the folders of their tasks.
async fn list(archive: &Archive, request: &Request, manifests: Vec<(ManifestKey, Manifest)>) -> Result<Vec<Archived>, Failure> {
    let mut archived = Vec::new();
    for (key, manifest) in manifests {
        if coverage::is_asked(&manifest, request.stream.as_ref()) {
            let folder = exported::list(archive, &key, &manifest).await?;
            archived.push(Archived { manifest, folder });
        }
    }
    Ok(archived)
}

/// What the archive does not have of a log group, in words.
fn findings(request: &Request, log_group: &LogGroupName, archived: &[Archived]) -> Vec<String> {
    let (period, stream) = (request.period, request.stream.as_ref());
    let problems = archived.iter().flat_map(|archived| &archived.folder.problems);
    let mut findings: Vec<String> = problems
        .map(|problem| format!("{log_group}: {problem}\nRestore the objects from their versions, or start a run. See docs/operations.md."))
        .collect();
    findings.extend(coverage::gone(log_group, period, stream, archived, request.timezone));
    findings.extend(coverage::not_archived(period, stream, archived).into_iter().map(|window| {
        let between = coverage::between(window, request.timezone);
        format!("{log_group}: not archived {between}. To read it from CloudWatch Logs:\n  {}", request.source_command(log_group, window))
    }));
    findings
}

fn objects_of(
    request: &Request,
    sorter: &Sorter,
    (index, log_group): (usize, &LogGroupName),
    archived: &Archived,
    windows: Arc<[Window]>,
) -> Vec<Object> {
    let prefix = request.stream.as_ref().map(|prefix| folder_name(prefix.as_str())).unwrap_or_default();
    let bucket: Arc<str> = archived.manifest.bucket.as_str().into();
    let (mut objects, mut last) = (Vec::<Object>::new(), None);
    for listed in &archived.folder.objects {
        let folder = archived.folder.log_stream(&listed.key);
        if !folder.starts_with(&prefix) {
            continue;
        }
        // A listing has the objects of a folder together, in the order of their numbers.
        let part = match last.replace(folder) {
            Some(last) if last == folder => objects.last().map_or(0, |object| object.part + 1),
            _ => 0,
        };
        let name = || StreamName { log_group: log_group.to_string(), log_stream: folder.to_owned() };
        let stream = if part > 0 { objects.last().map(|object| object.stream) } else { None };
        let stream = stream.unwrap_or_else(|| sorter.streams.number(name()));
        let (bucket, windows) = (Arc::clone(&bucket), Arc::clone(&windows));
        objects.push(Object { log_group: index, bucket, key: listed.key.clone(), stream, part, windows });
    }
    objects
}

/// What is wrong with the object, if anything.
async fn read_object(s3: &aws_sdk_s3::Client, request: &Request, sorter: &Sorter, object: Object) -> Result<Option<String>, Failure> {
    let Object { bucket, key, stream, part, windows, .. } = object;
    let takes_all = request.filter.has_context();
    let (mut batch, mut records, mut without_time) = (sorter.take_batch(), 0_u64, 0_u64);
    let read = exported::records(s3, &bucket, &key, |record: Record| {
        records += 1;
        let Some(at) = record.at else {
            without_time += 1;
            return;
        };
        let (is_inside, message) = (windows.iter().any(|window| window.from <= at && at <= window.to), record.exported_message());
        if is_inside && (takes_all || request.filter.matches(message)) {
            sorter.push(&mut batch, Place { at, stream, position: part << RECORDS | records }, message);
        }
    });
    let read = read.await;
    sorter.give_back(batch)?;
    Ok(match read? {
        Err(problem) => Some(format!(
            "{problem}\nIts other events are in the answer. Restore it from its versions, or start a run. See docs/operations.md."
        )),
        Ok(()) if without_time > 0 => Some(format!("object {key} begins with text that has no time: it is no event of the answer")),
        Ok(()) => None,
    })
}
