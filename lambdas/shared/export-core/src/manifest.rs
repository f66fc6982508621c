//! The manifest: the statement of what became of one window of a place. It is one JSON object on one line, and one row of the Athena
//! table `manifests`, whose columns are its keys.

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
    /// A task is COMPLETED, wrote nothing, and no event is there.
    Empty,
    /// There is certainly nothing to export, for a reason.
    Skipped,
    /// Events are gone that no archived object holds, for a reason.
    Lost,
}

/// Why a manifest says `skipped` or `lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Skipped: no event by the streams' metadata, and none can arrive any more.
    NoEventsInMonth,
    /// Skipped: the log group was created so long after the window that not even a late event can be in it.
    CreatedAfterMonth,
    /// Skipped: the task wrote nothing, and retention may have deleted the events before the first run.
    ExpiredBeforeFirstRun,
    /// Lost: the log group was seen, and was deleted, or deleted and created anew, before the window was archived.
    LogGroupDeleted,
    /// Lost: the window was seen, the task wrote nothing, and retention may have deleted the events.
    Expired,
    /// Lost: objects of the window's manifest are gone, and no export can bring them back.
    Damaged,
}

impl Reason {
    pub fn outcome(self) -> Outcome {
        match self {
            Self::NoEventsInMonth | Self::CreatedAfterMonth | Self::ExpiredBeforeFirstRun => Outcome::Skipped,
            Self::LogGroupDeleted | Self::Expired | Self::Damaged => Outcome::Lost,
        }
    }

    /// Whether it holds for every log stream of the log group, whatever the entry's stream prefix is.
    pub fn is_of_all_streams(self) -> bool {
        matches!(self, Self::NoEventsInMonth | Self::CreatedAfterMonth | Self::LogGroupDeleted)
    }

    /// Whether the run that records it fails, once.
    pub fn fails_run(self) -> bool {
        matches!(self, Self::Expired | Self::Damaged)
    }

    /// Whether a person has to hear of it: it is then reported before it is recorded.
    pub fn is_told(self) -> bool {
        self.outcome() == Outcome::Lost || self == Self::ExpiredBeforeFirstRun
    }
}

/// Instants are RFC 3339 in UTC; sizes are as stored, compressed, in bytes.
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
    /// Where retention had deleted the beginning of the window: the export is complete from here on.
    pub complete_from: Option<Millis>,
    pub destination_prefix: String,
    pub task_id: Option<TaskId>,
    pub objects: u64,
    /// Those of log streams that Athena passes over.
    pub hidden_objects: u64,
    pub bytes: u64,
    pub digest: Option<String>,
    /// When the task was created and completed; without a task, when the manifest was written.
    pub created: String,
    pub completed: Option<String>,
    pub execution: Option<String>,
    /// As they were given, so that a name that another version knows does not make the manifest wrong.
    pub warnings: Vec<serde_json::Value>,
}

impl Manifest {
    /// Of a target without a task.
    pub fn of(target: &Target, timezone: &str, outcome: Outcome, created: Millis) -> Self {
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

    /// Of a window that is recorded without an export. What still lies there of a damaged one stays in the views: its manifest keeps the
    /// task, and states no more than there is. `None`: the manifest that was damaged is gone.
    pub fn record(target: &Target, timezone: &str, reason: Reason, execution: &str, found: &[Found], now: Millis) -> Option<Self> {
        let reason_and_run =
            |manifest| Self { outcome: reason.outcome(), reason: Some(reason), execution: Some(execution.to_owned()), ..manifest };
        if reason != Reason::Damaged {
            return Some(reason_and_run(Self::of(target, timezone, reason.outcome(), now)));
        }
        let damaged = found.iter().find(|found| found.key == target.manifest_key())?;
        let (old, lies) = damaged.manifest().zip(damaged.folder())?;
        Some(reason_and_run(Self {
            objects: lies.objects,
            hidden_objects: lies.hidden_objects,
            bytes: lies.bytes,
            digest: Some(lies.digest.clone()),
            ..old.clone()
        }))
    }

    pub fn window(&self) -> Window {
        Window { from: self.window_from, to: self.window_to }
    }

    /// Reads a manifest of whatever place, which its key and its content tell; what is wrong with it, otherwise.
    pub fn read(bytes: &[u8], key: &ManifestKey, now: DateTime<Utc>) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| format!("it cannot be read as a manifest: {error}"))?;
        let place = manifest.place_at(key).ok_or("its key is not that of its place")?;
        manifest.misfit(&place, key, now).map_or(Ok(manifest), Err)
    }

    /// The place whose hash is in its key.
    pub fn place_at(&self, key: &ManifestKey) -> Option<Place> {
        let place = |destination| Place {
            account: self.account.clone(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            log_group: self.log_group.clone(),
            destination,
        };
        Destination::of_prefix(&self.destination_prefix, key.month).map(place).find(|place| place.hash() == key.place)
    }

    /// What is wrong with it as the manifest of `place` under `key`.
    fn misfit(&self, place: &Place, key: &ManifestKey, now: DateTime<Utc>) -> Option<String> {
        let wrong = |field: &str, is: &dyn std::fmt::Debug, not: &dyn std::fmt::Debug| Some(format!("its {field} is {is:?}, not {not:?}"));
        let prefix = place.destination.prefix(key.month);
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
        } else if !self.is_coherent() {
            Some("its outcome, reason, task_id and objects do not go together".to_owned())
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

    /// No object stands behind it. What still lies behind a damaged one that is lost counts like an export.
    pub fn holds_nothing(&self) -> bool {
        match self.outcome {
            Outcome::Exported => false,
            Outcome::Empty | Outcome::Skipped => true,
            Outcome::Lost => self.task_id.is_none(),
        }
    }

    fn is_coherent(&self) -> bool {
        let has_reason = self.reason.map(Reason::outcome) == Some(self.outcome);
        match self.outcome {
            Outcome::Exported => self.task_id.is_some() && self.reason.is_none() && self.objects > 0,
            Outcome::Empty => self.task_id.is_some() && self.reason.is_none() && self.objects == 0,
            Outcome::Skipped => self.task_id.is_none() && has_reason && self.objects == 0,
            // What still lies there can be nothing.
            Outcome::Lost if self.reason == Some(Reason::Damaged) => self.task_id.is_some(),
            Outcome::Lost => self.task_id.is_none() && has_reason && self.objects == 0,
        }
    }

    /// For how long its task held the slot.
    pub fn seconds(&self) -> f64 {
        let completed = self.completed.as_deref().and_then(parse_instant);
        completed.zip(self.created_at()).map_or(0.0, |(completed, created)| (completed - created).as_seconds_f64().max(0.0))
    }

    pub fn created_at(&self) -> Option<DateTime<Utc>> {
        parse_instant(&self.created)
    }
}

/// What one listing of a task's folder has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    pub objects: u64,
    pub hidden_objects: u64,
    pub bytes: u64,
    /// SHA-256 over a line of key, size and ETag for each object, in the order of the keys.
    pub digest: String,
    /// Bytes in each log stream's folder.
    pub streams: BTreeMap<String, u64>,
}

/// Whether Athena passes over an object of a task: names that begin with `_` or `.` are hidden, a folder's too, and a log stream's
/// folder has the log stream's name. `key` is what is left of the key behind the task's folder.
pub fn is_hidden(key: &str) -> bool {
    key.split('/').any(|part| part.starts_with(['_', '.']))
}

/// A manifest as it was found: its key, and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub key: ManifestKey,
    /// S3's ETag of what was read: another one is another manifest.
    pub etag: String,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It lies there and cannot be read, in AWS's words. It may be good, so nothing replaces it.
    Unreadable(String),
    /// It is no manifest of this place and window: it covers nothing.
    Wrong { why: String, task: Option<(TaskId, Folder)> },
    /// With its task's folder, if it has a task.
    Manifest { manifest: Box<Manifest>, folder: Folder },
}

impl Content {
    /// Reads a manifest's bytes; what lies in its task's folder is added by [`Content::with_folder`].
    pub fn read(bytes: &[u8], place: &Place, key: &ManifestKey, now: DateTime<Utc>) -> Self {
        let manifest: Manifest = match serde_json::from_slice(bytes) {
            Ok(manifest) => manifest,
            Err(error) => return Self::Wrong { why: format!("it cannot be read as a manifest: {error}"), task: None },
        };
        match manifest.misfit(place, key, now) {
            None => Self::Manifest { manifest: Box::new(manifest), folder: Folder::default() },
            // A task of this place keeps its claim on what it wrote, whatever else the manifest says.
            Some(why) => {
                let own = manifest.destination_prefix == place.destination.prefix(key.month) && manifest.bucket == place.bucket;
                Self::Wrong { why, task: manifest.task_id.filter(|_| own).map(|task| (task, Folder::default())) }
            }
        }
    }

    /// The task whose folder stands behind this manifest.
    pub fn task_id(&self) -> Option<&TaskId> {
        match self {
            Self::Unreadable(_) => None,
            Self::Wrong { task, .. } => task.as_ref().map(|(task_id, _)| task_id),
            Self::Manifest { manifest, .. } => manifest.task_id.as_ref(),
        }
    }

    pub fn with_folder(mut self, listed: Folder) -> Self {
        match &mut self {
            Self::Manifest { folder, .. } | Self::Wrong { task: Some((_, folder)), .. } => *folder = listed,
            Self::Unreadable(_) | Self::Wrong { task: None, .. } => {}
        }
        self
    }
}

impl Found {
    pub fn month(&self) -> Month {
        self.key.month
    }

    /// The manifest, where it fits its key and place.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.content {
            Content::Manifest { manifest, .. } => Some(manifest),
            _ => None,
        }
    }

    /// What still lies in its task's folder.
    pub fn folder(&self) -> Option<&Folder> {
        match &self.content {
            Content::Manifest { manifest, folder } if manifest.task_id.is_some() => Some(folder),
            Content::Wrong { task: Some((_, folder)), .. } => Some(folder),
            _ => None,
        }
    }

    /// A manifest that is wrong, and names a task of this place whose objects lie there.
    pub fn is_claim(&self) -> bool {
        self.manifest().is_none() && self.folder().is_some_and(|lies| lies.objects > 0)
    }

    /// How the objects differ in number and bytes from what the manifest states. `None` for a valid manifest.
    pub fn damage(&self) -> Option<String> {
        let Content::Manifest { manifest, folder } = &self.content else { return None };
        let differs = manifest.task_id.is_some() && (manifest.objects, manifest.bytes) != (folder.objects, folder.bytes);
        differs.then(|| {
            format!(
                "it states {} objects of {} bytes, and {} of {} bytes lie in its task's folder",
                manifest.objects, manifest.bytes, folder.objects, folder.bytes
            )
        })
    }

    /// Why a manifest that can be read is not valid.
    pub fn fault(&self) -> Option<String> {
        match &self.content {
            Content::Wrong { why, .. } => Some(why.clone()),
            _ => self.damage(),
        }
    }

    /// It fits its key and place, and its objects are not those that it states.
    pub fn is_damaged(&self) -> bool {
        self.damage().is_some()
    }

    pub fn is_valid(&self) -> bool {
        self.manifest().is_some() && self.damage().is_none()
    }

    /// The objects are others than those that were listed when the manifest was written.
    pub fn is_changed(&self) -> bool {
        let Content::Manifest { manifest, folder } = &self.content else { return false };
        self.is_valid() && manifest.task_id.is_some() && manifest.digest.as_ref().is_some_and(|digest| *digest != folder.digest)
    }
}
