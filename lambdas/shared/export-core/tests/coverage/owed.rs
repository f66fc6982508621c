//! What the archive owes, and what `missing/` must state about it. The letters are those of the messages.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use export_core::{
    LogGroupName, StreamPrefix, Window,
    contract::plan::{DecidedWindow, WindowOutcome},
    decide::LogGroup,
    entry::Entry,
    input::best_entries,
    manifest::{Manifest, Reason},
    missing::{Memory, OpenOutcome, OpenWindow},
    place::ManifestKey,
    target::Target,
    time::Millis,
    warning::WarningName,
    window::LATE_EVENTS,
};

use crate::{books::RunState, properties::WorldAtStart, run::Ended, world::World};

/// What scheduled runs owe that compared everything while only runs changed something.
#[derive(Debug, Default)]
pub struct Owed {
    windows: Vec<(LogGroupName, Option<StreamPrefix>, Window)>,
    /// Rows of the table that write nothing and do not fail. A warning stays. Windows in which events can still arrive are compared again.
    silent: Vec<(LogGroupName, Window)>,
    no_events_yet: Vec<(LogGroupName, Window)>,
    /// The log groups of the last run, and the time up to which it compared.
    last: Option<(BTreeSet<LogGroupName>, Millis)>,
    /// When a run last found the log group.
    alive: BTreeMap<LogGroupName, Millis>,
    /// When the run ended that failed for the lost window.
    lost: BTreeMap<ManifestKey, DateTime<Utc>>,
    version: u64,
}

impl Owed {
    /// Somebody removed what was archived, or it may exist only for a moment.
    pub fn forget(&mut self, name: &LogGroupName, window: Window) {
        let (of_name, mut others): (Vec<_>, Vec<_>) = self.windows.drain(..).partition(|(other, _, _)| other == name);
        let left = of_name
            .into_iter()
            .flat_map(|(name, prefix, owed)| owed.without(&[window]).into_iter().map(move |left| (name.clone(), prefix.clone(), left)));
        others.extend(left);
        self.windows = others;
    }

    /// A lost window can be lost again.
    pub fn forget_lost(&mut self) {
        self.lost.clear();
    }

    fn owe(&mut self, name: &LogGroupName, prefix: Option<&StreamPrefix>, window: Window) {
        let same = self.windows.iter().filter(|(other, owed_prefix, _)| other == name && owed_prefix.as_ref() == prefix);
        let owed: Vec<Window> = same.map(|(_, _, window)| *window).collect();
        self.windows.extend(window.without(&owed).into_iter().map(|window| (name.clone(), prefix.cloned(), window)));
    }
}

fn answers(wide: Option<&StreamPrefix>, narrow: Option<&StreamPrefix>) -> bool {
    StreamPrefix::includes(wide, narrow)
}

/// (g) At any time, what is owed is archived, lost or skipped, in `missing/`, or in a row that writes nothing and does not fail.
pub fn check(world: &mut World) -> Result<(), String> {
    if world.owed.version == world.version {
        return Ok(());
    }
    world.owed.version = world.version;
    let read = |stored: &[u8]| serde_json::from_slice::<Manifest>(stored).ok();
    let manifests: Vec<Manifest> = world.manifests.values().filter_map(|stored| read(&stored.bytes)).collect();
    let open: Vec<OpenWindow> = world.open_windows().collect();
    for (name, prefix, window) in &world.owed.windows {
        let manifests = manifests.iter().filter(|one| one.log_group == *name);
        let manifests = manifests.filter(|one| answers(one.log_stream_name_prefix.as_ref(), prefix.as_ref())).map(Manifest::window);
        let open = open.iter().filter(|one| one.place.log_group == *name);
        let open = open.filter(|one| answers(one.log_stream_name_prefix.as_ref(), prefix.as_ref())).map(OpenWindow::window);
        let silent = world.owed.silent.iter().chain(&world.owed.no_events_yet).filter(|(other, _)| other == name).map(|(_, one)| *one);
        let held: Vec<Window> = manifests.chain(open).chain(silent).collect();
        if let Some(hole) = window.without(&held).first() {
            return Err(format!("(g) nothing states {hole:?} of {name} {prefix:?}"));
        }
    }
    Ok(())
}

/// (h) What is open leaves only when valid manifests that answer its stream prefix cover it, by a warning of the table, or where it stays
/// open in other parts.
pub fn may_leave(world: &World, start: &WorldAtStart, open: &OpenWindow, decided: &[DecidedWindow]) -> Result<(), String> {
    let prefix = open.log_stream_name_prefix.as_ref();
    let warned = decided
        .iter()
        .filter(|one| matches!(one.outcome, WindowOutcome::Warned { .. }) && one.source.log_group_name == open.place.log_group);
    let others: Vec<OpenWindow> =
        world.open_windows().filter(|other| other.place.log_group == open.place.log_group && other != open).collect();
    let others = others.iter().filter(|other| answers(other.log_stream_name_prefix.as_ref(), prefix)).map(OpenWindow::window);
    let manifests = world.places.iter().filter(|(place, _)| place.log_group == open.place.log_group);
    let manifests = manifests.flat_map(|place| crate::properties::valid(world, place, prefix));
    let withdrawn = world.withdrawn.iter().filter(|one| one.place.log_group == open.place.log_group).map(|one| one.window);
    // Damaged records what the old manifest had, which can be fewer log streams.
    let damaged = decided.iter().filter(|one| matches!(one.outcome, WindowOutcome::Lost { reason: Reason::Damaged }));
    let damaged = damaged.filter(|one| one.source.log_group_name == open.place.log_group).map(|one| one.window);
    let held: Vec<Window> = warned.map(|one| one.window).chain(others).chain(manifests).chain(withdrawn).chain(damaged).collect();
    match open.window().without(&held).first() {
        Some(hole) if world.changes == start.changes => Err(format!("(h) {open:?} leaves missing/, and {hole:?} is not archived")),
        _ => Ok(()),
    }
}

/// (i) `since` never gets younger.
pub fn keeps_since(open: &OpenWindow, left: &RunState, memory: &Memory) -> Result<(), String> {
    let is_moved = |before: &OpenWindow| left.run.is_scheduled() && !left.groups.iter().any(|group| before.place == group.place);
    let before = memory.open.of_log_group(&open.place.log_group).iter().filter(|before| before.window().overlaps(open.window()));
    let mut before = before.filter(|before| before.place == open.place || is_moved(before));
    match before.find(|before| before.since() < open.since()) {
        Some(before) => Err(format!("(i) {open:?} is younger than {before:?}")),
        None => Ok(()),
    }
}

/// At a run's end.
pub fn at_end(world: &mut World, start: &WorldAtStart, ended: &Ended, entries: &[Entry]) -> Result<(), String> {
    leaves_nothing_missing(world, ended)?;
    fails_for_lost(world, ended)?;
    if world.changes != start.changes || !ended.run.is_scheduled() || !ended.report.compared_everything {
        return Ok(());
    }
    knows_what_was_seen(world, ended)?;
    let compared: Vec<Window> =
        ended.run.months_to_compare.iter().filter(|month| !month.after_first_covered).map(|month| month.window).collect();
    let names: BTreeSet<LogGroupName> = ended.groups.iter().map(|group| group.place.log_group.clone()).collect();
    let until = compared.iter().map(|window| window.to).max();
    let owed = &mut world.owed;
    for group in &ended.groups {
        let (name, prefix) = (&group.place.log_group, group.source.log_stream_name_prefix.as_ref());
        compared.iter().for_each(|window| owed.owe(name, prefix, *window));
        // No month between two runs is left out.
        let since = owed.last.as_ref().filter(|(last, _)| last.contains(name)).map(|(_, until)| Millis(until.0 + 1));
        if let Some((from, to)) = since.zip(until).filter(|(from, to)| from <= to) {
            owed.owe(name, prefix, Window { from, to });
        }
        if prefix.is_some() {
            continue;
        }
        // A month that is due later in another zone is compared later.
        let looked_at = match since.zip(until) {
            Some((_, to)) => vec![Window { from: Millis(0), to }],
            None => compared.clone(),
        };
        let left = owed.no_events_yet.iter().flat_map(|(other, window)| {
            let left = if other == name { window.without(&looked_at) } else { vec![*window] };
            left.into_iter().map(|window| (other.clone(), window))
        });
        owed.no_events_yet = left.collect();
    }
    // If the entry was removed or narrowed when the next month was due, no run compares all streams of this month again.
    let is_listed = |name: &LogGroupName| {
        ended.groups.iter().any(|group| group.place.log_group == *name && group.source.log_stream_name_prefix.is_none())
    };
    let (listed, off): (Vec<_>, Vec<_>) = owed.no_events_yet.drain(..).partition(|(name, _)| is_listed(name));
    owed.no_events_yet = listed;
    owed.silent.extend(off);
    owed.alive.retain(|name, _| entries.iter().any(|entry| entry.rank(name).is_some()));
    for (name, at) in owed.alive.clone() {
        let prefix = best_entries(entries, &name)[0].log_stream_name_prefix.as_ref();
        compared.iter().filter(|window| window.includes(at)).for_each(|window| owed.owe(&name, prefix, *window));
    }
    for group in ended.groups.iter().filter(|group| matches!(group.log_group, LogGroup::Present { .. })) {
        let start = Millis::of(ended.run.start_time);
        owed.alive.entry(group.place.log_group.clone()).and_modify(|at| *at = start.max(*at)).or_insert(start);
    }
    for one in &ended.report.decided {
        let silent = (one.source.log_group_name.clone(), one.window);
        match one.outcome {
            WindowOutcome::Warned { .. } => owed.silent.push(silent),
            WindowOutcome::NothingYet => {
                // No event can arrive in a window that is old enough.
                let old = Window { from: Millis(0), to: Millis::of(ended.run.start_time) - LATE_EVENTS };
                owed.silent.extend(one.window.overlap(old).map(|window| (silent.0.clone(), window)));
                owed.no_events_yet.extend(one.window.without(&[old]).into_iter().map(|window| (silent.0.clone(), window)));
            }
            _ => {}
        }
    }
    if let Some(until) = until {
        owed.last = Some((names, until.max(owed.last.as_ref().map_or(until, |(_, last)| *last))));
    }
    owed.version = 0;
    Ok(())
}

/// (j) A scheduled run that succeeded leaves no open window that counts. A report names each open window once.
fn leaves_nothing_missing(world: &World, ended: &Ended) -> Result<(), String> {
    let keys: BTreeSet<String> = ended.report.missing.iter().map(|open| open.key(&world.stack)).collect();
    if keys.len() < ended.report.missing.len() {
        return Err(format!("(j) an open window is named twice: {:?}", ended.report.missing));
    }
    let is_judged = |open: &OpenWindow| open.execution == ended.report.execution || ended.memory.open.iter().any(|known| known == open);
    let mut missing = world.open_windows().filter(|open| open.is_missing(ended.at) && is_judged(open));
    match missing.find(|_| ended.has_succeeded && ended.run.is_scheduled()) {
        Some(open) => Err(format!("(j) {} succeeded and leaves {open:?}", ended.report.execution)),
        None => Ok(()),
    }
}

/// (k) A lost window fails the run that records it, and no later run.
fn fails_for_lost(world: &mut World, ended: &Ended) -> Result<(), String> {
    let of_run = world.manifests.iter().filter_map(|(path, stored)| Some((path, serde_json::from_slice::<Manifest>(&stored.bytes).ok()?)));
    let mut of_run = of_run.filter(|(_, manifest)| manifest.execution.as_ref() == Some(&ended.report.execution));
    if let Some((path, _)) = of_run.find(|(_, manifest)| ended.has_succeeded && manifest.reason.is_some_and(Reason::fails_run)) {
        return Err(format!("(k) {} succeeded and recorded {path}", ended.report.execution));
    }
    for one in &ended.report.decided {
        if !matches!(one.outcome, WindowOutcome::Lost { reason } if reason.fails_run()) {
            continue;
        }
        let place = one.source.place(&world.stack).unwrap();
        let key = Target { place, stream_prefix: None, month: one.month, window: one.window }.manifest_key();
        if world.owed.lost.get(&key).is_some_and(|ended_before| *ended_before < ended.run.start_time) {
            return Err(format!("(k) {} fails once more for {one:?}", ended.report.execution));
        }
        world.owed.lost.insert(key, ended.at);
    }
    Ok(())
}

/// (l) An open window, and a window of a log group that was found in it, never ends as if no run had seen it.
fn knows_what_was_seen(world: &World, ended: &Ended) -> Result<(), String> {
    for one in &ended.report.decided {
        let name = &one.source.log_group_name;
        let was_found = world.owed.alive.get(name).is_some_and(|at| (one.window.from..=one.window.to).contains(at));
        let place = one.source.place(&world.stack).unwrap();
        let mut open = ended.memory.open.of(&place).filter(|open| open.outcome != OpenOutcome::Skipped);
        let was_open = open.any(|open| open.window().overlaps(one.window) && open.since() < ended.run.start_time);
        let is_wrong = match &one.outcome {
            WindowOutcome::Warned { warning } => warning.name == WarningName::LogGroupNotFound && (was_found || was_open),
            WindowOutcome::Skipped { reason: Reason::CreatedAfterMonth } => was_found || was_open,
            WindowOutcome::Skipped { reason: Reason::NoEventsInMonth | Reason::ExpiredBeforeFirstRun } => was_open,
            _ => false,
        };
        if is_wrong {
            return Err(format!("(l) {one:?}, and it was seen: {:?}", ended.memory));
        }
    }
    Ok(())
}
