//! The manifest states what became of one window of a place. It is one JSON object on one line, and one row of the Athena table
//! `manifests`. The table's columns are the object's keys.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    BucketName, LogGroupName, Month, StreamPrefix, TaskId, Window,
    destination::Destination,
    place::{ManifestKey, Place},
    target::Target,
    time::{Millis, parse_instant},
    window::CLOCK_SKEW,
};

pub const SCHEMA_VERSION: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A task wrote at least one object.
    Exported,
    /// A task is COMPLETED and wrote nothing, and the window has no event.
    Empty,
    /// There is nothing to export, for a known reason.
    Skipped,
    /// Events are gone, and no archived object holds them, for a known reason.
    Lost,
}

/// Why a manifest says `skipped` or `lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Skipped: the log streams' metadata show no event, and none can arrive any more.
    NoEventsInMonth,
    /// Skipped: the log group was created so long after the window that even a late event cannot be in the window.
    CreatedAfterMonth,
    /// Skipped: the task wrote nothing, and retention may have deleted the events before the first run.
    ExpiredBeforeFirstRun,
    /// Lost: a run found the log group. It was deleted, or deleted and created again, before the window was archived.
    LogGroupDeleted,
    /// Lost: a run found the window, the task wrote nothing, and retention may have deleted the events.
    Expired,
    /// Lost: objects of the window's manifest are gone, and no export can restore them.
    Damaged,
}

impl Reason {
    pub fn outcome(self) -> Outcome {
        match self {
            Self::NoEventsInMonth | Self::CreatedAfterMonth | Self::ExpiredBeforeFirstRun => Outcome::Skipped,
            Self::LogGroupDeleted | Self::Expired | Self::Damaged => Outcome::Lost,
        }
    }

    /// Whether the reason is true of all log streams, whatever the entry's stream prefix.
    pub fn applies_to_all_streams(self) -> bool {
        matches!(self, Self::NoEventsInMonth | Self::CreatedAfterMonth | Self::LogGroupDeleted)
    }

    /// Whether the run that records it fails. Later runs do not fail for it.
    pub fn fails_run(self) -> bool {
        matches!(self, Self::Expired | Self::Damaged)
    }

    /// Whether the run reports it before it records it, because a person must learn of it.
    pub fn needs_report_first(self) -> bool {
        self.outcome() == Outcome::Lost || self == Self::ExpiredBeforeFirstRun
    }
}

/// Instants are RFC 3339 in UTC. Sizes are the bytes of the compressed objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub schema_version: u32,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub account: String,
    pub region: String,
    pub bucket: BucketName,
    pub log_group: LogGroupName,
    pub log_stream_name_prefix: Option<StreamPrefix>,
    pub timezone: String,
    pub window_from: Millis,
    pub window_to: Millis,
    /// Retention had deleted the beginning of the window: the export is complete from here on.
    pub complete_from: Option<Millis>,
    pub destination_prefix: String,
    pub task_id: Option<TaskId>,
    pub objects: u64,
    /// Objects of log streams that Athena does not read.
    pub hidden_objects: u64,
    pub bytes: u64,
    pub digest: Option<String>,
    /// When the task was created; without a task, when the manifest was written.
    pub created: String,
    pub completed: Option<String>,
    pub execution: Option<String>,
    /// As received: a name that only another version knows must not make the manifest invalid.
    pub warnings: Vec<serde_json::Value>,
}

impl Manifest {
    /// A manifest without a task.
    pub fn new(target: &Target, timezone: &str, outcome: Outcome, created: Millis) -> Self {
        let Place { account, region, bucket, log_group, .. } = target.place.clone();
        Self {
            schema_version: SCHEMA_VERSION,
            outcome,
            reason: None,
            account,
            region,
            bucket,
            log_group,
            log_stream_name_prefix: target.stream_prefix.clone(),
            timezone: timezone.to_owned(),
            window_from: target.window.from,
            window_to: target.window.to,
            complete_from: None,
            destination_prefix: target.destination_prefix(),
            task_id: None,
            objects: 0,
            hidden_objects: 0,
            bytes: 0,
            digest: None,
            created: created.to_string(),
            completed: None,
            execution: None,
            warnings: Vec::new(),
        }
    }

    /// The manifest of a window that is recorded without an export. The remaining objects of a damaged window stay in Athena's views: the
    /// manifest keeps the task, and states what is left. `None`: the damaged manifest is gone.
    pub fn record(target: &Target, timezone: &str, reason: Reason, execution: &str, found: &[FoundManifest], now: Millis) -> Option<Self> {
        let recorded =
            |manifest| Self { outcome: reason.outcome(), reason: Some(reason), execution: Some(execution.to_owned()), ..manifest };
        if reason != Reason::Damaged {
            return Some(recorded(Self::new(target, timezone, reason.outcome(), now)));
        }
        let damaged = found.iter().find(|found| found.key == target.manifest_key())?;
        let (old, present) = damaged.manifest().zip(damaged.folder())?;
        Some(recorded(Self {
            objects: present.objects,
            hidden_objects: present.hidden_objects,
            bytes: present.bytes,
            digest: Some(present.digest.clone()),
            ..old.clone()
        }))
    }

    pub fn window(&self) -> Window {
        Window { from: self.window_from, to: self.window_to }
    }

    /// Parses a manifest of any place. The error says what is wrong with it.
    pub fn parse(bytes: &[u8], key: &ManifestKey, now: DateTime<Utc>) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| format!("it cannot be read as a manifest: {error}"))?;
        let place = manifest.place_at(key).ok_or("its key is not that of its place")?;
        manifest.mismatch(&place, key, now).map_or(Ok(manifest), Err)
    }

    /// The place whose hash the key contains.
    pub fn place_at(&self, key: &ManifestKey) -> Option<Place> {
        let place = |destination| Place {
            account: self.account.clone(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            log_group: self.log_group.clone(),
            destination,
        };
        Destination::candidates(&self.destination_prefix, key.month).map(place).find(|place| place.hash() == key.place)
    }

    /// Why it is not the manifest of `place` with this key.
    fn mismatch(&self, place: &Place, key: &ManifestKey, now: DateTime<Utc>) -> Option<String> {
        let wrong = |field: &str, actual: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
            Some(format!("its {field} is {actual:?}, not {expected:?}"))
        };
        let prefix = place.destination.prefix_of(key.month);
        if self.schema_version != SCHEMA_VERSION {
            wrong("schema_version", &self.schema_version, &SCHEMA_VERSION)
        } else if (&self.account, &self.region) != (&place.account, &place.region) {
            wrong("account and Region", &(&self.account, &self.region), &(&place.account, &place.region))
        } else if (&self.bucket, &self.log_group) != (&place.bucket, &place.log_group) {
            wrong("place", &(&self.bucket, &self.log_group), &(&place.bucket, &place.log_group))
        } else if self.window() != key.window {
            wrong("window", &self.window(), &key.window)
        } else if self.destination_prefix != prefix {
            wrong("destination_prefix", &self.destination_prefix, &prefix)
        } else if !self.is_consistent() {
            Some("its outcome, reason, task_id and objects contradict each other".to_owned())
        } else {
            match parse_instant(&self.created) {
                None => wrong("created", &self.created, &"an instant"),
                Some(created) if created > now + CLOCK_SKEW => Some(format!("it was created at {}, in the future", self.created)),
                Some(created) if created < key.window.complete_at() => {
                    Some(format!("it was created at {}, before its window was complete", self.created))
                }
                Some(_) => None,
            }
        }
    }

    /// Whether it states no objects. The remaining objects of a damaged window that is lost count like an export.
    pub fn has_no_objects(&self) -> bool {
        match self.outcome {
            Outcome::Exported => false,
            Outcome::Empty | Outcome::Skipped => true,
            Outcome::Lost => self.task_id.is_none(),
        }
    }

    fn is_consistent(&self) -> bool {
        let has_reason = self.reason.map(Reason::outcome) == Some(self.outcome);
        match self.outcome {
            Outcome::Exported => self.task_id.is_some() && self.reason.is_none() && self.objects > 0,
            Outcome::Empty => self.task_id.is_some() && self.reason.is_none() && self.objects == 0,
            Outcome::Skipped => self.task_id.is_none() && has_reason && self.objects == 0,
            // The folder can be empty.
            Outcome::Lost if self.reason == Some(Reason::Damaged) => self.task_id.is_some(),
            Outcome::Lost => self.task_id.is_none() && has_reason && self.objects == 0,
        }
    }

    /// How long its task held the slot.
    pub fn seconds(&self) -> f64 {
        let completed = self.completed.as_deref().and_then(parse_instant);
        completed.zip(self.created_at()).map_or(0.0, |(completed, created)| (completed - created).as_seconds_f64().max(0.0))
    }

    pub fn created_at(&self) -> Option<DateTime<Utc>> {
        parse_instant(&self.created)
    }
}

/// The contents of a task's folder, by one listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderContents {
    pub objects: u64,
    pub hidden_objects: u64,
    pub bytes: u64,
    /// SHA-256 over one line for each object, in the order of the keys: key, size and ETag.
    pub digest: String,
    /// The bytes of each log stream's folder.
    pub streams: BTreeMap<String, u64>,
}

/// Whether Athena does not read an object of a task. Athena ignores files and folders whose name begins with `_` or `.`, and a log
/// stream's folder has the log stream's name. `key` is relative to the task's folder.
pub fn is_hidden(key: &str) -> bool {
    key.split('/').any(|part| part.starts_with(['_', '.']))
}

/// A manifest in the archive, with the contents of its task's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundManifest {
    pub key: ManifestKey,
    /// The ETag of the object that was read. With another ETag, it is another manifest.
    pub etag: String,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It exists but cannot be read, with AWS's message. It may be valid, so nothing replaces it.
    Unreadable(String),
    /// It is not a manifest of this place and window: it covers nothing.
    Invalid { why: String, task: Option<(TaskId, FolderContents)> },
    /// The folder is empty if the manifest has no task.
    Manifest { manifest: Box<Manifest>, folder: FolderContents },
}

impl Content {
    /// Parses a manifest's bytes. [`Content::with_folder`] adds the contents of its task's folder.
    pub fn parse(bytes: &[u8], place: &Place, key: &ManifestKey, now: DateTime<Utc>) -> Self {
        let manifest: Manifest = match serde_json::from_slice(bytes) {
            Ok(manifest) => manifest,
            Err(error) => return Self::Invalid { why: format!("it cannot be read as a manifest: {error}"), task: None },
        };
        match manifest.mismatch(place, key, now) {
            None => Self::Manifest { manifest: Box::new(manifest), folder: FolderContents::default() },
            // The objects of a task of this place still count, whatever else the manifest says.
            Some(why) => {
                let is_of_place = manifest.destination_prefix == place.destination.prefix_of(key.month) && manifest.bucket == place.bucket;
                Self::Invalid { why, task: manifest.task_id.filter(|_| is_of_place).map(|task| (task, FolderContents::default())) }
            }
        }
    }

    /// The task that the manifest names.
    pub fn task_id(&self) -> Option<&TaskId> {
        match self {
            Self::Unreadable(_) => None,
            Self::Invalid { task, .. } => task.as_ref().map(|(task_id, _)| task_id),
            Self::Manifest { manifest, .. } => manifest.task_id.as_ref(),
        }
    }

    pub fn with_folder(mut self, listed: FolderContents) -> Self {
        match &mut self {
            Self::Manifest { folder, .. } | Self::Invalid { task: Some((_, folder)), .. } => *folder = listed,
            Self::Unreadable(_) | Self::Invalid { task: None, .. } => {}
        }
        self
    }
}

impl FoundManifest {
    pub fn month(&self) -> Month {
        self.key.month
    }

    /// The manifest, if it fits its key and place.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.content {
            Content::Manifest { manifest, .. } => Some(manifest),
            _ => None,
        }
    }

    /// The task's id for a message; empty if it has no task.
    pub fn task_id_text(&self) -> &str {
        self.content.task_id().map(TaskId::as_str).unwrap_or_default()
    }

    /// What still is in its task's folder.
    pub fn folder(&self) -> Option<&FolderContents> {
        match &self.content {
            Content::Manifest { manifest, folder } if manifest.task_id.is_some() => Some(folder),
            Content::Invalid { task: Some((_, folder)), .. } => Some(folder),
            _ => None,
        }
    }

    /// Whether it is invalid, but names a task of this place that still has objects.
    pub fn is_invalid_with_objects(&self) -> bool {
        self.manifest().is_none() && self.folder().is_some_and(|folder| folder.objects > 0)
    }

    /// How the folder differs in number and bytes from what the manifest states. `None`: it does not differ.
    pub fn damage(&self) -> Option<String> {
        let Content::Manifest { manifest, folder } = &self.content else { return None };
        let differs = manifest.task_id.is_some() && (manifest.objects, manifest.bytes) != (folder.objects, folder.bytes);
        differs.then(|| {
            format!(
                "it states {} objects of {} bytes, but its task's folder has {} of {} bytes",
                manifest.objects, manifest.bytes, folder.objects, folder.bytes
            )
        })
    }

    /// Why a manifest that can be read is not valid.
    pub fn fault(&self) -> Option<String> {
        match &self.content {
            Content::Invalid { why, .. } => Some(why.clone()),
            _ => self.damage(),
        }
    }

    /// Whether it fits its key and place, but its folder differs from what it states.
    pub fn is_damaged(&self) -> bool {
        self.damage().is_some()
    }

    pub fn is_valid(&self) -> bool {
        self.manifest().is_some() && self.damage().is_none()
    }

    /// Whether the objects changed after the manifest was written, although number and bytes are the same.
    pub fn is_changed(&self) -> bool {
        let Content::Manifest { manifest, folder } = &self.content else { return false };
        self.is_valid() && manifest.task_id.is_some() && manifest.digest.as_ref().is_some_and(|digest| *digest != folder.digest)
    }
}
