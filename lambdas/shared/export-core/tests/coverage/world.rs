//! A model of AWS: log groups with streams and events, export tasks with one slot, and the archive's bucket.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use export_core::{
    BucketName, LogGroupName, Prefix, SettleDays, StreamPrefix, TaskId, Window,
    contract::report::Report,
    decide::{EventSearch, LogGroup, NewestEvent, Question},
    destination::{self, task_folder},
    place::{ManifestKey, Place, PlaceHash, Stack},
    target::Target,
    time::{Millis, parse_instant},
};

use crate::{owed::Owed, properties::Seen, run::Ended, scenario::Fault};

const TIME_LIMIT: TimeDelta = TimeDelta::hours(24);

/// The size of an event. A stream has so few events in a window that one event is more than the variation of the compression.
pub const EVENT_BYTES: u64 = 1000;
const EVENTS_PER_OBJECT: usize = 2;

pub const ZONES: [Tz; 5] =
    [chrono_tz::UTC, chrono_tz::Asia::Tokyo, chrono_tz::America::New_York, chrono_tz::Pacific::Kiritimati, chrono_tz::Pacific::Pago_Pago];

#[derive(Debug, Clone)]
pub struct Event {
    pub group: usize,
    pub stream: String,
    pub at: Millis,
    pub put: Millis,
    /// Expired, or deleted with its stream or log group.
    pub is_gone: bool,
}

#[derive(Debug, Clone)]
pub struct Group {
    pub name: &'static str,
    pub exists: bool,
    pub created: Millis,
    pub retention: Option<i32>,
    /// Its last event has the timestamp of the event that was put last.
    pub streams: BTreeMap<String, Millis>,
    /// No log stream gets the name of a deleted one.
    pub generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Completes,
    /// COMPLETED without having written anything, although there are events.
    WritesNothing,
    Fails,
    IsCancelled,
    Vanishes,
    /// Ended by CloudWatch Logs after 24 hours.
    TimesOut,
}

#[derive(Debug, Clone)]
pub struct Task {
    pub id: TaskId,
    pub name: String,
    pub target: Target,
    pub created: Millis,
    pub ends: Millis,
    pub fate: Fate,
    pub execution: String,
    /// The window that it exports.
    pub events: Vec<usize>,
    /// Somebody deleted objects of its folder: `check-export-task` lists less than the task wrote.
    pub is_touched: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub bytes: u64,
    pub etag: u64,
    pub events: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    pub bytes: Vec<u8>,
    pub is_unreadable: bool,
}

#[derive(Debug, Clone)]
pub struct Withdrawn {
    pub execution: String,
    pub place: Place,
    pub window: Window,
}

pub struct World {
    pub now: DateTime<Utc>,
    pub stack: Stack,
    /// The `settleDays` of the schedule's input.
    pub settle_days: u8,
    pub zone: Tz,
    pub groups: Vec<Group>,
    /// The places of the log groups, each with its hash.
    pub places: Vec<(Place, PlaceHash)>,
    pub events: Vec<Event>,
    pub tasks: Vec<Task>,
    pub objects: BTreeMap<String, Object>,
    pub manifests: BTreeMap<String, StoredManifest>,
    /// The objects in `missing/`.
    pub missing: BTreeMap<String, Vec<u8>>,
    /// The reports in `runs/`.
    pub reports: BTreeMap<String, Report>,
    /// The runs that ended.
    pub ended: Vec<Ended>,
    pub faults: Vec<Fault>,
    /// Every task of this log group fails until then.
    pub outage: Option<(usize, DateTime<Utc>)>,
    /// By log group: how long a task takes for each day of its window.
    pub hours_per_day: [u8; 2],
    /// Which of the lists of entries the schedule has.
    pub list: usize,
    /// How often people, retention or late events changed something: a run in which this changes promises less.
    pub changes: u32,
    /// Whether the metadata of streams has no timestamps.
    pub hides_newest_event: bool,
    pub seen: Seen,
    /// Runs that stopped in the middle of a write.
    pub torn: BTreeSet<ManifestKey>,
    /// Windows whose manifest existed for a moment. Their run reports them as failed.
    pub withdrawn: Vec<Withdrawn>,
    pub owed: Owed,
    /// Counts the changes of the bucket.
    pub version: u64,
    next: u64,
}

impl World {
    pub fn new() -> Self {
        let now = parse_instant("2026-01-20T03:00:00Z").unwrap();
        let created = Millis::of(now - TimeDelta::days(200));
        let group = |name| Group { name, exists: true, created, retention: None, streams: BTreeMap::new(), generation: 0 };
        let stack = Stack {
            account: "111122223333".to_owned(),
            region: "ap-northeast-1".to_owned(),
            partition: "aws".to_owned(),
            bucket: BucketName::parse("archive").unwrap(),
            s3_prefix: Prefix::parse("logs").unwrap(),
            timezone: chrono_tz::UTC,
            settle_days: SettleDays::default(),
        };
        let place = |name, s3_prefix| {
            let name = LogGroupName::parse(name).unwrap();
            let destination = destination::DEFAULT_TEMPLATE.render(&Prefix::parse(s3_prefix).unwrap(), &name).unwrap();
            let place = stack.place(stack.bucket.clone(), name, destination);
            (place.clone(), place.hash())
        };
        // Events of the last weeks, at the bounds of months in some time zones.
        let events = [
            ("2025-11-24T10:00:00Z", "prod-a"),
            ("2025-11-30T16:00:00Z", "dev-a"),
            ("2025-12-10T08:00:00Z", "prod-a"),
            ("2025-12-31T20:00:00Z", "dev-b"),
        ];
        let events = events.map(|(at, stream)| {
            let at = Millis::of(parse_instant(at).unwrap());
            Event { group: 0, stream: stream.to_owned(), at, put: at, is_gone: false }
        });
        Self {
            now,
            settle_days: 0,
            zone: chrono_tz::UTC,
            groups: vec![
                Group { streams: events.iter().map(|event| (event.stream.clone(), event.at)).collect(), ..group("/app/a") },
                group("/app/b"),
            ],
            places: vec![place("/app/a", "logs"), place("/app/b", "logs"), place("/app/a", "moved")],
            stack,
            events: events.to_vec(),
            tasks: Vec::new(),
            objects: BTreeMap::new(),
            manifests: BTreeMap::new(),
            missing: BTreeMap::new(),
            reports: BTreeMap::new(),
            ended: Vec::new(),
            faults: Vec::new(),
            outage: None,
            hours_per_day: [0; 2],
            list: 0,
            changes: 0,
            hides_newest_event: false,
            seen: Seen::default(),
            torn: BTreeSet::new(),
            withdrawn: Vec::new(),
            owed: Owed::default(),
            version: 0,
            next: 0,
        }
    }

    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn take_fault(&mut self, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let index = self.faults.iter().position(fits)?;
        Some(self.faults.remove(index))
    }

    /// Time passes: tasks end, and retention deletes events.
    pub fn pass(&mut self, time: TimeDelta) {
        let until = self.now + time;
        while let Some(ends) = self.tasks.iter().filter(|task| task.ends > Millis::of(self.now)).map(|task| task.ends).min() {
            if ends > Millis::of(until) {
                break;
            }
            self.now = ends.instant().unwrap();
            self.end_tasks();
        }
        self.now = until;
        let mut expired = 0;
        for event in self.events.iter_mut().filter(|event| !event.is_gone) {
            let retention = self.groups[event.group].retention;
            if retention.is_some_and(|days| event.at < Millis::of(until) - TimeDelta::days(days.into())) {
                event.is_gone = true;
                expired += 1;
            }
        }
        self.changes += expired;
    }

    fn end_tasks(&mut self) {
        let now = Millis::of(self.now);
        for task in self.tasks.iter().filter(|task| task.ends == now && task.fate == Fate::Completes).cloned().collect::<Vec<_>>() {
            let mut streams: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for event in &task.events {
                streams.entry(&self.events[*event].stream).or_default().push(*event);
            }
            let folder = task_folder(&task.target.destination_prefix(), &task.id);
            let mut written = Vec::new();
            for (stream, events) in &streams {
                for (index, events) in events.chunks(EVENTS_PER_OBJECT).enumerate() {
                    written.push((format!("{folder}{stream}/{index:06}.gz"), events.to_vec()));
                }
            }
            self.version += 1;
            for (key, events) in written {
                let etag = self.number();
                // Compression varies by 2 %.
                let bytes = EVENT_BYTES * events.len() as u64 + etag % 20 * events.len() as u64;
                self.objects.insert(key, Object { bytes, etag, events });
            }
        }
    }

    pub fn slot_is_busy(&self) -> bool {
        self.tasks.iter().any(|task| task.ends > Millis::of(self.now))
    }

    pub fn create_task(&mut self, target: &Target, execution: &str, length: TimeDelta, fate: Fate) -> TaskId {
        let id = TaskId::parse(&format!("task-{}", self.number())).unwrap();
        let group = self.group_of(&target.place);
        let fate = if self.outage.is_some_and(|(failing, until)| failing == group && self.now < until) { Fate::Fails } else { fate };
        let events = self.events_in(group, target.window, target.stream_prefix.as_ref());
        let length = length + target.window.duration() / 24 * i32::from(self.hours_per_day[group]);
        let (length, fate) = if length > TIME_LIMIT { (TIME_LIMIT, Fate::TimesOut) } else { (length, fate) };
        let created = Millis::of(self.now);
        self.tasks.push(Task {
            id: id.clone(),
            name: target.task_name(),
            target: target.clone(),
            created,
            ends: created + length,
            fate,
            execution: execution.to_owned(),
            events,
            is_touched: false,
        });
        id
    }

    pub fn group_of(&self, place: &Place) -> usize {
        self.groups.iter().position(|group| group.name == place.log_group.as_str()).unwrap()
    }

    pub fn touch_task(&mut self, object: &str) {
        let task_of_object = self.tasks.iter_mut().find(|task| object.contains(&format!("/{}/", task.id)));
        task_of_object.unwrap().is_touched = true;
    }

    /// The events of the log group.
    pub fn events_in(&self, group: usize, window: Window, prefix: Option<&StreamPrefix>) -> Vec<usize> {
        let events = self.events.iter().enumerate().filter(|(_, event)| {
            event.group == group
                && !event.is_gone
                && (window.from..=window.to).contains(&event.at)
                && prefix.is_none_or(|prefix| event.stream.starts_with(prefix.as_str()))
        });
        events.map(|(index, _)| index).collect()
    }

    pub fn describe(&self, name: &str) -> LogGroup {
        match self.groups.iter().find(|group| group.name == name && group.exists) {
            None => LogGroup::Absent,
            Some(group) => LogGroup::Present {
                created: Some(group.created),
                retention_in_days: group.retention,
                retention_policy: None,
                is_exportable: true,
                stored_bytes: None,
            },
        }
    }

    pub fn event_search(&self, question: &Question) -> EventSearch {
        match self
            .events_in(self.group_of(&question.target.place), question.target.window, question.target.stream_prefix.as_ref())
            .is_empty()
        {
            true => EventSearch::None,
            false => EventSearch::Found,
        }
    }

    pub fn has_stream(&self, question: &Question) -> bool {
        let streams = &self.groups[self.group_of(&question.target.place)].streams;
        streams.keys().any(|stream| question.target.stream_prefix.as_ref().is_none_or(|prefix| stream.starts_with(prefix.as_str())))
    }

    pub fn newest_event(&self, name: &str) -> NewestEvent {
        let group = self.groups.iter().find(|group| group.name == name).unwrap();
        match group.streams.values().max() {
            Some(_) if self.hides_newest_event => NewestEvent::Unknown,
            Some(at) => NewestEvent::At(*at),
            None => NewestEvent::None,
        }
    }
}
