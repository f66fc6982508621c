//! Scheduled runs over half a year, while the zone changes and the schedule is off now and then: no event of that time is lost.

use std::{cell::RefCell, rc::Rc};

use chrono::TimeDelta;
use export_core::time::parse_instant;
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

/// With one time of up to four months in which the schedule is off.
pub fn half_a_year() -> impl Strategy<Value = Vec<Days>> {
    let zone = proptest::option::weighted(0.05, 0..ZONES.len());
    let days = (0..72u8, proptest::option::of(0..2usize), zone).prop_map(|(hours, group, zone)| Days { hours, group, zone, is_on: true });
    (vec(days, 60), 0..60usize, 0..40usize).prop_map(|(mut days, off, length)| {
        days.iter_mut().skip(off).take(length).for_each(|days| days.is_on = false);
        days
    })
}

/// A run asks for January where it is February already, and exports nothing of it yet. Then the zone changes: the end of December was in
/// no window, and no run looks at December any more but for that hole.
#[test]
fn a_zone_that_changes_with_the_month_loses_no_event() {
    let world = Rc::new(RefCell::new(World::new()));
    for (zone, instant) in [
        (chrono_tz::Pacific::Kiritimati, "2026-01-20T03:00:00Z"),
        (chrono_tz::Pacific::Kiritimati, "2026-01-31T11:00:00Z"),
        (chrono_tz::Pacific::Pago_Pago, "2026-02-03T00:00:00Z"),
    ] {
        let time = parse_instant(instant).unwrap() - world.borrow().now;
        world.borrow_mut().pass(time);
        world.borrow_mut().zone = zone;
        drive(&world, vec![SCHEDULED], &[true], None).unwrap();
    }
    let first = world.borrow().ended[0].run.looks[0].window.from;
    properties::every_event_is_archived(&world.borrow(), first).unwrap();
}

pub fn play(days: &[Days]) -> Result<(), String> {
    let world = Rc::new(RefCell::new(World::new()));
    drive(&world, vec![SCHEDULED], &[true], None)?;
    let first = world.borrow().ended[0].run.looks[0].window.from;
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
