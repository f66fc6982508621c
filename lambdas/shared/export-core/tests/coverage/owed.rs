//! What the archive owes, and what `missing/` has to say of it. The letters are those of the messages.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use export_core::{
    LogGroupName, StreamPrefix, Window,
    contract::plan::{Decided, Settled},
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

use crate::{books::Left, properties::Start, run::Ended, world::World};

/// By the scheduled runs that compared everything while only runs changed something.
#[derive(Debug, Default)]
pub struct Owed {
    windows: Vec<(LogGroupName, Option<StreamPrefix>, Window)>,
    /// Rows of the table that write nothing and do not fail. A warning stays; where events can still arrive is looked at again.
    silent: Vec<(LogGroupName, Window)>,
    no_events_yet: Vec<(LogGroupName, Window)>,
    /// The log groups of the last run, and until when it has compared.
    last: Option<(BTreeSet<LogGroupName>, Millis)>,
    /// When a run found a log group last.
    alive: BTreeMap<LogGroupName, Millis>,
    /// When a run ended that failed for what was lost.
    lost: BTreeMap<ManifestKey, DateTime<Utc>>,
    version: u64,
}

impl Owed {
    /// Somebody took away what was there, or it may be there for a moment only.
    pub fn forget(&mut self, name: &LogGroupName, window: Window) {
        let (own, mut others): (Vec<_>, Vec<_>) = self.windows.drain(..).partition(|(other, _, _)| other == name);
        let left = own
            .into_iter()
            .flat_map(|(name, prefix, owed)| owed.without(&[window]).into_iter().map(move |left| (name.clone(), prefix.clone(), left)));
        others.extend(left);
        self.windows = others;
    }

    /// What is lost can be lost once more.
    pub fn forget_lost(&mut self) {
        self.lost.clear();
    }

    fn owe(&mut self, name: &LogGroupName, prefix: Option<&StreamPrefix>, window: Window) {
        let same = self.windows.iter().filter(|(other, own, _)| other == name && own.as_ref() == prefix);
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
        let open = open.iter().filter(|one| one.log_group == *name);
        let open = open.filter(|one| answers(one.log_stream_name_prefix.as_ref(), prefix.as_ref())).map(OpenWindow::window);
        let silent = world.owed.silent.iter().chain(&world.owed.no_events_yet).filter(|(other, _)| other == name).map(|(_, one)| *one);
        let held: Vec<Window> = manifests.chain(open).chain(silent).collect();
        if let Some(hole) = window.without(&held).first() {
            return Err(format!("(g) nothing tells of {hole:?} of {name} {prefix:?}"));
        }
    }
    Ok(())
}

/// (h) What is open leaves only when valid manifests that answer its stream prefix cover it, by a warning of the table, or where it stays
/// open in other parts.
pub fn may_leave(world: &World, start: &Start, open: &OpenWindow, decided: &[Decided]) -> Result<(), String> {
    let prefix = open.log_stream_name_prefix.as_ref();
    let warned = decided.iter().filter(|one| matches!(one.settled, Settled::Warned { .. }) && one.source.log_group_name == open.log_group);
    let others: Vec<OpenWindow> = world.open_windows().filter(|other| other.log_group == open.log_group && other != open).collect();
    let others = others.iter().filter(|other| answers(other.log_stream_name_prefix.as_ref(), prefix)).map(OpenWindow::window);
    let manifests = world.places.iter().filter(|(place, _)| place.log_group == open.log_group);
    let manifests = manifests.flat_map(|place| crate::properties::valid(world, place, prefix));
    let withdrawn = world.withdrawn.iter().filter(|one| one.place.log_group == open.log_group).map(|one| one.window);
    // Damaged records what the manifest that was there had, which can be of fewer log streams.
    let damaged = decided.iter().filter(|one| matches!(one.settled, Settled::Lost { reason: Reason::Damaged }));
    let damaged = damaged.filter(|one| one.source.log_group_name == open.log_group).map(|one| one.window);
    let held: Vec<Window> = warned.map(|one| one.window).chain(others).chain(manifests).chain(withdrawn).chain(damaged).collect();
    match open.window().without(&held).first() {
        Some(hole) if world.changes == start.changes => Err(format!("(h) {open:?} leaves missing/, and {hole:?} is not archived")),
        _ => Ok(()),
    }
}

/// (i) `since` never gets younger.
pub fn keeps_since(open: &OpenWindow, left: &Left, memory: &Memory) -> Result<(), String> {
    let is_moved = |before: &OpenWindow| left.run.is_scheduled() && !left.groups.iter().any(|group| before.lies_in(&group.place));
    let before = memory.open.of_log_group(&open.log_group).iter().filter(|before| before.window().overlaps(open.window()));
    let mut before = before.filter(|before| before.lies_in(&open.place()) || is_moved(before));
    match before.find(|before| before.since() < open.since()) {
        Some(before) => Err(format!("(i) {open:?} is younger than {before:?}")),
        None => Ok(()),
    }
}

/// At a run's end.
pub fn at_end(world: &mut World, start: &Start, ended: &Ended, entries: &[Entry]) -> Result<(), String> {
    leaves_nothing_missing(world, ended)?;
    fails_for_lost(world, ended)?;
    if world.changes != start.changes || !ended.run.is_scheduled() || !ended.report.compared_everything {
        return Ok(());
    }
    knows_what_was_seen(world, ended)?;
    let looks: Vec<Window> = ended.run.looks.iter().filter(|look| !look.after_first_covered).map(|look| look.window).collect();
    let names: BTreeSet<LogGroupName> = ended.groups.iter().map(|group| group.place.log_group.clone()).collect();
    let until = looks.iter().map(|look| look.to).max();
    let owed = &mut world.owed;
    for group in &ended.groups {
        let (name, prefix) = (&group.place.log_group, group.source.log_stream_name_prefix.as_ref());
        looks.iter().for_each(|look| owed.owe(name, prefix, *look));
        // Between two runs no month is left out.
        let since = owed.last.as_ref().filter(|(last, _)| last.contains(name)).map(|(_, until)| Millis(until.0 + 1));
        if let Some((from, to)) = since.zip(until).filter(|(from, to)| from <= to) {
            owed.owe(name, prefix, Window { from, to });
        }
        if prefix.is_some() {
            continue;
        }
        // What is due later in another zone is looked at later.
        let looked_at = match since.zip(until) {
            Some((_, to)) => vec![Window { from: Millis(0), to }],
            None => looks.clone(),
        };
        let left = owed.no_events_yet.iter().flat_map(|(other, window)| {
            let left = if other == name { window.without(&looked_at) } else { vec![*window] };
            left.into_iter().map(|window| (other.clone(), window))
        });
        owed.no_events_yet = left.collect();
    }
    // No run promises to look again at all streams of a month whose entry was off the list, or narrower, when the next one was due.
    let is_listed = |name: &LogGroupName| {
        ended.groups.iter().any(|group| group.place.log_group == *name && group.source.log_stream_name_prefix.is_none())
    };
    let (listed, off): (Vec<_>, Vec<_>) = owed.no_events_yet.drain(..).partition(|(name, _)| is_listed(name));
    owed.no_events_yet = listed;
    owed.silent.extend(off);
    owed.alive.retain(|name, _| entries.iter().any(|entry| entry.rank(name).is_some()));
    for (name, at) in owed.alive.clone() {
        let prefix = best_entries(entries, &name)[0].log_stream_name_prefix.as_ref();
        looks.iter().filter(|look| (look.from..=look.to).contains(&at)).for_each(|look| owed.owe(&name, prefix, *look));
    }
    for group in ended.groups.iter().filter(|group| matches!(group.log_group, LogGroup::Present { .. })) {
        let start = Millis::of(ended.run.start_time);
        owed.alive.entry(group.place.log_group.clone()).and_modify(|at| *at = start.max(*at)).or_insert(start);
    }
    for one in &ended.report.decided {
        let silent = (one.source.log_group_name.clone(), one.window);
        match one.settled {
            Settled::Warned { .. } => owed.silent.push(silent),
            Settled::NothingYet => {
                // No event can arrive in what is old enough.
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

/// (k) What is lost fails the run that records it, and no later one.
fn fails_for_lost(world: &mut World, ended: &Ended) -> Result<(), String> {
    let own = world.manifests.iter().filter_map(|(path, stored)| Some((path, serde_json::from_slice::<Manifest>(&stored.bytes).ok()?)));
    let mut own = own.filter(|(_, manifest)| manifest.execution.as_ref() == Some(&ended.report.execution));
    if let Some((path, _)) = own.find(|(_, manifest)| ended.has_succeeded && manifest.reason.is_some_and(Reason::fails_run)) {
        return Err(format!("(k) {} succeeded and recorded {path}", ended.report.execution));
    }
    for one in &ended.report.decided {
        if !matches!(one.settled, Settled::Lost { reason } if reason.fails_run()) {
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

/// (l) What was open, and a log group that was found in the window, never ends as if nobody had known of it.
fn knows_what_was_seen(world: &World, ended: &Ended) -> Result<(), String> {
    for one in &ended.report.decided {
        let name = &one.source.log_group_name;
        let was_found = world.owed.alive.get(name).is_some_and(|at| (one.window.from..=one.window.to).contains(at));
        let place = one.source.place(&world.stack).unwrap();
        let mut open = ended.memory.open.of(&place).filter(|open| open.outcome != OpenOutcome::Skipped);
        let was_open = open.any(|open| open.window().overlaps(one.window) && open.since() < ended.run.start_time);
        let is_wrong = match &one.settled {
            Settled::Warned { warning } => warning.name == WarningName::LogGroupNotFound && (was_found || was_open),
            Settled::Skipped { reason: Reason::CreatedAfterMonth } => was_found || was_open,
            Settled::Skipped { reason: Reason::NoEventsInMonth | Reason::ExpiredBeforeFirstRun } => was_open,
            _ => false,
        };
        if is_wrong {
            return Err(format!("(l) {one:?}, and it was seen: {:?}", ended.memory));
        }
    }
    Ok(())
}
