//! What happens over the months: random sequences of runs, faults and people, and the engine that plays them.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Waker},
};

use chrono::TimeDelta;
use export_core::{
    contract::plan::{DecidedWindow, WindowOutcome},
    time::Millis,
};
use proptest::{collection::vec, option, prelude::*};

use crate::{
    expiry, owed,
    people::{Person, act, key_of, person},
    properties,
    run::{Ended, REFUSED, Shared, run, tasks_of},
    world::{Event, Fate, World, ZONES},
};

#[derive(Debug, Clone)]
pub enum Step {
    Wait {
        hours: u16,
    },
    /// Events of one log stream. Events of a time that was exported before have their own log stream.
    Log {
        group: usize,
        stream: &'static str,
        hours_old: i16,
        count: u8,
    },
    /// A scheduled run on so many days.
    Daily(u8),
    Zone(usize),
    SettleDays(u8),
    /// Another list of entries.
    List(usize),
    Retention {
        group: usize,
        days: Option<i32>,
    },
    Fault(Fault),
    /// Every task of a log group fails.
    Outage {
        group: usize,
        days: u8,
    },
    /// Tasks of a log group take so long for each day of their window.
    Slow {
        group: usize,
        hours_per_day: u8,
    },
    Person(Person),
    Runs {
        first: RunSpec,
        second: Option<RunSpec>,
        turns: Vec<bool>,
        meanwhile: Option<(u16, Person)>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    Task(Fate),
    SlowTask {
        hours: u8,
    },
    /// CreateExportTask creates a task, and its response is lost.
    LostAnswer,
    ResultsLost,
    PlanFails,
    CheckCrashes {
        step: u8,
    },
}

#[derive(Debug, Clone)]
pub struct RunSpec {
    pub kind: Kind,
    /// After so many steps.
    pub dies_at: Option<u16>,
    /// How many log-group-months one call compares at a time. Below three, the call compares no more.
    pub most: usize,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Scheduled { hours_late: u16 },
    ByHand { months: HandMonths, zone: Option<usize>, force: bool, incomplete: bool, stream_prefix: Option<&'static str> },
}

/// In months before now.
#[derive(Debug, Clone)]
pub enum HandMonths {
    Due,
    Only(u8),
    Since(u8),
}

pub const SCHEDULED: RunSpec = RunSpec { kind: Kind::Scheduled { hours_late: 0 }, dies_at: None, most: 100 };

/// The kinds of steps of a scenario.
#[derive(Debug, Clone, Copy)]
pub struct Adversity {
    pub faults: bool,
    pub people: bool,
    pub pairs: bool,
}

pub fn steps(with: Adversity) -> impl Strategy<Value = Vec<Step>> {
    let weight = |has: bool, weight: u32| if has { weight } else { 0 };
    let log = (0..2usize, prop_oneof![Just("prod"), Just("dev")], prop_oneof![-1..12i16, 0..336i16], 1..4u8);
    let step = prop_oneof![
        4 => prop_oneof![4 => 1..1100u16, 1 => 1..3000u16].prop_map(|hours| Step::Wait { hours }),
        4 => (2..9u8).prop_map(Step::Daily),
        7 => log.prop_map(|(group, stream, hours_old, count)| Step::Log { group, stream, hours_old, count }),
        2 => prop_oneof![
            (0..ZONES.len()).prop_map(Step::Zone),
            prop_oneof![Just(0), Just(15), 0..=15u8].prop_map(Step::SettleDays),
        ],
        2 => (0..5usize).prop_map(Step::List),
        2 => prop_oneof![
            (0..2usize, option::of(prop_oneof![Just(14), Just(30), Just(60)])).prop_map(|(group, days)| Step::Retention { group, days }),
            (0..2usize, prop_oneof![Just(0u8), Just(1), Just(3), Just(14)])
                .prop_map(|(group, hours_per_day)| Step::Slow { group, hours_per_day }),
        ],
        weight(with.faults, 3) => fault().prop_map(Step::Fault),
        weight(with.faults, 1) => (0..2usize, 1..90u8).prop_map(|(group, days)| Step::Outage { group, days }),
        weight(with.people, 4) => person().prop_map(Step::Person),
        9 => runs(with),
    ];
    vec(step, 1..16)
}

/// `None`: the scenario does not have this kind.
fn sometimes<T: Clone + std::fmt::Debug + 'static>(
    has: bool,
    probability: f64,
    what: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    if has { option::weighted(probability, what).boxed() } else { Just(None).boxed() }
}

fn runs(with: Adversity) -> impl Strategy<Value = Step> {
    let second = sometimes(with.pairs, 0.5, run_spec(with));
    let meanwhile = sometimes(with.people, 0.2, (0..60u16, person()));
    let turns =
        vec((any::<bool>(), 1..8usize), 1..12).prop_map(|turns| turns.into_iter().flat_map(|(turn, times)| vec![turn; times]).collect());
    (run_spec(with), second, turns, meanwhile).prop_map(|(first, second, turns, meanwhile)| Step::Runs { first, second, turns, meanwhile })
}

fn run_spec(with: Adversity) -> impl Strategy<Value = RunSpec> {
    let months = prop_oneof![Just(HandMonths::Due), (0..4u8).prop_map(HandMonths::Only), (0..4u8).prop_map(HandMonths::Since)];
    let prefix = option::weighted(0.3, prop_oneof![Just("prod"), Just("prod-1"), Just("dev"), Just("none")]);
    let by_hand = (months, option::of(0..ZONES.len()), prop::bool::weighted(0.3), prop::bool::weighted(0.3), prefix);
    let by_hand = by_hand.prop_map(|(months, zone, force, incomplete, stream_prefix)| Kind::ByHand {
        months,
        zone,
        force,
        incomplete,
        stream_prefix,
    });
    let kind = prop_oneof![
        3 => Just(Kind::Scheduled { hours_late: 0 }),
        1 => (0..900u16).prop_map(|hours_late| Kind::Scheduled { hours_late }),
        3 => by_hand,
    ];
    let dies_at = sometimes(with.faults, 0.25, 1..70u16);
    (kind, dies_at, prop_oneof![1..3usize, Just(100)]).prop_map(|(kind, dies_at, most)| RunSpec { kind, dies_at, most })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        prop_oneof![Just(Fate::WritesNothing), Just(Fate::Fails), Just(Fate::IsCancelled), Just(Fate::Vanishes)].prop_map(Fault::Task),
        (1..25u8).prop_map(|hours| Fault::SlowTask { hours }),
        Just(Fault::LostAnswer),
        Just(Fault::ResultsLost),
        Just(Fault::PlanFails),
        (0..4u8).prop_map(|step| Fault::CheckCrashes { step }),
    ]
}

/// Plays the steps; then three scheduled runs without a fault, of which the last ones have nothing to do.
pub fn play(steps: &[Step], with: Adversity) -> Result<(), String> {
    let world = Rc::new(RefCell::new(World::new()));
    for step in steps {
        match step {
            Step::Wait { hours } => world.borrow_mut().pass(TimeDelta::hours((*hours).into())),
            Step::Log { group, stream, hours_old, count } => log(&mut world.borrow_mut(), *group, stream, *hours_old, *count),
            Step::Daily(days) => {
                for _ in 0..*days {
                    daily(&world)?;
                }
            }
            Step::Zone(index) => world.borrow_mut().zone = ZONES[*index],
            Step::SettleDays(days) => world.borrow_mut().settle_days = *days,
            Step::List(list) => world.borrow_mut().list = *list,
            Step::Retention { group, days } => act(&mut world.borrow_mut(), &Person::SetRetention { group: *group, days: *days }),
            Step::Fault(fault) => world.borrow_mut().faults.push(fault.clone()),
            Step::Outage { group, days } => {
                let until = world.borrow().now + TimeDelta::days((*days).into());
                world.borrow_mut().outage = Some((*group, until));
            }
            Step::Slow { group, hours_per_day } => world.borrow_mut().hours_per_day[*group] = *hours_per_day,
            Step::Person(person) => act(&mut world.borrow_mut(), person),
            Step::Runs { first, second, turns, meanwhile } => {
                let specs = [Some(first), second.as_ref()].into_iter().flatten();
                drive(&world, specs.cloned().collect(), turns, meanwhile.as_ref())?;
            }
        }
        properties::check_views(&mut world.borrow_mut())?;
        owed::check(&mut world.borrow_mut())?;
        expiry::check(&world.borrow())?;
    }
    world.borrow_mut().faults.clear();
    world.borrow_mut().outage = None;
    world.borrow_mut().hours_per_day = [0; 2];
    world.borrow_mut().list = 0;
    act(&mut world.borrow_mut(), &Person::MakeReadable);
    comes_to_rest(&world, with)
}

fn daily(world: &Shared) -> Result<(), String> {
    world.borrow_mut().pass(TimeDelta::days(1));
    drive(world, vec![SCHEDULED], &[true], None)
}

/// The first run may fail for a lost window, and leave a gap that the second one exports: the one after its first covered window.
fn comes_to_rest(world: &Shared, with: Adversity) -> Result<(), String> {
    let mut last: Option<Ended> = None;
    let mut exported = Vec::new();
    world.borrow_mut().pass(TimeDelta::days(1));
    for round in 0..3 {
        drive(world, vec![SCHEDULED], &[true], None)?;
        let world = world.borrow();
        let ended = world.ended.last().unwrap().clone();
        // No export has the events that retention deleted after other streams were archived.
        let is_smaller =
            |one: &DecidedWindow| matches!(&one.outcome, WindowOutcome::Failed { failure, .. } if failure.error == "SmallerExport");
        let can_be_smaller = world.events.iter().any(|event| event.is_gone) && ended.report.decided.iter().any(is_smaller);
        if round > 0 && !with.people && world.torn.is_empty() && !ended.has_succeeded && !can_be_smaller {
            return Err(format!("(f) nothing is in the way, and a run fails: {:?}", ended.report));
        }
        let targets = tasks_of(&world, &ended.report.execution);
        if let Some((_, target, _)) = targets.iter().find(|(_, target, _)| exported.contains(target)) {
            return Err(format!("(e) {target:?} is exported again: {:?}", ended.report));
        }
        if round > 1 && last.is_some_and(|last| last.has_succeeded) && (!targets.is_empty() || !ended.has_succeeded) {
            return Err(format!("(e) after a run that succeeded, the next one exported {targets:?}: {:?}", ended.report));
        }
        exported.extend(targets.into_iter().map(|(_, target, _)| target));
        last = Some(ended);
    }
    Ok(())
}

/// Alternates between the runs until all of them have ended or died.
pub fn drive(world: &Shared, specs: Vec<RunSpec>, turns: &[bool], meanwhile: Option<&(u16, Person)>) -> Result<(), String> {
    let mut runs: Vec<_> = specs
        .iter()
        .map(|spec| (Box::pin(run(world.clone(), spec.clone())) as Pin<Box<dyn Future<Output = Result<(), String>>>>, spec.dies_at, 0u16))
        .collect();
    let mut polls = 0;
    while !runs.is_empty() {
        if let Some((_, person)) = meanwhile.filter(|(at, _)| usize::from(*at) == polls) {
            act(&mut world.borrow_mut(), person);
        }
        let index = usize::from(turns[polls % turns.len()]) % runs.len();
        polls += 1;
        let (future, dies_at, own_polls) = &mut runs[index];
        *own_polls += 1;
        let ended = match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(Err(refused)) if refused == REFUSED => true,
            std::task::Poll::Ready(ended) => {
                ended?;
                true
            }
            std::task::Poll::Pending => dies_at.is_some_and(|at| at == *own_polls),
        };
        if ended {
            drop(runs.remove(index));
        }
        properties::check_views(&mut world.borrow_mut())?;
        owed::check(&mut world.borrow_mut())?;
        if polls > 100_000 {
            return Err("a run does not end".to_owned());
        }
    }
    properties::check_overlaps(&mut world.borrow_mut())
}

pub fn log(world: &mut World, group: usize, stream: &str, hours_old: i16, count: u8) {
    if !world.groups[group].exists {
        return;
    }
    let now = Millis::of(world.now);
    let number = world.events.len() as u64;
    // Its own stream only if the time was exported before.
    let at = now - TimeDelta::hours(hours_old.into());
    let is_exported =
        world.manifests.keys().any(|path| (key_of(path).window.from..=key_of(path).window.to + TimeDelta::seconds(1)).contains(&at));
    let stream = if !is_exported {
        format!("{stream}-{}-{}", number / 6, world.groups[group].generation)
    } else {
        format!("{stream}-late-{number}")
    };
    for index in 0..count {
        let at = at + TimeDelta::milliseconds(index.into());
        let retention = world.groups[group].retention;
        if retention.is_some_and(|days| at < now - TimeDelta::days(days.into())) {
            return;
        }
        world.groups[group].streams.insert(stream.clone(), at);
        world.events.push(Event { group, stream: stream.clone(), at, put: now, is_gone: false });
    }
    world.changes += 1;
}
