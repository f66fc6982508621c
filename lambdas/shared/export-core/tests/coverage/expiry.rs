//! The properties of a shorter retention that `expiry` allows.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use chrono::TimeDelta;
use export_core::{
    Month, SettleDays, Window,
    decide::LogGroup,
    destination::task_folder,
    expiry::{Answer, Proposal},
    manifest::FoundManifest,
    place::Place,
    time::Millis,
};
use proptest::{collection::vec, prelude::*};

use crate::{
    people::{Person, act, person},
    run::Shared,
    scenario::{HandMonths, Kind, RunSpec, SCHEDULED, drive, log},
    world::World,
};

/// One is shorter than an operator can ask for: it reaches what has just been exported.
const DAYS: [u32; 2] = [30, 60];
/// The log group as if retention had kept its events for so many days.
const KEPT: [i32; 3] = [40, 75, 1000];

/// The answer for a retention of so many days, and the events that it would delete at once.
fn ask(world: &World, group: usize, days: u32, kept: i32) -> (Answer, Vec<usize>) {
    let mut log_group = world.describe(world.groups[group].name);
    if let LogGroup::Present { retention_in_days, .. } = &mut log_group {
        *retention_in_days = Some(retention_in_days.unwrap_or(kept).min(kept));
    }
    let settle_days = SettleDays::new(world.settle_days.into()).unwrap();
    let due = Window::of(Month::due(world.now, world.zone, settle_days), world.zone);
    let proposal = Proposal {
        days,
        log_group: &log_group,
        has_all_streams: true,
        is_scheduled: true,
        due_until: Millis::of(due.end()),
        now: world.now,
    };
    let found = proposal.exposed().map_or_else(Vec::new, |exposed| found(world, group, exposed));
    let answer = proposal.answer(&found);
    let kept = Millis::of(world.now) - TimeDelta::days(kept.into());
    let deleted = Window { from: kept, to: Millis(proposal.expires_before().0 - 1) };
    (answer, world.events_in(group, deleted, None))
}

fn places(world: &World, group: usize) -> impl Iterator<Item = &Place> {
    world.places.iter().map(|(place, _)| place).filter(move |place| world.group_of(place) == group)
}

fn found(world: &World, group: usize, exposed: Window) -> Vec<FoundManifest> {
    let mut keys = BTreeSet::new();
    for place in places(world, group) {
        for (month, window) in Month::split_window(exposed, world.zone) {
            keys.extend(world.list_manifests(place, month, window).into_iter().map(|(key, _)| (place, key)));
        }
    }
    keys.into_iter().filter_map(|(place, key)| world.read_manifest(place, &key)).collect()
}

/// The events in existing objects that valid manifests state.
fn archived(world: &World, group: usize) -> BTreeSet<usize> {
    let mut archived = BTreeSet::new();
    let all = Window { from: Millis(0), to: Millis::of(world.now) };
    for place in places(world, group) {
        for (month, window) in Month::split_window(all, world.zone).into_iter().rev().take(24) {
            for (key, _) in world.list_manifests(place, month, window) {
                let Some(found) = world.read_manifest(place, &key).filter(FoundManifest::is_valid) else { continue };
                let Some(task_id) = found.content.task_id() else { continue };
                let folder = task_folder(&place.destination.prefix_of(key.month), task_id);
                let objects = world.objects.range(folder.clone()..).take_while(|(key, _)| key.starts_with(&folder));
                archived.extend(objects.flat_map(|(_, object)| object.events.iter().copied()));
            }
        }
    }
    archived
}

/// (m) If a retention is allowed, every event that it deletes at once is in an object that a valid manifest states.
pub fn check(world: &World) -> Result<(), String> {
    for group in 0..world.groups.len() {
        if world.describe(world.groups[group].name) == LogGroup::Absent {
            continue;
        }
        for (days, kept) in DAYS.into_iter().flat_map(|days| KEPT.map(|kept| (days, kept))) {
            let (Answer::Safe, deleted) = ask(world, group, days, kept) else { continue };
            let archived = archived(world, group);
            if let Some(lost) = deleted.iter().find(|event| !archived.contains(event)) {
                return Err(format!("(m) a retention of {days} days deletes {:?}, which is not archived", world.events[*lost]));
            }
        }
    }
    Ok(())
}

/// Half a year of two log groups, archived after the last event could arrive.
fn settled() -> Shared {
    let world = Rc::new(RefCell::new(World::new()));
    world.borrow_mut().settle_days = 15;
    (0..2).for_each(|group| log(&mut world.borrow_mut(), group, "prod", 0, 1));
    let kind = Kind::ByHand { months: HandMonths::Since(8), zone: None, force: false, incomplete: false, stream_prefix: None };
    drive(&world, vec![RunSpec { kind, dies_at: None, most: 100 }], &[true], None).unwrap();
    for _ in 0..14 {
        (0..2).for_each(|group| log(&mut world.borrow_mut(), group, "prod", 0, 1));
        world.borrow_mut().pass(TimeDelta::days(12));
        drive(&world, vec![SCHEDULED], &[true], None).unwrap();
    }
    world
}

/// The property is not vacuous.
#[test]
fn a_complete_archive_lets_the_retention_be_shortened() {
    let world = settled();
    for group in 0..2 {
        let (answer, deleted) = ask(&world.borrow(), group, 60, 1000);
        assert_eq!((answer, deleted.len() >= 8), (Answer::Safe, true), "{deleted:?}");
    }
    check(&world.borrow()).unwrap();
}

#[test]
fn damage_to_a_complete_archive_is_found() {
    let late = (0..2usize, 0..336i16).prop_map(|(group, hours_old)| Change::Late { group, hours_old });
    let change = prop_oneof![3 => person().prop_map(Change::Person), 1 => late, 1 => (1..60u8).prop_map(Change::Days)];
    crate::check(60, vec(change, 1..4), |changes| {
        let world = settled();
        for change in changes {
            match change {
                Change::Person(person) => act(&mut world.borrow_mut(), &person),
                Change::Late { group, hours_old } => log(&mut world.borrow_mut(), group, "prod", hours_old, 1),
                Change::Days(days) => world.borrow_mut().pass(TimeDelta::days(days.into())),
            }
            check(&world.borrow())?;
        }
        Ok(())
    });
}

#[derive(Debug, Clone)]
enum Change {
    Person(Person),
    Late { group: usize, hours_old: i16 },
    Days(u8),
}
