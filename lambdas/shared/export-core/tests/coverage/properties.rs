//! The properties that always hold. The letters are those of the messages.

use std::collections::BTreeSet;

use export_core::{
    StreamPrefix, Window,
    contract::plan::{Run, WindowOutcome},
    destination::task_folder,
    manifest::{FoundManifest, Manifest, Outcome, Reason},
    place::{ManifestKey, Place, PlaceHash},
    planner::Group,
    time::Millis,
};

use crate::{
    people::key_of,
    run::{Ended, tasks_of},
    world::{Task, World},
};

/// The events that were in the views and that nobody removed.
#[derive(Debug, Default)]
pub struct Seen {
    events: BTreeSet<usize>,
    version: u64,
}

impl Seen {
    /// Events whose objects or manifests somebody deleted or overwrote.
    pub fn forget(&mut self, events: Vec<usize>) {
        events.iter().for_each(|event| _ = self.events.remove(event));
    }
}

/// Every fitting manifest of a place.
fn fitting(world: &World, (place, hash): &(Place, PlaceHash)) -> Vec<FoundManifest> {
    let keys = world.manifests.keys().map(|path| key_of(path)).filter(|key| key.place == *hash);
    keys.filter_map(|key| world.read_manifest(place, &key)).filter(|found| found.manifest().is_some()).collect()
}

/// (d) An archived event whose object still exists, and whose manifest nobody deleted, never leaves the views.
pub fn check_views(world: &mut World) -> Result<(), String> {
    if world.seen.version == world.version {
        return Ok(());
    }
    world.seen.version = world.version;
    let mut visible: BTreeSet<usize> = BTreeSet::new();
    let mut archived = Vec::new();
    for place in &world.places {
        for found in fitting(world, place) {
            let Some(task_id) = &found.manifest().unwrap().task_id else { continue };
            let folder = task_folder(&place.0.destination.prefix_of(found.key.month), task_id);
            let objects = world.objects.range(folder.clone()..).take_while(|(key, _)| key.starts_with(&folder));
            let events: Vec<usize> = objects.flat_map(|(_, object)| object.events.iter().copied()).collect();
            visible.extend(&events);
            // Somebody deleted an object of the task while its manifest was written.
            let touched = world.tasks.iter().filter(|task| task.id == *task_id && task.is_touched);
            visible.extend(touched.flat_map(|task| task.events.iter()));
            // A manifest that is being written may be withdrawn.
            archived.extend(events.into_iter().filter(|_| !world.torn.contains(&found.key)));
        }
    }
    if let Some(event) = world.seen.events.iter().find(|event| !visible.contains(event)) {
        return Err(format!("(d) event {:?} left the views", world.events[*event]));
    }
    world.seen.events.extend(archived);
    Ok(())
}

/// (b) Windows of one place never overlap while no run writes. A run that died between two writes may have left both of its windows.
pub fn check_overlaps(world: &mut World) -> Result<(), String> {
    for place in &world.places {
        let fitting = fitting(world, place);
        for (index, one) in fitting.iter().enumerate() {
            let overlaps = |other: &&FoundManifest| one.key.window.overlaps(other.key.window);
            let is_torn = |found: &FoundManifest| world.torn.contains(&found.key);
            if let Some(other) = fitting[index + 1..].iter().filter(overlaps).find(|other| !is_torn(one) && !is_torn(other)) {
                return Err(format!("(b) {} overlaps {}: {:?} and {:?}", one.key, other.key, one.content, other.content));
            }
        }
    }
    // An interrupted write is repaired when nothing overlaps it any more.
    let keys: Vec<ManifestKey> = world.manifests.keys().map(|path| key_of(path)).collect();
    let overlaps = |one: &ManifestKey, other: &ManifestKey| one != other && one.place == other.place && one.window.overlaps(other.window);
    world.torn.retain(|torn| keys.contains(torn) && keys.iter().any(|key| overlaps(key, torn)));
    Ok(())
}

/// The world when a run began.
pub struct WorldAtStart {
    pub changes: u32,
    now: Millis,
    force: bool,
    withdrawn: usize,
    /// By log group: the windows that valid manifests cover.
    covered: Vec<Vec<Window>>,
}

fn answering<'a>(found: &'a [FoundManifest], prefix: Option<&'a StreamPrefix>) -> impl Iterator<Item = &'a FoundManifest> {
    found.iter().filter(move |found| StreamPrefix::includes(found.manifest().unwrap().log_stream_name_prefix.as_ref(), prefix))
}

fn of_group<'a>(world: &'a World, group: &Group) -> &'a (Place, PlaceHash) {
    world.places.iter().find(|(place, _)| *place == group.place).unwrap()
}

/// The windows of a place that valid manifests cover.
pub fn valid(world: &World, place: &(Place, PlaceHash), prefix: Option<&StreamPrefix>) -> Vec<Window> {
    let found = fitting(world, place);
    let valid = answering(&found, prefix).filter(|found| found.is_valid());
    valid.map(|found| found.key.window).collect()
}

fn covered(world: &World, group: &Group) -> Vec<Window> {
    valid(world, of_group(world, group), group.source.log_stream_name_prefix.as_ref())
}

pub fn at_start(world: &World, run: &Run, groups: &[Group]) -> WorldAtStart {
    // Nothing is exported where a manifest cannot be read.
    let unreadable = |group: &Group| {
        let unreadable = world.manifests.iter().filter(|(_, stored)| stored.is_unreadable).map(|(path, _)| key_of(path));
        unreadable.filter(|key| key.place == of_group(world, group).1).map(|key| key.window).collect()
    };
    let covered = groups.iter().map(|group| [covered(world, group), unreadable(group)].concat()).collect();
    WorldAtStart { changes: world.changes, now: Millis::of(run.start_time), force: run.force, withdrawn: world.withdrawn.len(), covered }
}

/// (a), (c) and (e), of a run during which nobody but other runs changed anything.
pub fn at_end(world: &World, start: &WorldAtStart, ended: &Ended) -> Result<(), String> {
    if world.changes != start.changes {
        return Ok(());
    }
    for (index, group) in ended.groups.iter().enumerate() {
        if ended.has_succeeded {
            leaves_no_hole(world, start, index, ended, group)?;
        }
        has_each_event_once(world, start, ended, group)?;
        for (task, target, window) in tasks_of(world, &ended.report.execution) {
            let again = start.covered[index].iter().find(|covered| covered.overlaps(window));
            if let Some(again) = again.filter(|_| !start.force && target.place == group.place) {
                return Err(format!("(e) {task:?} exported {window:?} although {again:?} was covered"));
            }
        }
    }
    Ok(())
}

fn reported(ended: &Ended, group: &Group, fits: impl Fn(&WindowOutcome) -> bool) -> Vec<Window> {
    let of_group = ended.report.decided.iter().filter(|one| one.source == group.source && fits(&one.outcome));
    of_group.map(|one| one.window).collect()
}

/// The windows of other runs' manifests that this one may have seen before they were withdrawn. Those runs report them as failed.
fn withdrawn(world: &World, start: &WorldAtStart, ended: &Ended, group: &Group) -> Vec<Window> {
    let others =
        world.withdrawn[start.withdrawn..].iter().filter(|one| one.place == group.place && one.execution != ended.report.execution);
    others.map(|one| one.window).collect()
}

/// (a) Where a run said SUCCEEDED, valid manifests leave no hole in the months that it looked at, except in rows that write nothing and
/// do not fail, and what waits.
fn leaves_no_hole(world: &World, start: &WorldAtStart, index: usize, ended: &Ended, group: &Group) -> Result<(), String> {
    let covered = covered(world, group);
    let writes_nothing = reported(ended, group, |settled| {
        matches!(settled, WindowOutcome::NothingYet | WindowOutcome::Waiting | WindowOutcome::Warned { .. })
    });
    let withdrawn = withdrawn(world, start, ended, group);
    let fitting = fitting(world, of_group(world, group));
    let answering: Vec<&FoundManifest> = answering(&fitting, group.source.log_stream_name_prefix.as_ref()).collect();
    let narrower = fitting.iter().filter(|found| !answering.contains(found)).map(|found| found.key.window);
    let narrower: Vec<Window> = narrower.collect();
    for look in &ended.run.months_to_compare {
        let first = start.covered[index]
            .iter()
            .filter(|window| covered.contains(window) && window.overlaps(look.window))
            .map(|window| window.from)
            .min();
        // In months this old, an export of fewer log streams stays.
        let narrower = if look.after_first_covered { &narrower[..] } else { &[] };
        let mut holes = look.window.without(&[&covered[..], &writes_nothing[..], &withdrawn[..], narrower].concat());
        holes.retain(|hole| !look.after_first_covered || first.is_some_and(|first| hole.from > first));
        if let Some(hole) = holes.first() {
            return Err(format!("(a) {} succeeded, and {hole:?} of {look:?} is not covered: {:?}", ended.report.execution, ended.report));
        }
    }
    Ok(())
}

/// (c) Every event that was there when its window was exported is in exactly one exported window, or in one that the report names.
fn has_each_event_once(world: &World, start: &WorldAtStart, ended: &Ended, group: &Group) -> Result<(), String> {
    let prefix = group.source.log_stream_name_prefix.as_ref();
    let mut named = reported(ended, group, |settled| {
        !matches!(settled, WindowOutcome::Exported { .. } | WindowOutcome::Empty { .. } | WindowOutcome::NothingYet)
    });
    named.extend(withdrawn(world, start, ended, group));
    let found = fitting(world, of_group(world, group));
    let index = world.groups.iter().position(|one| one.name == group.place.log_group.as_str()).unwrap();
    for look in ended.run.months_to_compare.iter().filter(|look| !look.after_first_covered && ended.report.compared_everything) {
        for index in world.events_in(index, look.window, prefix) {
            let event = &world.events[index];
            let contains = |window: &Window| (window.from..=window.to).contains(&event.at);
            let holding: Vec<&Manifest> =
                answering(&found, prefix).filter(|found| contains(&found.key.window)).filter_map(FoundManifest::manifest).collect();
            let is_wrong = match holding[..] {
                [] => event.put <= start.now && !named.iter().any(contains),
                [manifest] => misses(world, manifest, index),
                _ => !found.iter().any(|found| world.torn.contains(&found.key)),
            };
            if is_wrong {
                return Err(format!("(c) {event:?} is in {holding:?} after {:?}", ended.report));
            }
        }
    }
    Ok(())
}

/// Whether the manifest leaves out an event that existed.
fn misses(world: &World, manifest: &Manifest, event: usize) -> bool {
    let put = world.events[event].put;
    match (&manifest.task_id, manifest.reason) {
        (Some(task_id), _) => {
            let task = world.tasks.iter().find(|task| task.id == *task_id).unwrap();
            let is_archived = task.events.contains(&event) && (manifest.outcome == Outcome::Exported || task.is_touched);
            put <= task.created && !is_archived
        }
        // Recorded as lost.
        (None, Some(reason)) if reason.outcome() == Outcome::Lost => false,
        (None, Some(Reason::ExpiredBeforeFirstRun)) => {
            let is_of_run = |task: &&Task| Some(&task.execution) == manifest.execution.as_ref() && task.target.window == manifest.window();
            world.tasks.iter().rev().filter(is_of_run).any(|task| put <= task.created && task.target.place.log_group == manifest.log_group)
        }
        (None, _) => true,
    }
}

/// Every event from `first` on is in the object of exactly one task that a manifest names.
pub fn every_event_is_archived(world: &World, first: Millis) -> Result<(), String> {
    let manifests: Vec<FoundManifest> = world.places.iter().flat_map(|place| fitting(world, place)).collect();
    let tasks = manifests.iter().filter_map(|found| found.content.task_id());
    let named: Vec<&Task> = tasks.map(|task_id| world.tasks.iter().find(|task| task.id == *task_id).unwrap()).collect();
    let times = |index: usize| named.iter().filter(|task| task.events.contains(&index)).count();
    match world.events.iter().enumerate().find(|(index, event)| event.at >= first && times(*index) != 1) {
        Some((index, event)) => Err(format!("{event:?} was archived {} times", times(index))),
        None => Ok(()),
    }
}
