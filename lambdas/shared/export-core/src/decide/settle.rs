//! What the archive records of a task that is COMPLETED.

use super::{AnyEvent, Evidence, Export, LogGroup, Need, Question, Replaces, Verdict, replace};
use crate::{
    ErrorName, ExportError,
    manifest::{Found, Outcome, Reason},
};

pub(super) fn settle(question: &Question, found: &[&Found], evidence: &Evidence, export: &Export) -> Result<Verdict, Need> {
    let log_group = || evidence.log_group.as_ref().ok_or(Need::LogGroup);
    let outcome = if export.folder.objects > 0 { Outcome::Exported } else { Outcome::Empty };
    let is_own = |found: &Found| {
        found.key.window == question.window && found.manifest().is_some() && found.content.task_id() == Some(&export.task_id)
    };
    // Also where its own manifest lies there already: the call before this one may have ended before it removed the others.
    let (own, others): (Vec<&Found>, Vec<&Found>) = found.iter().partition(|found| is_own(found));
    if !own.is_empty() && others.is_empty() {
        return Ok(Verdict::Written(outcome));
    }
    if outcome == Outcome::Empty
        && let Some(error) = incomplete(question, export, evidence.any_event.ok_or(Need::AnyEvent)?)
    {
        return Ok(Verdict::Fail(error));
    }
    let mut replaces = Vec::new();
    let mut warnings = Vec::new();
    for old in others {
        match question.replaces(old, outcome) {
            Replaces::Nothing => return Ok(Verdict::Written(outcome)),
            Replaces::Refused(error) => return Ok(Verdict::Fail(error)),
            Replaces::Freely => {}
            Replaces::IfNotSmaller(lies) => {
                let strict = export.may_lack_expired(question.window, log_group()?);
                if let Some(error) = replace::smaller(old, lies, export, strict) {
                    let is_lost = strict && old.is_damaged() && old.key.window == question.window;
                    return Ok(if is_lost { Verdict::Record(Reason::Damaged) } else { Verdict::Fail(error) });
                }
                warnings.extend(replace::smaller_than_before(old, export));
            }
        }
        replaces.push(old.key.clone());
    }
    if outcome == Outcome::Exported {
        return Ok(Verdict::Write { outcome, replaces, warnings });
    }
    Ok(match log_group()? {
        LogGroup::Absent | LogGroup::Gone => Verdict::Record(Reason::LogGroupDeleted),
        // Created anew since it was planned, or while the task ran.
        anew if anew.is_of_a_later_life(question.window) && question.existed_before(anew, evidence)? => {
            Verdict::Record(Reason::LogGroupDeleted)
        }
        log_group if export.may_lack_expired(question.window, log_group) => {
            let is_seen = question.seen_since(evidence)?.is_some();
            Verdict::Record(if is_seen { Reason::Expired } else { Reason::ExpiredBeforeFirstRun })
        }
        _ => Verdict::Write { outcome, replaces, warnings },
    })
}

/// A task can be COMPLETED and have written nothing although events are there. The message has nothing of the event.
fn incomplete(question: &Question, export: &Export, any_event: AnyEvent) -> Option<ExportError> {
    let (task_id, log_group, window) = (&export.task_id, &question.place.log_group, question.window);
    let wrote_nothing =
        format!("export task {task_id} of log group {log_group} for {} to {} is COMPLETED and wrote nothing", window.from, window.to);
    let why = match any_event {
        AnyEvent::None => return None,
        AnyEvent::Found => "an event of that time is in the log group",
        AnyEvent::Unknown => "FilterLogEvents came to no end, so an event of that time may be in the log group",
    };
    Some(ExportError::new(ErrorName::ExportIncomplete, format!("{wrote_nothing}, but {why}")))
}
