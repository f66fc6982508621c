//! Progress on stderr: a bar on a terminal, otherwise a line for each change.

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    follow::{Phase, Snapshot},
    output::{Output, note},
};

/// While `plan` compares.
pub fn comparing(output: &Output, log_group_months: u64) -> ProgressBar {
    let bar = bar(output, "{msg} [{bar:30}] {human_pos} of {human_len}, {eta} left");
    bar.set_length(log_group_months);
    bar.set_message("comparing");
    bar
}

fn bar(output: &Output, template: &str) -> ProgressBar {
    let target = if output.bars() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// How a run that is watched is shown.
pub struct Display {
    bar: ProgressBar,
    draws: bool,
    last: Option<Snapshot>,
}

impl Display {
    pub fn new(output: &Output) -> Self {
        let bar = bar(output, "{prefix} [{bar:30}] {msg}");
        Self { bar, draws: output.bars(), last: None }
    }

    /// Whether anything but a time has changed.
    pub fn show(&mut self, snapshot: Snapshot, now: DateTime<Utc>) -> bool {
        let has_changed = self.last.as_ref() != Some(&snapshot);
        if self.draws {
            self.draw(&snapshot, now);
        } else if has_changed {
            note(format_args!("{} {}", now.format("%H:%M:%SZ"), snapshot.line(now)));
        }
        self.last = Some(snapshot);
        has_changed
    }

    fn draw(&self, snapshot: &Snapshot, now: DateTime<Utc>) {
        let Phase::Exporting { round, windows, .. } = &snapshot.phase else {
            self.bar.set_length(1);
            self.bar.set_position(0);
            self.bar.set_prefix(snapshot.line(now));
            self.bar.set_message("");
            return;
        };
        self.bar.set_length(windows.total);
        self.bar.set_position(windows.done());
        self.bar.set_prefix(format!("round {round}"));
        self.bar.set_message(snapshot.details(now));
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Snapshot {
    fn line(&self, now: DateTime<Utc>) -> String {
        match &self.phase {
            Phase::Comparing => "comparing the archive with the list".to_owned(),
            Phase::Compacting => "writing Parquet".to_owned(),
            Phase::Reporting => "writing the report".to_owned(),
            Phase::Exporting { round, .. } => format!("round {round}: {}", self.details(now)),
        }
    }

    fn details(&self, now: DateTime<Utc>) -> String {
        let Phase::Exporting { windows, window, holder, began, .. } = &self.phase else { return String::new() };
        let mut parts = vec![format!("{} of {} windows", windows.done(), windows.total)];
        parts.extend((windows.failed > 0).then(|| format!("{} failed", windows.failed)));
        if let Some(window) = window {
            let task = match holder {
                None => "no task is active".to_owned(),
                Some(holder) => {
                    let age = holder.since.map(|since| format!(" for {}", ago(since, now))).unwrap_or_default();
                    let waits = if window.is_held_by(holder) { "" } else { "waits for another's " };
                    let whose = if waits.is_empty() { String::new() } else { format!(" of {}", holder.log_group) };
                    format!("{waits}task {}{whose} {}{age}", holder.task_id, holder.status)
                }
            };
            parts.push(format!("{} {}: {task}", window.log_group, window.month));
        }
        // As long for each window as until now.
        if let Some(each) = began.and_then(|began| (now - began).checked_div(i32::try_from(windows.done()).unwrap_or(i32::MAX))) {
            let left = each * i32::try_from(windows.total - windows.done()).unwrap_or(i32::MAX);
            parts.push(format!("about {} left", human(left)));
        }
        parts.join(", ")
    }
}

pub fn ago(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    human(now - since)
}

fn human(time: TimeDelta) -> String {
    HumanDuration(time.max(TimeDelta::zero()).to_std().unwrap_or_default()).to_string()
}
