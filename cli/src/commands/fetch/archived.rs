//! Reads the events of the archive: the manifests of a period, then the records of their objects.

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
        ReadSummary, Request,
        coverage::{self, ArchivedWindow, FolderRead},
    },
    commands::status::matrix::{Matrix, Range},
    commands::status::survey::Survey,
    events::{
        exported::{self, ObjectProblem, folder_name},
        manifests::read_manifests,
        records::Record,
        sorter::{Position, Sorter, StreamName},
    },
    failure::Failure,
    globs::{Globs, is_glob, parse_name},
};

/// How many objects are read at a time.
const OBJECT_CONCURRENCY: usize = 8;
/// How many folders are listed at a time.
const LISTING_CONCURRENCY: usize = 16;
/// How many bits of an index number the records of an object. The other bits number the objects of a log stream.
const RECORD_BITS: u32 = 40;

struct Object {
    /// The index of the log group.
    log_group: usize,
    bucket: Arc<str>,
    key: String,
    stream: u32,
    /// The number of the object in its log stream.
    part: u64,
    /// The window of the export.
    exported: Window,
    /// The windows whose events to print.
    windows: Arc<[Window]>,
}

pub async fn read_events(archive: &Archive, request: &Arc<Request>, sorter: &Arc<Sorter>) -> Result<ReadSummary, Failure> {
    let mut summary = ReadSummary::default();
    let log_groups = log_groups(archive, request, &mut summary).await?;
    summary.log_groups = log_groups.len();
    let names: Vec<LogGroupName> = log_groups.keys().cloned().collect();
    let (mut objects, mut failed) = (Vec::new(), HashSet::new());
    let listed = log_groups.into_iter().map(async |(log_group, manifests)| (list_folders(archive, request, manifests).await, log_group));
    let mut listed = stream::iter(listed).buffered(LISTING_CONCURRENCY).enumerate();
    while let Some((index, (archived, log_group))) = listed.next().await {
        match archived {
            Ok(archived) => {
                summary.findings.extend(findings(request, &log_group, &archived));
                for FolderRead { index: folder, windows } in coverage::plan_reads(request.period, request.stream.as_ref(), &archived) {
                    objects.extend(objects_of(request, sorter, (index, &log_group), &archived[folder], windows.into()));
                }
            }
            Err(failure) => {
                failed.insert(index);
                summary.failures.push(failure.with_log_group(&log_group));
            }
        }
    }

    // Once AWS has refused an object of a log group, its other objects are not requested.
    let has_failed: Arc<[AtomicBool]> = (0..summary.log_groups).map(|_| AtomicBool::new(false)).collect();
    let read = |object: Object| {
        let (s3, request, sorter, has_failed) = (archive.s3.clone(), Arc::clone(request), Arc::clone(sorter), Arc::clone(&has_failed));
        tokio::spawn(async move {
            let log_group = object.log_group;
            if has_failed[log_group].load(Relaxed) {
                return (log_group, Ok(ObjectRead::Complete));
            }
            let read = read_object(&s3, &request, &sorter, object).await;
            has_failed[log_group].fetch_or(read.is_err(), Relaxed);
            (log_group, read)
        })
    };
    let mut read = stream::iter(objects).map(read).buffer_unordered(OBJECT_CONCURRENCY);
    let mut frozen: BTreeMap<usize, u64> = BTreeMap::new();
    while let Some(joined) = read.next().await {
        match joined.expect("a reader does not panic") {
            (_, Ok(ObjectRead::Complete)) => {}
            (_, Ok(ObjectRead::Incomplete(problem))) => summary.findings.push(problem),
            (log_group, Ok(ObjectRead::Frozen)) => *frozen.entry(log_group).or_default() += 1,
            (_, Err(failure @ Failure::Local(_))) => return Err(failure),
            (log_group, Err(failure)) if failed.insert(log_group) => summary.failures.push(failure.with_log_group(&names[log_group])),
            _ => {}
        }
    }
    summary.findings.extend(frozen.into_iter().map(|(log_group, count)| {
        let name = &names[log_group];
        format!(
            "{name}: {count} objects are in an archive storage class of S3. Restore them, then repeat the command: see docs/reading.md."
        )
    }));
    Ok(summary)
}

enum ObjectRead {
    Complete,
    /// The message describes the problem of the object.
    Incomplete(String),
    /// The object has to be restored from its storage class first.
    Frozen,
}

/// The log groups that match the request, with the manifests of the period.
async fn log_groups(
    archive: &Archive,
    request: &Request,
    summary: &mut ReadSummary,
) -> Result<BTreeMap<LogGroupName, Vec<(ManifestKey, Manifest)>>, Failure> {
    let globs = Globs::new(&request.log_groups);
    let mut log_groups: BTreeMap<LogGroupName, Vec<_>> = BTreeMap::new();
    let keys = match request.log_groups.iter().any(|pattern| is_glob(pattern)) {
        true => {
            let (keys, names) = survey(archive, request.period, &globs, summary).await?;
            log_groups.extend(names.into_iter().map(|name| (name, Vec::new())));
            keys
        }
        false => list_manifests(archive, request.period).await?,
    };
    let keys = keys.into_iter().filter(|key| key.window.overlaps(request.period)).collect();
    let manifests = read_manifests(archive, keys, &globs).await?;
    if manifests.has_invalid {
        summary.findings.push("a manifest of the period is not valid: see the warning above".to_owned());
    }
    for (key, manifest) in manifests.valid {
        log_groups.entry(manifest.log_group.clone()).or_default().push((key, manifest));
    }
    let names: Vec<&LogGroupName> = log_groups.keys().collect();
    for pattern in globs.unmatched(&names) {
        if is_glob(pattern) {
            summary.findings.push(format!("no log group of the archive matches {pattern} in the period: see `logs-archive status`"));
        } else {
            log_groups.insert(parse_name(pattern)?, Vec::new());
        }
    }
    Ok(log_groups)
}

/// The manifests of a period, and the log groups that a glob matches. Months that are not archived count, too.
async fn survey(
    archive: &Archive,
    period: Window,
    globs: &Globs<'_>,
    summary: &mut ReadSummary,
) -> Result<(Vec<ManifestKey>, Vec<LogGroupName>), Failure> {
    let now = Utc::now();
    let month = |at: Millis| Some(Month::at(at.instant().unwrap_or(now).min(now), archive.stack.timezone));
    let (from, to) = (month(period.from), month(period.to));
    let survey = Survey::read(archive, from, to, now).await?;
    summary.findings.extend(survey.unreadable.iter().map(|failure| format!("{}: {}", failure.error, failure.message)));
    let matrix = Matrix::new(&survey, &archive.stack, &Range { from, to, globs }, now);
    let names = matrix.rows.into_iter().filter(|(_, cells)| !cells.is_empty()).map(|(name, _)| name).collect();
    Ok((survey.keys, names))
}

/// Lists the manifests of a period and of the months around it. A manifest lies in the month of its window, perhaps in another time zone.
async fn list_manifests(archive: &Archive, period: Window) -> Result<Vec<ManifestKey>, Failure> {
    // No window ends in the future.
    let past = Window { to: period.to.min(Millis::of(Utc::now())), ..period };
    let months = Month::split_window(past, archive.stack.timezone).into_iter();
    let months: BTreeSet<Month> = months.flat_map(|(month, _)| [month.previous(), month, month.next()]).collect();
    let listed = stream::iter(months).map(|month| archive.manifests_of_month(month)).buffered(LISTING_CONCURRENCY);
    let keys: Vec<Vec<ManifestKey>> = listed.try_collect().await?;
    Ok(keys.concat())
}

async fn list_folders(
    archive: &Archive,
    request: &Request,
    manifests: Vec<(ManifestKey, Manifest)>,
) -> Result<Vec<ArchivedWindow>, Failure> {
    let mut archived = Vec::new();
    for (key, manifest) in manifests {
        if coverage::can_contain(&manifest, request.stream.as_ref()) {
            let folder = exported::list_task_folder(archive, &key, &manifest).await?;
            archived.push(ArchivedWindow { manifest, folder });
        }
    }
    Ok(archived)
}

/// The parts of the period that the archive does not have of a log group.
fn findings(request: &Request, log_group: &LogGroupName, archived: &[ArchivedWindow]) -> Vec<String> {
    let (period, stream) = (request.period, request.stream.as_ref());
    let problems = archived.iter().flat_map(|archived| &archived.folder.problems);
    let mut findings: Vec<String> = problems
        .map(|problem| format!("{log_group}: {problem}\nRestore the objects from their versions, or start a run. See docs/operations.md."))
        .collect();
    findings.extend(coverage::lost_parts(log_group, period, stream, archived, request.timezone));
    findings.extend(coverage::not_archived(period, stream, archived).into_iter().map(|window| {
        let between = coverage::format_period(window, request.timezone);
        format!("{log_group}: not archived {between}. To read it from CloudWatch Logs:\n  {}", request.source_command(log_group, window))
    }));
    findings
}

fn objects_of(
    request: &Request,
    sorter: &Sorter,
    (index, log_group): (usize, &LogGroupName),
    archived: &ArchivedWindow,
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
        // A listing has the objects of a folder next to each other, in the order of their numbers.
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

async fn read_object(s3: &aws_sdk_s3::Client, request: &Request, sorter: &Sorter, object: Object) -> Result<ObjectRead, Failure> {
    let Object { bucket, key, stream, part, exported, windows, .. } = object;
    let has_context = request.filter.has_context();
    let (mut batch, mut records, mut without_time) = (sorter.take_batch(), 0_u64, 0_u64);
    let read = exported::read_records(s3, &bucket, &key, Some(exported), |record: Record| {
        records += 1;
        let Some(at) = record.at else {
            without_time += 1;
            return;
        };
        let (is_inside, message) = (windows.iter().any(|window| window.includes(at)), record.exported_message());
        if is_inside && (has_context || request.filter.matches(message)) {
            sorter.push(&mut batch, Position { at, stream, index: part << RECORD_BITS | records }, message);
        }
    });
    let read = read.await;
    sorter.give_back(batch)?;
    Ok(match read? {
        Err(ObjectProblem::Damaged(problem)) => ObjectRead::Incomplete(format!(
            "{problem}\nIts other events are in the result. Restore the object from its versions, or start a run. See docs/operations.md."
        )),
        Err(ObjectProblem::Frozen(_)) => ObjectRead::Frozen,
        Ok(()) if without_time > 0 => ObjectRead::Incomplete(format!(
            "object {key} begins with text without a time, which is not in the result: see docs/operations.md"
        )),
        Ok(()) => ObjectRead::Complete,
    })
}
