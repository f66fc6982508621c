//! What the archive records of a COMPLETED task.

use super::{
    CompletedExport, EventSearch, Evidence, LogGroup, Need, Question, Verdict,
    replace::{self, Replacement},
};
use crate::{
    ErrorName, ExportError,
    manifest::{FoundManifest, Outcome, Reason},
    warning::Warning,
};

pub(super) fn decide(
    question: &Question,
    found: &[&FoundManifest],
    evidence: &Evidence,
    export: &CompletedExport,
) -> Result<Verdict, Need> {
    let window = question.target.window;
    let log_group = || evidence.log_group.as_ref().ok_or(Need::LogGroup);
    let outcome = if export.folder.objects > 0 { Outcome::Exported } else { Outcome::Empty };
    let is_of_task = |found: &FoundManifest| {
        found.key.window == window && found.manifest().is_some() && found.content.task_id() == Some(&export.task_id)
    };
    // The task's manifest can be there already, beside others: the call before this one may have ended before it removed them.
    let (of_task, others): (Vec<&FoundManifest>, Vec<&FoundManifest>) = found.iter().partition(|found| is_of_task(found));
    if !of_task.is_empty() && others.is_empty() {
        return Ok(Verdict::Written(outcome));
    }
    if outcome == Outcome::Empty
        && let Some(error) = incomplete(question, export, evidence.event_search.ok_or(Need::EventSearch)?)
    {
        return Ok(Verdict::Fail(error));
    }
    let mut replaces = Vec::new();
    let mut warnings = Vec::new();
    for old in others {
        match question.replacement_of(old, outcome) {
            Replacement::NotNeeded => return Ok(Verdict::Written(outcome)),
            Replacement::Refused(error) => return Ok(Verdict::Fail(error)),
            Replacement::Allowed => {}
            Replacement::IfNotSmaller(present) => {
                let may_lack_expired = export.may_lack_expired(window, log_group()?);
                if let Some(error) = replace::smaller(old, present, export, may_lack_expired) {
                    let is_lost = may_lack_expired && old.is_damaged() && old.key.window == window;
                    return Ok(if is_lost { Verdict::Record(Reason::Damaged) } else { Verdict::Fail(error) });
                }
                warnings.extend(Warning::smaller_than_before(old, export.task_id.as_str(), &export.folder));
            }
        }
        replaces.push(old.key.clone());
    }
    if outcome == Outcome::Exported {
        return Ok(Verdict::Write { outcome, replaces, warnings });
    }
    Ok(match log_group()? {
        LogGroup::Absent | LogGroup::Gone => Verdict::Record(Reason::LogGroupDeleted),
        // The log group was created again since it was planned, or while the task ran.
        recreated if recreated.is_newer_than(window) && question.existed_before(recreated, evidence)? => {
            Verdict::Record(Reason::LogGroupDeleted)
        }
        log_group if export.may_lack_expired(window, log_group) => {
            let was_seen = question.seen_since(evidence)?.is_some();
            Verdict::Record(if was_seen { Reason::Expired } else { Reason::ExpiredBeforeFirstRun })
        }
        _ => Verdict::Write { outcome, replaces, warnings },
    })
}

/// A task can be COMPLETED and have written nothing although the window has events. The message quotes nothing of an event.
fn incomplete(question: &Question, export: &CompletedExport, event_search: EventSearch) -> Option<ExportError> {
    let (task_id, log_group, window) = (&export.task_id, &question.target.place.log_group, question.target.window);
    let wrote_nothing =
        format!("export task {task_id} of log group {log_group} for {} to {} is COMPLETED and wrote nothing", window.from, window.to);
    let why = match event_search {
        EventSearch::None => return None,
        EventSearch::Found => "the log group has an event of that time",
        EventSearch::Unknown => "FilterLogEvents did not come to an end, so the log group may have an event of that time",
    };
    Some(ExportError::new(ErrorName::ExportIncomplete, format!("{wrote_nothing}, but {why}")))
}
