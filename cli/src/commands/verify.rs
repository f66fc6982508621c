//! `verify`: whether the archive has what CloudWatch Logs has, event for event.

pub mod comparison;

use std::collections::{BTreeSet, HashMap};

use archive::Archive;
use chrono::{DateTime, Utc};
use comfy_table::Table;
use export_core::{
    LogGroupName, Month, Window,
    manifest::{Manifest, Outcome},
    place::ManifestKey,
    time::Millis,
};
use serde::Serialize;

use crate::{
    Verdict,
    arguments::{Format, Verify},
    commands::status::matrix::{Cell, Matrix, Range, State},
    commands::status::survey::Survey,
    commands::verify::comparison::{Comparison, Counts, Example, Subject},
    context::Context,
    events::manifests,
    failure::Failure,
    globs::Globs,
    output::{Output, note},
};

/// Then AWS refuses everything, and each further call would only take time.
const MOST_FAILURES_IN_A_ROW: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Verified {
    Same,
    Different,
    /// Not everything could be read.
    Incomplete,
    /// The archive is as its manifest states, and CloudWatch Logs has nothing left to compare it with.
    SourceExpired,
    /// Recorded as lost: the archive has what its manifest states.
    Lost,
    NotArchived,
}

impl Verified {
    fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Incomplete => "incomplete",
            Self::SourceExpired => "source expired",
            Self::Lost => "lost",
            Self::NotArchived => "not archived",
        }
    }

    fn is_finding(self) -> bool {
        matches!(self, Self::Different | Self::Incomplete | Self::NotArchived)
    }
}

/// One window, as `--output json` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    log_group: String,
    month: Month,
    from: Option<Millis>,
    to: Option<Millis>,
    result: Verified,
    objects: u64,
    bytes: u64,
    source_events: Option<u64>,
    archived_events: Option<u64>,
    #[serde(flatten)]
    counts: Counts,
    /// Events before this have expired in CloudWatch Logs, or may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_expired_before: Option<String>,
    streams: Vec<Stream>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stream {
    log_stream: String,
    source_events: u64,
    source_digest: String,
    archived_events: u64,
    archived_digest: String,
    #[serde(flatten)]
    counts: Counts,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Example>,
}

pub async fn run(context: &Context, arguments: &Verify) -> Result<Verdict, Failure> {
    let stack = context.stack().await?;
    let archive = context.archive(&stack);
    let now = Utc::now();
    if Millis::of(now) < Window::of(arguments.month, archive.stack.timezone).from {
        return Err(Failure::Usage(format!(
            "--month {} has not begun in {}: name an earlier one",
            arguments.month, archive.stack.timezone
        )));
    }
    let keys = archive.manifests_of_month(arguments.month).await?;
    let (manifests, are_wrong) = manifests::read(&archive, keys, &Globs::new(&arguments.log_groups)).await?;
    let log_groups = match arguments.offline {
        true => HashMap::new(),
        false => {
            let names: BTreeSet<LogGroupName> = manifests.iter().map(|(_, manifest)| manifest.log_group.clone()).collect();
            archive.named_log_groups(&names.into_iter().collect::<Vec<_>>()).await?
        }
    };
    let month = Some(arguments.month);
    let survey = Survey::of(&archive, month, month, now).await?;
    let mut rows = not_archived(arguments, &archive, &survey, &manifests, now);
    let bar = context.output.bar("{bar:20} {pos}/{len} {elapsed} {msg}");
    bar.set_length(manifests.len() as u64);
    let mut failures: Vec<Failure> = Vec::new();
    let mut in_a_row = 0;
    for (key, manifest) in &manifests {
        bar.set_message(manifest.log_group.to_string());
        let subject = Subject { archive: &archive, key, manifest, now };
        let (is_lost, is_compared) = (manifest.outcome == Outcome::Lost, !arguments.offline && manifest.outcome != Outcome::Lost);
        let compared = match log_groups.get(&manifest.log_group).filter(|_| is_compared) {
            _ if in_a_row == MOST_FAILURES_IN_A_ROW => Ok(Comparison::not_made("not compared, because AWS refused those before it".into())),
            Some(log_group) => subject.compare_events(log_group).await,
            None => subject.compare_objects().await,
        };
        let comparison = match compared {
            Ok(comparison) => {
                in_a_row = if in_a_row == MOST_FAILURES_IN_A_ROW { in_a_row } else { 0 };
                comparison
            }
            // It does not hide the others' answers.
            Err(failure) => {
                let comparison = Comparison::not_made(failure.to_string());
                failures.push(failure);
                in_a_row += 1;
                comparison
            }
        };
        rows.push(row(key, manifest, comparison, is_lost, is_compared));
        bar.inc(1);
    }
    bar.finish_and_clear();
    rows.sort_by(|one, other| (&one.log_group, one.from).cmp(&(&other.log_group, other.from)));
    print(&context.output, &rows)?;
    if rows.is_empty() {
        note(format_args!("The archive has no manifest of {}: see `logs-archive status` for what it has.", arguments.month));
    }
    let are_unknown = survey.warn_of_unreadable();
    advise(&rows);
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        // Where nothing is archived, nothing is proven.
        None if are_wrong || are_unknown || rows.is_empty() || rows.iter().any(|row| row.result.is_finding()) => Ok(Verdict::Finding),
        None => Ok(Verdict::Well),
    }
}

/// What should be there and is not, as `status` has it; and of the log groups that are named, those that nobody knows.
fn not_archived(
    arguments: &Verify,
    archive: &Archive,
    survey: &Survey,
    manifests: &[(ManifestKey, Manifest)],
    now: DateTime<Utc>,
) -> Vec<Row> {
    let (globs, month) = (Globs::new(&arguments.log_groups), Some(arguments.month));
    let matrix = Matrix::of(survey, &archive.stack, &Range { from: month, to: month, wants: &|name| globs.matches(name) }, now);
    let is_open = |cell: &&Cell| matches!(cell.state, State::CoveredInPart | State::Waiting | State::Failed | State::NotAsked);
    let open = matrix.cells().filter(is_open).map(|cell| {
        let state = std::iter::once(cell.state.name().to_owned());
        Row::not_archived(cell.log_group.to_string(), arguments.month, state.chain(cell.parts.iter().cloned()).collect())
    });
    let names: Vec<&LogGroupName> = manifests.iter().map(|(_, manifest)| &manifest.log_group).chain(matrix.rows.keys()).collect();
    let unknown = globs.without_match(&arguments.log_groups, &names);
    let unknown =
        unknown.into_iter().map(|name| Row::not_archived(name.to_owned(), arguments.month, vec!["no manifest of the month".into()]));
    open.chain(unknown).collect()
}

impl Row {
    fn not_archived(log_group: String, month: Month, problems: Vec<String>) -> Self {
        Self {
            log_group,
            month,
            from: None,
            to: None,
            result: Verified::NotArchived,
            objects: 0,
            bytes: 0,
            source_events: None,
            archived_events: None,
            counts: Counts::default(),
            source_expired_before: None,
            streams: Vec::new(),
            problems,
        }
    }
}

fn row(key: &ManifestKey, manifest: &Manifest, comparison: Comparison, is_lost: bool, is_compared: bool) -> Row {
    let counts = comparison.counts();
    let gone_before = comparison.gone_before.filter(|gone| *gone > manifest.window_from);
    let events = |of: fn(&comparison::StreamFolder) -> u64| is_compared.then(|| comparison.folders.values().map(of).sum());
    let source_events: Option<u64> = events(|folder| folder.source.events);
    let archived_events: Option<u64> = events(|folder| folder.archived.events);
    let result = if !comparison.problems.is_empty() || counts.differ() {
        Verified::Different
    } else if !comparison.incomplete.is_empty() {
        Verified::Incomplete
    } else if is_lost {
        Verified::Lost
    } else if source_events == Some(0) && gone_before.is_some_and(|gone| gone > manifest.window_to) {
        Verified::SourceExpired
    } else {
        Verified::Same
    };
    let streams = comparison.folders.into_iter().map(|(folder, found)| Stream {
        log_stream: if found.log_streams.is_empty() { folder } else { found.log_streams.into_iter().collect::<Vec<_>>().join(" and ") },
        source_events: found.source.events,
        source_digest: found.source.digest(),
        archived_events: found.archived.events,
        archived_digest: found.archived.digest(),
        counts: found.counts,
        differences: found.examples,
    });
    Row {
        log_group: manifest.log_group.to_string(),
        month: key.month,
        from: Some(manifest.window_from),
        to: Some(manifest.window_to),
        result,
        objects: comparison.objects,
        bytes: comparison.bytes,
        source_events,
        archived_events,
        counts,
        source_expired_before: gone_before.map(|gone| gone.min(Millis(manifest.window_to.0 + 1)).to_string()),
        streams: if is_compared { streams.collect() } else { Vec::new() },
        problems: [comparison.problems, comparison.incomplete].concat(),
    }
}

fn print(output: &Output, rows: &[Row]) -> Result<(), Failure> {
    if output.format == Format::Table && rows.is_empty() {
        return Ok(());
    }
    output.rows(rows, || table(output, rows))?;
    if output.format == Format::Table {
        for line in rows.iter().flat_map(told) {
            output.text(&line)?;
        }
    }
    Ok(())
}

fn table(output: &Output, rows: &[Row]) -> Table {
    let header = ["LOG GROUP", "RESULT", "OBJECTS", "SOURCE", "ARCHIVED", "MISSING", "EXTRA", "CHANGED", "LATE", "EXPIRED"];
    let mut table = output.table(header);
    for row in rows {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let Counts { missing, extra, changed, late, expired } = row.counts;
        let counted = [missing, extra, changed, late, expired].map(|count| number(row.source_events.is_some().then_some(count)));
        let cells = [row.log_group.clone(), row.result.name().to_owned(), row.objects.to_string()];
        table.add_row(cells.into_iter().chain([number(row.source_events), number(row.archived_events)]).chain(counted));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table
}

/// What differs in a window, line by line.
fn told(row: &Row) -> Vec<String> {
    let mut lines: Vec<String> = row.problems.iter().map(|problem| format!("  {problem}")).collect();
    if let Some(before) = &row.source_expired_before {
        lines.push(format!("  CloudWatch Logs no longer has, or may no longer have, events before {before}"));
    }
    for stream in row.streams.iter().filter(|stream| stream.counts.differ()) {
        let Counts { missing, extra, changed, late, .. } = stream.counts;
        lines.push(format!("  log stream {}: {missing} missing, {extra} extra, {changed} changed, {late} late", stream.log_stream));
        lines.extend(stream.differences.iter().map(|example| {
            let kind = format!("{:?}", example.kind).to_lowercase();
            let at = example.timestamp.as_deref().unwrap_or("(no time)");
            let object = example.object.as_deref().map(|object| format!(" in {object}")).unwrap_or_default();
            format!("    {kind} {at} {}{object}", example.message.escape_debug())
        }));
    }
    if !lines.is_empty() {
        lines.insert(0, format!("\n{} {}", row.log_group, row.month));
    }
    lines
}

/// What to do about it.
fn advise(rows: &[Row]) {
    let has = |what: fn(&Row) -> bool| rows.iter().any(what);
    if has(|row| row.counts.late > 0) {
        note(
            "Late events reached CloudWatch Logs after the export. Raise the stack's SettleDays for the months to come; to archive these, start a run with --force.",
        );
    }
    if has(|row| row.counts.extra > 0 && row.problems.is_empty()) {
        note(
            "Extra events are as they were exported, and CloudWatch Logs has them no more: somebody deleted a log stream, or the retention was shorter before. Nothing is to be done.",
        );
    }
    if has(|row| row.result == Verified::Different && (row.counts.missing + row.counts.changed > 0 || !row.problems.is_empty())) {
        note(
            "Where objects are gone or damaged, restore them from their versions, or start a run: it exports again what no valid manifest covers. See docs/operations.md.",
        );
    }
    if has(|row| row.result == Verified::Incomplete) {
        note("What could not be read to its end is not proven: repeat the command.");
    }
    if has(|row| row.result == Verified::NotArchived) {
        note("See `logs-archive status` for what became of months without a manifest.");
    }
}
