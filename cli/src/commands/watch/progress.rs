//! Shows a run's progress on stderr: with a bar on a terminal, otherwise with a line for each change.

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;

use crate::{
    commands::watch::follow::{CurrentWindow, Phase, Round},
    output::{Output, format_age, format_duration, note},
    slot::Holder,
};

pub struct ProgressDisplay {
    bar: ProgressBar,
    draws_bar: bool,
    last: Option<Phase>,
}

impl ProgressDisplay {
    pub fn new(output: &Output) -> Self {
        let bar = output.progress_bar("[{bar:20}] {wide_msg}");
        Self { bar, draws_bar: output.draws_progress(), last: None }
    }

    /// Shows a phase. Returns whether it has changed.
    pub fn show(&mut self, phase: Phase, now: DateTime<Utc>) -> bool {
        let has_changed = self.last.as_ref() != Some(&phase);
        if self.draws_bar {
            self.draw(&phase, now);
        } else if has_changed {
            note(format_args!("{} {}", now.format("%H:%M:%SZ"), line(&phase, now)));
        }
        self.last = Some(phase);
        has_changed
    }

    fn draw(&self, phase: &Phase, now: DateTime<Utc>) {
        let (ended, total) = match phase {
            Phase::Exporting(round) => (round.windows.ended(), round.windows.total),
            _ => (0, 1),
        };
        self.bar.set_length(total);
        self.bar.set_position(ended);
        self.bar.set_message(line(phase, now));
        self.bar.tick();
    }
}

impl Drop for ProgressDisplay {
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
    /// The most important part comes first, because a terminal truncates the line.
    fn details(&self, now: DateTime<Utc>) -> String {
        let Self { windows, window, started, .. } = self;
        let mut parts = vec![format!("{} of {} windows", windows.ended(), windows.total)];
        parts.extend((windows.failed > 0).then(|| format!("{} failed", windows.failed)));
        // The estimate assumes that the other windows take as long as those until now.
        if let Some(each) = started.and_then(|started| (now - started).checked_div(i32::try_from(windows.ended()).unwrap_or(i32::MAX))) {
            let left = each * i32::try_from(windows.total.saturating_sub(windows.ended())).unwrap_or(i32::MAX);
            parts.push(format!("about {} left", format_duration(left)));
        }
        parts.extend(window.as_ref().map(|window| self.window_details(window, now)));
        parts.join(", ")
    }

    fn window_details(&self, window: &CurrentWindow, now: DateTime<Utc>) -> String {
        let CurrentWindow { log_group, month, .. } = window;
        let Some(holder) = &self.holder else { return format!("{log_group} {month}: no task is active") };
        let age = holder.since.map(|since| format!(" for {}", format_age(since, now))).unwrap_or_default();
        let Holder { status, task_id, log_group: holder_group, .. } = holder;
        match window.is_held_by(holder) {
            true => format!("{log_group} {month} {status}{age}, task {task_id}"),
            false => format!("{log_group} {month} waits for the slot: {holder_group} {status}{age}, task {task_id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::commands::watch::follow::Windows;

    #[test]
    fn a_line_has_the_counts_the_time_left_and_the_holder_of_the_slot() {
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
            bucket: String::new(),
            status: "RUNNING".to_owned(),
            since: before(42),
            is_of_archive: false,
        };
        let line = |succeeded, failed, holder: Option<Holder>| {
            let windows = Windows { total: 9, succeeded, failed };
            let round = Round { number: 2, windows, window: Some(window.clone()), holder, started: before(90) };
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
