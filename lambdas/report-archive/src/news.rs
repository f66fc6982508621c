//! Whether a run's report has news. People are notified of news only.

use std::collections::BTreeSet;

use export_core::{Month, contract::report::Report, missing::OpenOutcome, warning::Warning};

use crate::incomplete::{ended, repaired};

/// A run by hand is always news, because a person waits for it. A scheduled run is news if it differs from the last one, or if the
/// notification of the last one failed.
pub fn is_news(report: &Report, last: Option<&Report>) -> bool {
    if last.is_some_and(|last| !last.told) || report.scheduled_time.is_none() || report.counts.lost > 0 || repaired(report).next().is_some()
    {
        return true;
    }
    // After an increase of settleDays, an older month is due again.
    let was_archived = |last: &Report| last.due_month_archived && last.due_month >= report.due_month;
    let error = |report: &Report| report.error.as_ref().or(report.compaction_error.as_ref()).map(|failure| failure.error.clone());
    let last_error = last.and_then(error);
    (report.due_month_archived && !last.is_some_and(was_archived))
        || error(report).is_some_and(|error| Some(error) != last_error)
        || last.map(reported_windows).unwrap_or_default() != reported_windows(report)
        || warnings_differ(&report.warnings, last.map_or(&[], |last| &last.warnings))
}

/// The windows that are missing or that no entry matches, as far as a difference in them is news.
fn reported_windows(report: &Report) -> BTreeSet<(&str, Month, i64, i64, Option<&str>)> {
    let reported = report.missing.iter().filter(|open| open.outcome == OpenOutcome::NotAsked || open.is_missing(ended(report)));
    let key = reported.map(|open| {
        let error = open.error.as_deref().filter(|_| open.outcome != OpenOutcome::NotAsked);
        (open.place.log_group.as_str(), open.month, open.window_from.0, open.window_to.0, error)
    });
    key.collect()
}

/// A warning that tells what one run did is news once. That it is gone from the next report is not news.
fn warnings_differ(now: &[Warning], last: &[Warning]) -> bool {
    let is_new = |warning: &Warning| !last.contains(warning);
    let is_gone = |warning: &Warning| warning.name.is_repeated_until_fixed() && !now.contains(warning);
    now.iter().any(is_new) || last.iter().any(is_gone)
}
