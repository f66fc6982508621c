//! Scheduled runs over half a year, while the zone changes and the schedule is off now and then: no event of that time is lost.

use std::{cell::RefCell, rc::Rc};

use chrono::TimeDelta;
use proptest::{collection::vec, prelude::*};

use crate::{
    properties,
    scenario::{SCHEDULED, drive, log},
    world::{World, ZONES},
};

/// Three days: who logs, whether the zone changes, and whether the schedule is on.
#[derive(Debug, Clone)]
pub struct Days {
    hours: u8,
    group: Option<usize>,
    zone: Option<usize>,
    is_on: bool,
}

pub fn half_a_year() -> impl Strategy<Value = Vec<Days>> {
    let zone = proptest::option::weighted(0.05, 0..ZONES.len());
    let days = (0..72u8, proptest::option::of(0..2usize), zone, prop::bool::weighted(0.7));
    vec(days.prop_map(|(hours, group, zone, is_on)| Days { hours, group, zone, is_on }), 60)
}

pub fn play(days: &[Days]) -> Result<(), String> {
    let world = Rc::new(RefCell::new(World::new()));
    drive(&world, vec![SCHEDULED], &[true], None)?;
    let first = world.borrow().reports[0].looks[0].window.from;
    let end = world.borrow().now + TimeDelta::days(3 * days.len() as i64 + 45);
    for Days { hours, group, zone, is_on } in days {
        let before = TimeDelta::hours((*hours).into());
        world.borrow_mut().pass(before);
        if let Some(group) = group {
            log(&mut world.borrow_mut(), *group, "prod", 0, 1);
        }
        world.borrow_mut().pass(TimeDelta::days(3) - before);
        if let Some(zone) = zone {
            world.borrow_mut().zone = ZONES[*zone];
        }
        if *is_on {
            drive(&world, vec![SCHEDULED], &[true], None)?;
        }
    }
    while world.borrow().now < end {
        drive(&world, vec![SCHEDULED], &[true], None)?;
        world.borrow_mut().pass(TimeDelta::days(5));
    }
    properties::every_event_is_archived(&world.borrow(), first)
}
