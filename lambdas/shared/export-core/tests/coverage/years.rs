//! Scheduled runs over half a year, while the zone and the days to settle change and the schedule is off now and then: no event of that time
//! is lost, if it is put within the days that every run leaves it.

use std::{cell::RefCell, rc::Rc};

use chrono::TimeDelta;
use export_core::time::parse_instant;
use proptest::{collection::vec, prelude::*};

use crate::{
    properties,
    scenario::{SCHEDULED, drive, log},
    world::{World, ZONES},
};

/// Three days: who logs what how many hours late, whether the zone or the days to settle change, and whether the schedule is on.
#[derive(Debug, Clone)]
pub struct Days {
    hours: u8,
    group: Option<usize>,
    hours_late: i16,
    zone: Option<usize>,
    settle_days: Option<u8>,
    is_on: bool,
}

/// PutLogEvents takes events that are up to this old.
const MOST_HOURS_LATE: i16 = 14 * 24;

#[derive(Debug, Clone)]
pub struct HalfAYear {
    settle_days: u8,
    days: Vec<Days>,
}

/// With one time of up to four months in which the schedule is off. Most runs have the fewest days to settle, and no event is later.
pub fn half_a_year() -> impl Strategy<Value = HalfAYear> {
    let fewest = prop_oneof![2 => Just(0), 3 => Just(15), 4 => 0..=15u8];
    fewest.prop_flat_map(|fewest| {
        let zone = proptest::option::weighted(0.05, 0..ZONES.len());
        let latest = MOST_HOURS_LATE.min(i16::from(fewest) * 24);
        let hours_late = prop_oneof![Just(0), Just(latest), 0..=latest];
        let settle_days = proptest::option::weighted(0.1, prop_oneof![Just(fewest), fewest..=15u8]);
        let days = (0..72u8, proptest::option::of(0..2usize), hours_late, zone, settle_days)
            .prop_map(|(hours, group, hours_late, zone, settle_days)| Days { hours, group, hours_late, zone, settle_days, is_on: true });
        (vec(days, 60), 0..60usize, 0..40usize).prop_map(move |(mut days, off, length)| {
            days.iter_mut().skip(off).take(length).for_each(|days| days.is_on = false);
            HalfAYear { settle_days: fewest, days }
        })
    })
}

/// A run asks for January where it is February already, and exports nothing of it yet. Then the zone changes: the end of December was in
/// no window, and no run looks at December any more but for that hole.
#[test]
fn a_time_zone_that_changes_between_months_loses_no_event() {
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
    let first = world.borrow().ended[0].run.months_to_compare[0].window.from;
    properties::every_event_is_archived(&world.borrow(), first).unwrap();
}

pub fn play(HalfAYear { settle_days, days }: &HalfAYear) -> Result<(), String> {
    let world = Rc::new(RefCell::new(World::new()));
    world.borrow_mut().settle_days = *settle_days;
    drive(&world, vec![SCHEDULED], &[true], None)?;
    let first = world.borrow().ended[0].run.months_to_compare[0].window.from;
    let end = world.borrow().now + TimeDelta::days(3 * days.len() as i64 + 60);
    for Days { hours, group, hours_late, zone, settle_days, is_on } in days {
        let before = TimeDelta::hours((*hours).into());
        world.borrow_mut().pass(before);
        if let Some(group) = group {
            log(&mut world.borrow_mut(), *group, "prod", *hours_late, 1);
        }
        world.borrow_mut().pass(TimeDelta::days(3) - before);
        if let Some(zone) = zone {
            world.borrow_mut().zone = ZONES[*zone];
        }
        if let Some(settle_days) = settle_days {
            world.borrow_mut().settle_days = *settle_days;
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
