//! `verify`: compares a month of the archive with CloudWatch Logs, event for event.

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
    ExitStatus,
    arguments::{Format, Verify},
    commands::status::matrix::{Cell, Matrix, Range, State},
    commands::status::survey::Survey,
    commands::verify::comparison::{Comparison, Counts, Example, WindowComparer},
    context::Context,
    events::manifests::{Manifests, read_manifests},
    failure::Failure,
    globs::Globs,
    output::{Output, note},
};

/// After so many failures in a row, the other windows are not compared: AWS probably refuses them, too.
const MAX_CONSECUTIVE_FAILURES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum WindowResult {
    Same,
    Different,
    /// Some events could not be read.
    Incomplete,
    /// The archive matches its manifest. CloudWatch Logs has no events left for a comparison.
    SourceExpired,
    /// The manifest records the window as lost, and the archive matches the manifest.
    Lost,
    NotArchived,
}

impl WindowResult {
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
    result: WindowResult,
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

pub async fn run(context: &Context, arguments: &Verify) -> Result<ExitStatus, Failure> {
    let stack = context.stack().await?;
    let archive = context.archive(&stack);
    let now = Utc::now();
    if Millis::of(now) < Window::of(arguments.month, archive.stack.timezone).from {
        return Err(Failure::Usage(format!(
            "--month {} has not begun in {}: name an earlier one",
            arguments.month, archive.stack.timezone
        )));
    }
    let month = Some(arguments.month);
    let survey = Survey::read(&archive, month, month, now).await?;
    let keys = survey.keys.iter().filter(|key| key.month == arguments.month).cloned().collect();
    let globs = Globs::new(&arguments.log_groups);
    let Manifests { valid: manifests, has_invalid } = read_manifests(&archive, keys, &globs).await?;
    let log_groups = match arguments.offline {
        true => HashMap::new(),
        false => {
            let names: BTreeSet<LogGroupName> = manifests.iter().map(|(_, manifest)| manifest.log_group.clone()).collect();
            archive.named_log_groups(&names.into_iter().collect::<Vec<_>>()).await?
        }
    };
    let mut rows = not_archived(arguments.month, &archive, &survey, &globs, &manifests, now);
    let bar = context.output.progress_bar("{bar:20} {pos}/{len} {elapsed} {msg}");
    bar.set_length(manifests.len() as u64);
    let mut failures: Vec<Failure> = Vec::new();
    let mut consecutive_failures = 0;
    for (key, manifest) in &manifests {
        bar.set_message(manifest.log_group.to_string());
        let comparer = WindowComparer { archive: &archive, key, manifest, now };
        let (is_lost, is_compared) = (manifest.outcome == Outcome::Lost, !arguments.offline && manifest.outcome != Outcome::Lost);
        let comparison = if consecutive_failures == MAX_CONSECUTIVE_FAILURES {
            Comparison::failed("not compared, because AWS refused the windows before it".into())
        } else {
            let compared = match log_groups.get(&manifest.log_group).filter(|_| is_compared) {
                Some(log_group) => comparer.compare_events(log_group).await,
                None => comparer.compare_objects().await,
            };
            consecutive_failures = if compared.is_ok() { 0 } else { consecutive_failures + 1 };
            // The other windows are compared nevertheless.
            compared.unwrap_or_else(|failure| {
                let comparison = Comparison::failed(failure.to_string());
                failures.push(failure);
                comparison
            })
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
    let has_unreadable = survey.warn_of_unreadable();
    print_advice(&rows);
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        // Without a row, nothing was verified.
        None if has_invalid || has_unreadable || rows.is_empty() || rows.iter().any(|row| row.result.is_finding()) => {
            Ok(ExitStatus::Finding)
        }
        None => Ok(ExitStatus::Success),
    }
}

/// The windows that are not archived although they are due, by the states of `status`, and the patterns that match no log group.
fn not_archived(
    month: Month,
    archive: &Archive,
    survey: &Survey,
    globs: &Globs<'_>,
    manifests: &[(ManifestKey, Manifest)],
    now: DateTime<Utc>,
) -> Vec<Row> {
    let matrix = Matrix::new(survey, &archive.stack, &Range { from: Some(month), to: Some(month), globs }, now);
    let is_open = |cell: &&Cell| matches!(cell.state, State::CoveredInPart | State::Waiting | State::Failed | State::NotAsked);
    let open = matrix.cells().filter(is_open).map(|cell| {
        let state = std::iter::once(cell.state.name().to_owned());
        Row::not_archived(cell.log_group.to_string(), month, state.chain(cell.windows.iter().cloned()).collect())
    });
    let names: Vec<&LogGroupName> = manifests.iter().map(|(_, manifest)| &manifest.log_group).chain(matrix.rows.keys()).collect();
    let unknown = globs.unmatched(&names).into_iter();
    let unknown = unknown.map(|pattern| Row::not_archived(pattern.to_owned(), month, vec!["no manifest of the month".into()]));
    open.chain(unknown).collect()
}

impl Row {
    fn not_archived(log_group: String, month: Month, problems: Vec<String>) -> Self {
        Self {
            log_group,
            month,
            from: None,
            to: None,
            result: WindowResult::NotArchived,
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
    let expired_before = comparison.expired_before.filter(|expired| *expired > manifest.window_from);
    let events = |count: fn(&comparison::StreamFolder) -> u64| is_compared.then(|| comparison.folders.values().map(count).sum());
    let source_events: Option<u64> = events(|folder| folder.source.events);
    let archived_events: Option<u64> = events(|folder| folder.archived.events);
    let result = if !comparison.problems.is_empty() || counts.differ() {
        WindowResult::Different
    } else if !comparison.incomplete.is_empty() {
        WindowResult::Incomplete
    } else if is_lost {
        WindowResult::Lost
    } else if source_events == Some(0) && expired_before.is_some_and(|expired| expired > manifest.window_to) {
        WindowResult::SourceExpired
    } else {
        WindowResult::Same
    };
    let streams = comparison.folders.into_iter().map(|(name, folder)| Stream {
        log_stream: if folder.log_streams.is_empty() { name } else { folder.log_streams.into_iter().collect::<Vec<_>>().join(" and ") },
        source_events: folder.source.events,
        source_digest: folder.source.digest(),
        archived_events: folder.archived.events,
        archived_digest: folder.archived.digest(),
        counts: folder.counts,
        differences: folder.examples,
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
        source_expired_before: expired_before.map(|expired| expired.min(Millis(manifest.window_to.0 + 1)).to_string()),
        streams: if is_compared { streams.collect() } else { Vec::new() },
        problems: [comparison.problems, comparison.incomplete].concat(),
    }
}

fn print(output: &Output, rows: &[Row]) -> Result<(), Failure> {
    if output.format == Format::Table && rows.is_empty() {
        return Ok(());
    }
    output.print_rows(rows, || table(output, rows))?;
    if output.format == Format::Table {
        for line in rows.iter().flat_map(details) {
            output.print_text(&line)?;
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

/// The lines below the table: the problems and differences of a window.
fn details(row: &Row) -> Vec<String> {
    let mut lines: Vec<String> = row.problems.iter().map(|problem| format!("  {problem}")).collect();
    if let Some(before) = &row.source_expired_before {
        lines.push(format!("  Events before {before} have expired in CloudWatch Logs, or may have"));
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

fn print_advice(rows: &[Row]) {
    let has = |condition: fn(&Row) -> bool| rows.iter().any(condition);
    if has(|row| row.counts.late > 0) {
        note(
            "Late events reached CloudWatch Logs after the export. Raise the stack's SettleDays for future months. To archive the late events, start a run with --force.",
        );
    }
    if has(|row| row.counts.extra > 0 && row.problems.is_empty()) {
        note(
            "Extra events are unchanged in the archive, and CloudWatch Logs does not have them any more: somebody deleted a log stream, or the retention was shorter before. There is nothing to do.",
        );
    }
    if has(|row| row.result == WindowResult::Different && (row.counts.missing + row.counts.changed > 0 || !row.problems.is_empty())) {
        note(
            "If objects are missing or damaged, restore them from their versions, or start a run: it exports what no valid manifest covers. See docs/operations.md.",
        );
    }
    if has(|row| row.result == WindowResult::Incomplete) {
        note("An incomplete result proves nothing: repeat the command.");
    }
    if has(|row| row.result == WindowResult::NotArchived) {
        note("`logs-archive status` shows the state of months without a manifest.");
    }
}
