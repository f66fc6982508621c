//! Computes what a run would do. It makes the same comparison as `plan-exports`, round by round, and exports nothing.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use archive::{Archive, ComparedSubject};
use chrono::{SecondsFormat, Utc};
use chrono_tz::Tz;
use export_core::{
    Month, Window,
    contract::plan::{Next, PlannedWindow, Run, WindowOutcome},
    decide::{KnownGaps, LogGroup, Verdict},
    entry,
    manifest::{FoundManifest, Manifest, Outcome},
    missing::Memory,
    planner::{Group, Planner, Progress, Round, TaskSpeed},
    time::Millis,
    warning::Warning,
};
use serde::Serialize;

use crate::{
    commands::plan::estimate::{self, Rate},
    failure::Failure,
};

/// One window: an element of the JSON. `plan --help` lists the fields.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub log_group: String,
    pub month: Month,
    /// Epoch milliseconds, both inclusive.
    pub from: i64,
    pub to: i64,
    pub from_utc: String,
    pub to_utc: String,
    pub from_local: String,
    pub to_local: String,
    pub log_stream_name_prefix: Option<String>,
    pub destination_prefix: String,
    pub outcome: &'static str,
    /// A reason of the table in docs/architecture.md, or a warning's name.
    pub reason: Option<String>,
    pub error: Option<String>,
    pub message: Option<String>,
    /// The problem of the manifest that the export replaces.
    pub repairs: Option<String>,
    pub warnings: Vec<Warning>,
    /// The stored bytes of the log group, for all months.
    pub stored_bytes: Option<u64>,
    /// How long the export would hold the slot.
    pub slot_hours: Option<f64>,
    pub slot_hours_from: Option<Basis>,
    pub cost_usd: Option<f64>,
    /// Whether the run would fail because of this window.
    #[serde(skip)]
    pub fails_run: bool,
    #[serde(skip)]
    group: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Basis {
    /// The log group's manifests of the two months before.
    Manifests,
    /// The log group's stored bytes, at the speed of other log groups.
    StoredBytes,
}

pub struct Preview {
    pub rows: Vec<Row>,
    pub warnings: Vec<Warning>,
}

/// Calls `on_compared` after each log-group-month.
pub async fn preview(archive: &Archive, run: &Run, groups: &[Group], memory: &Memory, on_compared: impl Fn()) -> Result<Preview, Failure> {
    let mut builder = RowBuilder::new(run, groups);
    let mut progress = Progress::default();
    loop {
        let planner = Planner::new(run, groups, memory, progress, false);
        let add_compared = |compared: &ComparedSubject| {
            builder.add_compared(compared);
            on_compared();
        };
        let Round { next, progress: left, decided, .. } = archive.compare(planner, |_| None, || false, Utc::now, add_compared).await?;
        for decided in decided {
            builder.add_decided(&decided.source, decided.month, decided.window, decided.outcome);
        }
        for planned in &left.planned {
            builder.add_planned(planned);
        }
        // The next round assumes that this one has exported everything.
        progress = Progress { planned: Vec::new(), exporting: false, ..left };
        if next != Next::Export {
            return Ok(Preview { rows: builder.finish(), warnings: progress.warnings });
        }
    }
}

/// Collects the rows from the comparison.
struct RowBuilder<'a> {
    run: &'a Run,
    groups: &'a [Group],
    by_source: HashMap<&'a entry::Source, usize>,
    timezone: Tz,
    rate: Rate,
    rows: Vec<Row>,
    seen: HashSet<(usize, Window)>,
    /// The exports of each group, before the planner splits them into parts.
    exports: HashMap<usize, Vec<WholeExport>>,
}

#[derive(Clone)]
struct WholeExport {
    window: Window,
    gaps: KnownGaps,
    speed: Option<TaskSpeed>,
}

impl<'a> RowBuilder<'a> {
    fn new(run: &'a Run, groups: &'a [Group]) -> Self {
        let by_source = groups.iter().enumerate().map(|(index, group)| (&group.source, index)).collect();
        let timezone = run.timezone.parse().unwrap_or_default();
        Self { run, groups, by_source, timezone, rate: Rate::default(), rows: Vec::new(), seen: HashSet::new(), exports: HashMap::new() }
    }

    fn add_compared(&mut self, compared: &ComparedSubject) {
        let group = compared.subject.group;
        for manifest in compared.found.iter().filter(|found| found.is_valid()).filter_map(FoundManifest::manifest) {
            if TaskSpeed::of(manifest).is_some() {
                self.record_speed(group, manifest.window(), manifest.seconds());
            }
        }
        for decision in &compared.decisions {
            match &decision.verdict {
                Verdict::Archived if !self.is_zone_change_gap(decision.month, compared.subject.target.window) => {
                    let mut row = self.row(group, decision.month, decision.window, "archived");
                    row.reason = Some("AlreadyArchived".to_owned());
                    row.message = describe_record(&compared.found);
                    self.add(row, decision.window);
                }
                Verdict::Export(gaps) => {
                    let export = WholeExport { window: decision.window, gaps: gaps.clone(), speed: compared.speed };
                    self.exports.entry(group).or_default().push(export);
                }
                _ => {}
            }
        }
    }

    /// Whether the run compares this month only to find a gap that a changed time zone left.
    fn is_zone_change_gap(&self, month: Month, window: Window) -> bool {
        self.run.months_to_compare.iter().any(|other| other.after_first_covered && (other.month, other.window) == (month, window))
    }

    fn record_speed(&mut self, group: usize, window: Window, seconds: f64) {
        if let Some(bytes) = estimate::stored_bytes_of(&self.groups[group].log_group, window, self.run.start_time) {
            self.rate.add(seconds, bytes);
        }
    }

    fn add_planned(&mut self, planned: &PlannedWindow) {
        let PlannedWindow { group, month, window, repairs, .. } = planned;
        let mut row = self.row(*group, *month, *window, "export");
        row.repairs.clone_from(repairs);
        let whole = self.exports.get(group).into_iter().flatten().find(|export| export.window.contains(*window)).cloned();
        if let Some(WholeExport { gaps, speed, .. }) = whole {
            row.warnings = gaps.warnings;
            if let Some(speed) = speed {
                let seconds = speed.seconds_for(*window);
                self.record_speed(*group, *window, seconds);
                row.estimate(seconds, Basis::Manifests);
            }
        }
        self.add(row, *window);
    }

    fn add_decided(&mut self, source: &entry::Source, month: Month, window: Window, outcome: WindowOutcome) {
        let Some(group) = self.by_source.get(source).copied() else { return };
        let row = |outcome| self.row(group, month, window, outcome);
        let row = match outcome {
            WindowOutcome::Skipped { reason } => Row { reason: Some(format!("{reason:?}")), ..row("skipped") },
            WindowOutcome::Lost { reason } => Row { reason: Some(format!("{reason:?}")), fails_run: reason.fails_run(), ..row("lost") },
            WindowOutcome::NothingYet => Row { reason: Some("NoEventsYet".to_owned()), ..row("nothingYet") },
            WindowOutcome::Warned { warning: Warning { name, message } } => {
                Row { reason: Some(name.as_str()), message: Some(message), ..row("warned") }
            }
            WindowOutcome::Failed { failure, .. } => {
                Row { error: Some(failure.error), message: Some(failure.message), fails_run: true, ..row("failed") }
            }
            // These windows have a row already.
            WindowOutcome::Exported { .. } | WindowOutcome::Empty { .. } | WindowOutcome::Waiting => return,
        };
        self.add(row, window);
    }

    fn add(&mut self, row: Row, window: Window) {
        if self.seen.insert((row.group, window)) {
            self.rows.push(row);
        }
    }

    fn row(&self, index: usize, month: Month, window: Window, outcome: &'static str) -> Row {
        let Group { source, place, log_group } = &self.groups[index];
        let utc = |at: Millis| at.to_string();
        let local = |at: Millis| {
            let at = at.instant().unwrap_or_default().with_timezone(&self.timezone);
            at.to_rfc3339_opts(SecondsFormat::Millis, true)
        };
        let stored_bytes = match log_group {
            LogGroup::Present { stored_bytes, .. } => *stored_bytes,
            LogGroup::Absent | LogGroup::Gone => None,
        };
        Row {
            log_group: source.log_group_name.to_string(),
            month,
            from: window.from.0,
            to: window.to.0,
            from_utc: utc(window.from),
            to_utc: utc(window.to),
            from_local: local(window.from),
            to_local: local(window.to),
            log_stream_name_prefix: source.log_stream_name_prefix.as_ref().map(ToString::to_string),
            destination_prefix: place.destination.prefix_of(month),
            outcome,
            reason: None,
            error: None,
            message: None,
            repairs: None,
            warnings: Vec::new(),
            stored_bytes,
            slot_hours: None,
            slot_hours_from: None,
            cost_usd: None,
            fails_run: false,
            group: index,
        }
    }

    /// The rows in the order of a run: the newest month first.
    fn finish(mut self) -> Vec<Row> {
        for row in self.rows.iter_mut().filter(|row| row.outcome == "export") {
            let window = Window { from: Millis(row.from), to: Millis(row.to) };
            let bytes = estimate::stored_bytes_of(&self.groups[row.group].log_group, window, self.run.start_time);
            match bytes.and_then(|bytes| self.rate.seconds_for(bytes)).filter(|_| row.slot_hours.is_none()) {
                Some(seconds) => row.estimate(seconds, Basis::StoredBytes),
                None if row.slot_hours.is_none() => row.cost_usd = Some(estimate::cost(estimate::ASSUMED_SECONDS)),
                None => {}
            }
        }
        self.rows.sort_by_key(|row| (Reverse(row.month), row.group, row.from));
        self.rows
    }
}

impl Row {
    fn estimate(&mut self, seconds: f64, basis: Basis) {
        self.slot_hours = Some(seconds / 3600.0);
        self.slot_hours_from = Some(basis);
        self.cost_usd = Some(estimate::cost(seconds));
    }
}

/// The outcome of the manifest that covers a window, unless it is an export.
fn describe_record(found: &[FoundManifest]) -> Option<String> {
    let describe = |manifest: &Manifest| {
        let reason = manifest.reason.map(|reason| format!(" {reason:?}")).unwrap_or_default();
        let outcome = match manifest.outcome {
            Outcome::Exported => return None,
            Outcome::Empty => "empty",
            Outcome::Skipped => "skipped",
            Outcome::Lost => "lost",
        };
        Some(format!("recorded as {outcome}{reason}"))
    };
    found.iter().filter(|found| found.is_valid()).filter_map(FoundManifest::manifest).find_map(describe)
}
