//! What people do to the archive and to the log groups, in the middle of a run too.

use chrono::TimeDelta;
use export_core::{
    Month, Window,
    place::ManifestKey,
    time::{Millis, format_instant},
};
use proptest::{option, prelude::*};
use serde_json::{Value, json};

use crate::world::{StoredManifest, World, ZONES};

#[derive(Debug, Clone)]
pub enum Person {
    DeleteObject(usize),
    DeleteFolder(usize),
    OverwriteObject {
        object: usize,
        same_size: bool,
    },
    DeleteManifest(usize),
    /// It replaces a manifest, or is written where there is none.
    Garbage {
        manifest: usize,
        over: bool,
        kind: Garbage,
    },
    MakeUnreadable(usize),
    MakeReadable,
    DeleteStream(usize),
    DeleteGroup(usize),
    CreateGroup(usize),
    SetRetention {
        group: usize,
        days: Option<i32>,
    },
    HideNewestEvent(bool),
}

#[derive(Debug, Clone)]
pub enum Garbage {
    OfTheFuture,
    Foreign,
    Broken,
}

pub fn person() -> impl Strategy<Value = Person> {
    let pick = || 0..1000usize;
    let garbage = prop_oneof![Just(Garbage::OfTheFuture), Just(Garbage::Foreign), Just(Garbage::Broken)];
    prop_oneof![
        pick().prop_map(Person::DeleteObject),
        pick().prop_map(Person::DeleteFolder),
        (pick(), any::<bool>()).prop_map(|(object, same_size)| Person::OverwriteObject { object, same_size }),
        pick().prop_map(Person::DeleteManifest),
        (pick(), any::<bool>(), garbage).prop_map(|(manifest, over, kind)| Person::Garbage { manifest, over, kind }),
        pick().prop_map(Person::MakeUnreadable),
        Just(Person::MakeReadable),
        pick().prop_map(Person::DeleteStream),
        (0..2usize).prop_map(Person::DeleteGroup),
        (0..2usize).prop_map(Person::CreateGroup),
        (0..2usize, option::of(prop_oneof![Just(7), Just(30), Just(60)])).prop_map(|(group, days)| Person::SetRetention { group, days }),
        any::<bool>().prop_map(Person::HideNewestEvent),
    ]
}

fn nth<T: Clone>(of: impl IntoIterator<Item = T>, pick: usize) -> Option<T> {
    let all: Vec<T> = of.into_iter().collect();
    (!all.is_empty()).then(|| all[pick % all.len()].clone())
}

/// Somebody does something.
pub fn act(world: &mut World, person: &Person) {
    world.changes += 1;
    world.owed.forget_lost();
    match person {
        Person::DeleteObject(pick) => {
            if let Some(key) = nth(world.objects.keys().cloned(), *pick) {
                let object = world.objects.remove(&key).unwrap();
                world.touch_task(&key);
                world.seen.forget(object.events);
            }
        }
        Person::DeleteFolder(pick) => {
            if let Some(key) = nth(world.objects.keys().cloned(), *pick) {
                let folder = key.rsplitn(3, '/').last().unwrap().to_owned();
                let inside: Vec<String> = world.objects.keys().filter(|key| key.starts_with(&folder)).cloned().collect();
                for key in inside {
                    let object = world.objects.remove(&key).unwrap();
                    world.touch_task(&key);
                    world.seen.forget(object.events);
                }
            }
        }
        Person::OverwriteObject { object, same_size } => {
            let etag = world.number();
            if let Some(key) = nth(world.objects.keys().cloned(), *object) {
                world.touch_task(&key);
                let object = world.objects.get_mut(&key).unwrap();
                let events = std::mem::take(&mut object.events);
                object.etag = etag;
                object.bytes = if *same_size { object.bytes } else { 1 };
                world.seen.forget(events);
            }
        }
        Person::DeleteManifest(pick) => {
            if let Some(key) = nth(world.manifests.keys().cloned(), *pick) {
                touch(world, &key);
                world.manifests.remove(&key);
            }
        }
        Person::Garbage { manifest, over, kind } => garbage(world, *manifest, *over, kind),
        Person::MakeUnreadable(pick) => {
            if let Some(key) = nth(world.manifests.keys().cloned(), *pick) {
                touch(world, &key);
                world.manifests.get_mut(&key).unwrap().is_unreadable = true;
            }
        }
        Person::MakeReadable => world.manifests.values_mut().for_each(|stored| stored.is_unreadable = false),
        Person::DeleteStream(pick) => {
            let streams =
                world.groups.iter().enumerate().flat_map(|(group, one)| one.streams.keys().map(move |stream| (group, stream.clone())));
            if let Some((group, stream)) = nth(streams, *pick) {
                world.groups[group].streams.remove(&stream);
                world.groups[group].generation += 1;
                let inside = world.events.iter_mut().filter(|event| event.group == group && event.stream == stream);
                inside.for_each(|event| event.is_gone = true);
            }
        }
        Person::DeleteGroup(group) => {
            world.groups[*group].exists = false;
            world.groups[*group].streams.clear();
            world.groups[*group].generation += 1;
            world.events.iter_mut().filter(|event| event.group == *group).for_each(|event| event.is_gone = true);
        }
        Person::CreateGroup(group) => {
            let now = Millis::of(world.now);
            let group = &mut world.groups[*group];
            if !group.exists {
                (group.exists, group.created, group.retention) = (true, now, None);
            }
        }
        Person::SetRetention { group, days } => {
            world.groups[*group].retention = *days;
            world.pass(TimeDelta::zero());
        }
        Person::HideNewestEvent(hides) => world.hides_newest_event = *hides,
    }
    world.version += 1;
}

/// Somebody deletes, hides or overwrites a manifest: events of its window may leave the views, and no run may compare it again.
fn touch(world: &mut World, path: &str) {
    let key = key_of(path);
    let (place, _) = world.places.iter().find(|(_, hash)| *hash == key.place).unwrap();
    let group = world.group_of(place);
    let name = place.log_group.clone();
    let inside = world.events.iter().enumerate();
    let inside = inside.filter(|(_, event)| event.group == group && (key.window.from..=key.window.to).contains(&event.at));
    let inside: Vec<usize> = inside.map(|(index, _)| index).collect();
    world.seen.forget(inside);
    world.owed.forget(&name, key.window);
}

/// From a manifest's whole key in the bucket.
pub fn key_of(path: &str) -> ManifestKey {
    let (folder, name) = path.rsplit_once('/').unwrap();
    let parts: Vec<&str> = folder.split(['/', '=']).collect();
    let part = |name: &str| parts[parts.iter().position(|part| *part == name).unwrap() + 1];
    let month = format!("{}-{}", part("year"), part("month")).parse().unwrap();
    ManifestKey::parse(month, name).unwrap()
}

fn garbage(world: &mut World, pick: usize, over: bool, kind: &Garbage) {
    let existing = nth(world.manifests.keys().cloned(), pick).filter(|_| over);
    let path = existing.clone().unwrap_or_else(|| {
        let (_, place) = nth(world.places.clone(), pick).unwrap();
        let month = (0..pick % 3 + 1).fold(Month::at(world.now, world.zone), |month, _| month.previous());
        let window = Window::of(month, ZONES[pick % ZONES.len()]);
        world.stack.manifest_key(&ManifestKey { place, month, window })
    });
    touch(world, &path);
    let before = world.manifests.get(&path).map(|stored| serde_json::from_slice::<Value>(&stored.bytes).unwrap_or_default());
    // Where there is none: a manifest with one wrong field.
    let mut manifest = before.filter(Value::is_object).unwrap_or_else(|| {
        let key = key_of(&path);
        let (place, _) = world.places.iter().find(|(_, hash)| *hash == key.place).unwrap();
        json!({
            "schema_version": 2, "outcome": "skipped", "reason": "NoEventsInMonth", "account": "111122223333",
            "region": "ap-northeast-1", "bucket": "archive", "log_group": place.log_group, "log_stream_name_prefix": null,
            "timezone": "UTC", "window_from": key.window.from, "window_to": key.window.to,
            "destination_prefix": place.destination.prefix_of(key.month), "task_id": null, "objects": 0, "hidden_objects": 0,
            "bytes": 0, "digest": null, "created": format_instant(world.now), "completed": null, "execution": null, "warnings": [],
        })
    });
    match kind {
        Garbage::OfTheFuture => manifest["created"] = json!("2099-01-01T00:00:00Z"),
        Garbage::Foreign => manifest["account"] = json!("999999999999"),
        Garbage::Broken => {}
    }
    let bytes = if matches!(kind, Garbage::Broken) { b"{\"schema_version\": 2,".to_vec() } else { manifest.to_string().into_bytes() };
    world.manifests.insert(path, StoredManifest { bytes, is_unreadable: false });
}
