//! Progress on stderr: a bar on a terminal, otherwise a line for each change.

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    commands::watch::follow::{CurrentWindow, Phase, Round},
    output::{Output, note},
    slot::Holder,
};

/// While `plan` compares.
pub fn comparing(output: &Output, log_group_months: u64) -> ProgressBar {
    let bar = bar(output, "{msg} [{bar:30}] {human_pos} of {human_len}, {eta} left");
    bar.set_length(log_group_months);
    bar.set_message("comparing");
    bar
}

pub fn bar(output: &Output, template: &str) -> ProgressBar {
    let target = if output.bars() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// How a run that is watched is shown.
pub struct Display {
    bar: ProgressBar,
    draws: bool,
    last: Option<Phase>,
}

impl Display {
    pub fn new(output: &Output) -> Self {
        let bar = bar(output, "[{bar:20}] {wide_msg}");
        Self { bar, draws: output.bars(), last: None }
    }

    /// Whether anything but a time has changed.
    pub fn show(&mut self, phase: Phase, now: DateTime<Utc>) -> bool {
        let has_changed = self.last.as_ref() != Some(&phase);
        if self.draws {
            self.draw(&phase, now);
        } else if has_changed {
            note(format_args!("{} {}", now.format("%H:%M:%SZ"), line(&phase, now)));
        }
        self.last = Some(phase);
        has_changed
    }

    fn draw(&self, phase: &Phase, now: DateTime<Utc>) {
        let (done, total) = match phase {
            Phase::Exporting(round) => (round.windows.done(), round.windows.total),
            _ => (0, 1),
        };
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.set_message(line(phase, now));
        self.bar.tick();
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn line(phase: &Phase, now: DateTime<Utc>) -> String {
    match phase {
        Phase::Comparing => "comparing the archive with the list".to_owned(),
        Phase::Exporting(round) => format!("round {}: {}", round.number, round.details(now)),
        Phase::Compacting => "writing Parquet".to_owned(),
        Phase::Reporting => "writing the report".to_owned(),
    }
}

impl Round {
    /// What matters most comes first: a terminal cuts the rest.
    fn details(&self, now: DateTime<Utc>) -> String {
        let Self { windows, window, began, .. } = self;
        let mut parts = vec![format!("{} of {} windows", windows.done(), windows.total)];
        parts.extend((windows.failed > 0).then(|| format!("{} failed", windows.failed)));
        // As long for each window as until now.
        if let Some(each) = began.and_then(|began| (now - began).checked_div(i32::try_from(windows.done()).unwrap_or(i32::MAX))) {
            let left = each * i32::try_from(windows.total.saturating_sub(windows.done())).unwrap_or(i32::MAX);
            parts.push(format!("about {} left", human(left)));
        }
        parts.extend(window.as_ref().map(|window| self.of_window(window, now)));
        parts.join(", ")
    }

    fn of_window(&self, window: &CurrentWindow, now: DateTime<Utc>) -> String {
        let CurrentWindow { log_group, month, .. } = window;
        let Some(holder) = &self.holder else { return format!("{log_group} {month}: no task is active") };
        let age = holder.since.map(|since| format!(" for {}", ago(since, now))).unwrap_or_default();
        let Holder { status, task_id, log_group: other, .. } = holder;
        match window.is_held_by(holder) {
            true => format!("{log_group} {month} {status}{age}, task {task_id}"),
            false => format!("{log_group} {month} waits for the slot: {other} {status}{age}, task {task_id}"),
        }
    }
}

pub fn ago(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    human(now - since)
}

fn human(time: TimeDelta) -> String {
    format!("{:#}", HumanDuration(time.max(TimeDelta::zero()).to_std().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::watch::follow::Windows;

    #[test]
    fn a_line_has_the_counts_the_time_left_and_who_holds_the_slot() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let before = |seconds: i64| Some(now - TimeDelta::seconds(seconds));
        let window = CurrentWindow {
            execution: "e".to_owned(),
            log_group: "/a".to_owned(),
            month: "2026-10".parse().unwrap(),
            task_name: "archive-2026-10-1".to_owned(),
        };
        let holder = |task_name: &str, log_group: &str| Holder {
            task_id: "t".to_owned(),
            task_name: task_name.to_owned(),
            log_group: log_group.to_owned(),
            destination: String::new(),
            status: "RUNNING".to_owned(),
            since: before(42),
            is_own: false,
        };
        let line = |ended, failed, holder: Option<Holder>| {
            let windows = Windows { total: 9, ended, failed };
            let round = Round { number: 2, windows, window: Some(window.clone()), holder, began: before(90) };
            line(&Phase::Exporting(Box::new(round)), now)
        };
        assert_eq!(line(0, 0, None), "round 2: 0 of 9 windows, /a 2026-10: no task is active");
        assert_eq!(
            line(2, 1, Some(holder("archive-2026-10-1", "/a"))),
            "round 2: 3 of 9 windows, 1 failed, about 3m left, /a 2026-10 RUNNING for 42s, task t"
        );
        assert_eq!(
            line(9, 0, Some(holder("theirs", "/b"))),
            "round 2: 9 of 9 windows, about 0s left, /a 2026-10 waits for the slot: /b RUNNING for 42s, task t"
        );
    }
}
