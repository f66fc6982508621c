//! The objects of the archive's bucket, and how a run reads and writes them: as the archive crate does.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use export_core::{
    Month, Window,
    contract::report::Report,
    decide::Question,
    destination::task_folder,
    manifest::{Content, FolderContents, FoundManifest, Manifest, is_hidden},
    missing::{FoundLogGroups, Memory, OpenWindow},
    place::{ManifestKey, Place},
    planner::TaskSpeed,
    time::{Millis, parse_instant},
};

use crate::world::{StoredManifest, World};

/// What the scheduled runs that have ended reported.
#[derive(Default)]
pub struct LastRuns {
    pub compared_through: Option<Month>,
    pub latest_scheduled_time: Option<DateTime<Utc>>,
    pub found: Vec<FoundLogGroups>,
}

impl World {
    pub fn last_runs(&self, due_month: Month, due_window: Window) -> LastRuns {
        let mut last = LastRuns::default();
        let mut has_compared = false;
        for (_, report) in self.reports_newest_first() {
            let Some(scheduled) = report.scheduled_time.as_deref().and_then(parse_instant) else { continue };
            last.latest_scheduled_time = last.latest_scheduled_time.max(Some(scheduled));
            if !has_compared {
                last.compared_through = Some(report.due_month);
            }
            if !report.compared_everything {
                continue;
            }
            let at = parse_instant(&report.started).unwrap();
            let is_before = at <= due_window.end();
            if !has_compared || is_before {
                last.found.push(FoundLogGroups { names: report.found.clone(), scheduled_time: scheduled, at });
            }
            has_compared = true;
            if is_before || report.due_month >= due_month {
                break;
            }
        }
        last
    }

    /// By the start times in their names.
    pub fn reports_newest_first(&self) -> impl Iterator<Item = (&String, &Report)> {
        let mut reports: Vec<_> = self.reports.iter().collect();
        reports.sort_by_key(|(key, _)| std::cmp::Reverse(key.rsplit('/').next().unwrap().to_owned()));
        reports.into_iter()
    }

    pub fn memory(&self, found: Vec<FoundLogGroups>) -> Memory {
        let open: Vec<OpenWindow> = self.open_windows().collect();
        Memory { open: open.into(), unreadable: Vec::new(), found }
    }

    pub fn open_windows(&self) -> impl Iterator<Item = OpenWindow> {
        self.missing.iter().map(|(key, bytes)| OpenWindow::parse(bytes, key, &self.stack).unwrap())
    }

    pub fn put_open(&mut self, open: &OpenWindow) {
        self.version += 1;
        self.missing.insert(open.key(&self.stack), serde_json::to_vec(open).unwrap());
    }

    pub fn remove_open(&mut self, open: &OpenWindow) {
        self.version += 1;
        self.missing.remove(&open.key(&self.stack));
    }

    pub fn oldest_task(&self, question: &Question) -> Option<DateTime<Utc>> {
        let any = Window { from: Millis(i64::MIN), to: Millis(i64::MAX) };
        let near = self
            .list_manifests(&question.target.place, question.target.month, any)
            .into_iter()
            .filter(|(key, _)| key.month <= question.target.month);
        let read = near.filter_map(|(key, _)| self.read_manifest(&question.target.place, &key));
        let tasks = read.filter(|found| found.manifest().is_some_and(|manifest| manifest.task_id.is_some()));
        tasks.filter_map(|found| found.manifest().and_then(Manifest::created_at)).min()
    }

    pub fn speed(&self, question: &Question) -> Option<TaskSpeed> {
        let any = Window { from: Millis(i64::MIN), to: Millis(i64::MAX) };
        let before = question.target.month.previous();
        let mut keys: Vec<ManifestKey> = self
            .list_manifests(&question.target.place, before, any)
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| key.month <= before)
            .collect();
        keys.sort_unstable_by_key(|key| Reverse((key.window.duration(), key.window.from)));
        keys.iter()
            .filter_map(|key| self.read_manifest(&question.target.place, key))
            .find_map(|found| found.manifest().and_then(TaskSpeed::of))
    }

    pub fn list_folder(&self, folder: &str) -> FolderContents {
        let mut listed = FolderContents::default();
        for (key, object) in self.objects.range(folder.to_owned()..).take_while(|(key, _)| key.starts_with(folder)) {
            let rest = &key[folder.len()..];
            listed.objects += 1;
            listed.hidden_objects += u64::from(is_hidden(rest));
            listed.bytes += object.bytes;
            listed.digest += &format!("{key} {} {}\n", object.bytes, object.etag);
            *listed.streams.entry(rest.split('/').next().unwrap().to_owned()).or_default() += object.bytes;
        }
        listed
    }

    /// The keys of the overlapping manifests, in the folders of the month and its neighbours, with their contents.
    pub fn list_manifests(&self, place: &Place, month: Month, window: Window) -> Vec<(ManifestKey, StoredManifest)> {
        let mut listed = Vec::new();
        let hash = place.hash();
        for month in [month.previous(), month, month.next()] {
            let folder = self.stack.month_folder(month);
            for (key, stored) in self.manifests.range(folder.clone()..).take_while(|(key, _)| key.starts_with(&folder)) {
                let key = ManifestKey::parse(month, &key[folder.len()..]);
                let is_own = |key: &ManifestKey| key.place == hash && key.window.overlaps(window);
                listed.extend(key.filter(is_own).map(|key| (key, stored.clone())));
            }
        }
        listed
    }

    /// Reads one manifest. `None`: it does not exist any more.
    pub fn read_manifest(&self, place: &Place, key: &ManifestKey) -> Option<FoundManifest> {
        let stored = self.manifests.get(&self.stack.manifest_key(key))?;
        // With other contents, it is another manifest.
        let etag = String::from_utf8(stored.bytes.clone()).unwrap();
        Some(FoundManifest { key: key.clone(), etag, content: self.content(place, key, stored) })
    }

    fn content(&self, place: &Place, key: &ManifestKey, stored: &StoredManifest) -> Content {
        if stored.is_unreadable {
            return Content::Unreadable("InvalidObjectState".to_owned());
        }
        let content = Content::parse(&stored.bytes, place, key, self.now);
        match content.task_id().map(|task_id| self.list_folder(&task_folder(&place.destination.prefix_of(key.month), task_id))) {
            Some(folder) => content.with_folder(folder),
            None => content,
        }
    }

    /// S3's conditional write: `If-None-Match: *` if there was no object, else `If-Match` with its ETag.
    pub fn put_manifest(&mut self, key: &ManifestKey, old: Option<&StoredManifest>, bytes: Vec<u8>) -> bool {
        let path = self.stack.manifest_key(key);
        if self.manifests.get(&path) != old {
            return false;
        }
        self.version += 1;
        self.manifests.insert(path, StoredManifest { bytes, is_unreadable: false });
        true
    }

    pub fn delete_manifest(&mut self, key: &ManifestKey) {
        self.version += 1;
        self.manifests.remove(&self.stack.manifest_key(key));
    }
}
