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
    commands::status::matrix::{Matrix, Range},
    commands::status::survey::Survey,
    events::{
        exported::{self, Unread, folder_name},
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
    /// What was exported, and what to take of it.
    exported: Window,
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
                return (log_group, Ok(Read::Whole));
            }
            let read = read_object(&s3, &request, &sorter, object).await;
            is_over[log_group].fetch_or(read.is_err(), Relaxed);
            (log_group, read)
        })
    };
    let mut read = stream::iter(objects).map(read).buffer_unordered(READERS);
    let mut frozen: BTreeMap<usize, u64> = BTreeMap::new();
    while let Some(joined) = read.next().await {
        match joined.expect("a reader does not panic") {
            (_, Ok(Read::Whole)) => {}
            (_, Ok(Read::InPart(problem))) => found.findings.push(problem),
            (log_group, Ok(Read::Frozen)) => *frozen.entry(log_group).or_default() += 1,
            (_, Err(failure @ Failure::Local(_))) => return Err(failure),
            (log_group, Err(failure)) if failed.insert(log_group) => found.failures.push(failure.of_log_group(&names[log_group])),
            _ => {}
        }
    }
    found.findings.extend(frozen.into_iter().map(|(log_group, count)| {
        let name = &names[log_group];
        format!(
            "{name}: {count} objects are in an archive of S3. Restore them from S3 Glacier, then repeat the command: see docs/reading.md."
        )
    }));
    Ok(found)
}

enum Read {
    Whole,
    /// With what is wrong with the object.
    InPart(String),
    /// In a storage class from which it has to be restored.
    Frozen,
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
    if request.log_groups.iter().any(|pattern| is_glob(pattern)) {
        for name in known(archive, request.period, &globs, found).await? {
            log_groups.entry(name).or_default();
        }
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

/// The log groups that a glob can mean: also those whose months are not archived.
async fn known(archive: &Archive, period: Window, globs: &Globs, found: &mut Found) -> Result<Vec<LogGroupName>, Failure> {
    let now = Utc::now();
    let month = |at: Millis| Some(Month::at(at.instant().unwrap_or(now).min(now), archive.stack.timezone));
    let (from, to) = (month(period.from), month(period.to));
    let survey = Survey::of(archive, from, to, now).await?;
    found.findings.extend(survey.unreadable.iter().map(|failure| format!("{}: {}", failure.error, failure.message)));
    let matrix = Matrix::of(&survey, &archive.stack, &Range { from, to, wants: &|name| globs.matches(name) }, now);
    Ok(matrix.rows.into_iter().filter(|(_, cells)| !cells.is_empty()).map(|(name, _)| name).collect())
}

/// A manifest lies in the month that its window was planned for. The archive's time zone may have been another then.
async fn keys(archive: &Archive, period: Window) -> Result<Vec<ManifestKey>, Failure> {
    // No window ends in the future.
    let past = Window { to: period.to.min(Millis::of(Utc::now())), ..period };
    let months: Vec<Month> = Month::split_window(past, archive.stack.timezone).into_iter().map(|(month, _)| month).collect();
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
        objects.push(Object {
            log_group: index,
            bucket,
            key: listed.key.clone(),
            stream,
            part,
            exported: archived.manifest.window(),
            windows,
        });
    }
    objects
}

async fn read_object(s3: &aws_sdk_s3::Client, request: &Request, sorter: &Sorter, object: Object) -> Result<Read, Failure> {
    let Object { bucket, key, stream, part, exported, windows, .. } = object;
    let takes_all = request.filter.has_context();
    let (mut batch, mut records, mut without_time) = (sorter.take_batch(), 0_u64, 0_u64);
    let read = exported::records(s3, &bucket, &key, Some(exported), |record: Record| {
        records += 1;
        let Some(at) = record.at else {
            without_time += 1;
            return;
        };
        let (is_inside, message) = (windows.iter().any(|window| window.includes(at)), record.exported_message());
        if is_inside && (takes_all || request.filter.matches(message)) {
            sorter.push(&mut batch, Place { at, stream, position: part << RECORDS | records }, message);
        }
    });
    let read = read.await;
    sorter.give_back(batch)?;
    Ok(match read? {
        Err(Unread::Damaged(problem)) => Read::InPart(format!(
            "{problem}\nIts other events are in the answer. Restore it from its versions, or start a run. See docs/operations.md."
        )),
        Err(Unread::Frozen(_)) => Read::Frozen,
        Ok(()) if without_time > 0 => Read::InPart(format!("object {key} begins with text that has no time: it is no event of the answer")),
        Ok(()) => Read::Whole,
    })
}
