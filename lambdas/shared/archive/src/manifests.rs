//! Manifests: lists, reads and writes them.
//!
//! **Invariant:** windows of one place never overlap. Before and after a write, the manifests near it are checked.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError, Month, Window,
    compaction::ManifestDigests,
    decide::Question,
    destination::task_folder,
    manifest::{Content, FoundManifest, Manifest},
    place::{ManifestKey, Place, PlaceHash, hexadecimal},
    planner::TaskSpeed,
};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use sha2::{Digest, Sha256};

use crate::{
    Archive,
    objects::{ListedObject, to_json},
};

/// How many manifests of one window are read at a time.
const CONCURRENCY: usize = 8;

/// Bytes of a month's digest.
const DIGEST_BYTES: usize = 16;

/// The keys of the manifests of whole months, listed once for all log groups.
#[derive(Default)]
pub struct ManifestIndex {
    months: HashMap<Month, HashMap<PlaceHash, Vec<ManifestKey>>>,
}

impl ManifestIndex {
    /// Lists these months and their neighbours, and drops all others.
    pub async fn load_months(&mut self, archive: &Archive, months: impl IntoIterator<Item = Month>) -> Result<(), ExportError> {
        let wanted: Vec<Month> = months.into_iter().flat_map(with_neighbours).collect();
        self.months.retain(|month, _| wanted.contains(month));
        for month in wanted {
            if self.months.contains_key(&month) {
                continue;
            }
            let mut by_place: HashMap<PlaceHash, Vec<ManifestKey>> = HashMap::new();
            for (key, _) in archive.list_manifests(month, &archive.stack.month_folder(month)).await? {
                by_place.entry(key.place.clone()).or_default().push(key);
            }
            self.months.insert(month, by_place);
        }
        Ok(())
    }

    fn keys_of(&self, place: &PlaceHash, months: &[Month]) -> Vec<ManifestKey> {
        let of_month = |month| self.months.get(month).and_then(|by_place| by_place.get(place)).cloned().unwrap_or_default();
        months.iter().flat_map(of_month).collect()
    }
}

fn with_neighbours(month: Month) -> [Month; 3] {
    [month.previous(), month, month.next()]
}

/// The months whose tasks show how long a task of `month` takes.
fn months_before(month: Month) -> [Month; 2] {
    [month.previous(), month.previous().previous()]
}

impl Archive {
    /// The keys of every manifest of a month.
    pub async fn manifests_of_month(&self, month: Month) -> Result<Vec<ManifestKey>, ExportError> {
        let listed = self.list_manifests(month, &self.stack.month_folder(month)).await?;
        Ok(listed.into_iter().map(|(key, _)| key).collect())
    }

    /// The keys of a month's manifests that begin with `prefix`, with their ETags.
    async fn list_manifests(&self, month: Month, prefix: &str) -> Result<Vec<(ManifestKey, String)>, ExportError> {
        let folder = self.stack.month_folder(month);
        let keys = self.list_keys(self.stack.bucket.as_str(), prefix).await?;
        let parse = |(key, etag): (String, String)| Some((ManifestKey::parse(month, key.strip_prefix(&folder)?)?, etag));
        Ok(keys.into_iter().filter_map(parse).collect())
    }

    /// Lists the manifests of all months once.
    pub async fn manifest_digests(&self) -> Result<ManifestDigests, ExportError> {
        let mut digests: BTreeMap<Month, Sha256> = BTreeMap::new();
        let add = |object: ListedObject| {
            if let Some(manifest) = self.stack.parse_manifest_key(&object.key) {
                digests.entry(manifest.month).or_default().update(format!("{} {}\n", object.key, object.etag));
            }
        };
        self.for_each_object(self.stack.bucket.as_str(), &self.stack.manifests_folder(), None, add).await?;
        Ok(digests.into_iter().map(|(month, digest)| (month, hexadecimal(&digest.finalize(), DIGEST_BYTES))).collect())
    }

    /// The manifest at a key, of any place; or a message for a person, if it is not valid or cannot be read. `None`: somebody has removed it
    /// since it was listed.
    pub async fn manifest(&self, key: &ManifestKey, now: DateTime<Utc>) -> Result<Option<Result<Manifest, String>>, ExportError> {
        let (bucket, name) = (self.stack.bucket.as_str(), self.stack.manifest_key(key));
        let problem = match self.read(bucket, &name).await.map_err(|failure| self.object_error(&failure, bucket, &name)) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => match Manifest::parse(&bytes, key, now) {
                Ok(manifest) => return Ok(Some(Ok(manifest))),
                Err(why) => format!("is not valid: {why}. The next run that compares its month exports it again."),
            },
            // A temporary error: the caller repeats the call.
            Err(error) if error.name == ErrorName::DestinationUnavailable => return Err(error),
            Err(error) => format!("cannot be read, and runs fail with ArchiveUnreadable until it can: {}", error.message),
        };
        Ok(Some(Err(format!("manifest {name} {problem}"))))
    }

    /// The manifests of one place, in a month and both neighbours.
    async fn manifests_near(&self, place: &PlaceHash, month: Month) -> Result<Vec<(ManifestKey, String)>, ExportError> {
        let list = async |month| self.list_manifests(month, &self.stack.manifests_prefix(month, place)).await;
        Ok(try_join_all(with_neighbours(month).map(list)).await?.concat())
    }

    /// When the oldest task of the place was created, by its manifests of the question's month and of the month before.
    pub(crate) async fn oldest_task(
        &self,
        question: &Question<'_>,
        index: Option<&ManifestIndex>,
    ) -> Result<Option<DateTime<Utc>>, ExportError> {
        let keys = self.keys_near(question, index).await?.into_iter().filter(|key| key.month <= question.target.month);
        let read = keys.map(|key| self.read_manifest(question, key));
        let read: Vec<_> = stream::iter(read).buffered(CONCURRENCY).try_collect().await?;
        let tasks = read.iter().flatten().filter_map(FoundManifest::manifest).filter(|manifest| manifest.task_id.is_some());
        Ok(tasks.filter_map(Manifest::created_at).min())
    }

    /// The speed of the place's tasks: that of its longest archived window in the two months before the question's month.
    pub async fn speed(&self, question: &Question<'_>, index: &ManifestIndex) -> Result<Option<TaskSpeed>, ExportError> {
        let mut keys = index.keys_of(&question.target.place.hash(), &months_before(question.target.month));
        keys.sort_unstable_by_key(|key| Reverse((key.window.duration(), key.window.from)));
        for key in keys {
            let found = self.read_manifest(question, key).await?;
            if let Some(speed) = found.as_ref().and_then(FoundManifest::manifest).and_then(TaskSpeed::of) {
                return Ok(Some(speed));
            }
        }
        Ok(None)
    }

    async fn keys_near(&self, question: &Question<'_>, index: Option<&ManifestIndex>) -> Result<Vec<ManifestKey>, ExportError> {
        let place = question.target.place.hash();
        Ok(match index {
            Some(index) => index.keys_of(&place, &with_neighbours(question.target.month)),
            None => self.manifests_near(&place, question.target.month).await?.into_iter().map(|(key, _)| key).collect(),
        })
    }

    /// The manifests that overlap a question's window, with the contents of their tasks' folders. `index` saves the listing.
    pub async fn overlapping_manifests(
        &self,
        question: &Question<'_>,
        index: Option<&ManifestIndex>,
        counts_streams: bool,
    ) -> Result<Vec<FoundManifest>, ExportError> {
        let overlapping = self.keys_near(question, index).await?.into_iter().filter(|key| key.window.overlaps(question.target.window));
        let found = overlapping.map(|key| self.find_manifest(question, key, counts_streams));
        let found: Vec<Option<FoundManifest>> = stream::iter(found).buffered(CONCURRENCY).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Reads a manifest, and lists its task's folder. `None`: somebody has removed it since it was listed.
    async fn find_manifest(
        &self,
        question: &Question<'_>,
        key: ManifestKey,
        counts_streams: bool,
    ) -> Result<Option<FoundManifest>, ExportError> {
        let Some(FoundManifest { key, etag, content }) = self.read_manifest(question, key).await? else { return Ok(None) };
        let content = match content.task_id() {
            Some(task_id) => {
                let folder = task_folder(&question.target.place.destination.prefix_of(key.month), task_id);
                let listed = self.list_folder(question.target.place.bucket.as_str(), &folder, counts_streams).await?;
                content.with_folder(listed)
            }
            None => content,
        };
        Ok(Some(FoundManifest { key, etag, content }))
    }

    async fn read_manifest(&self, question: &Question<'_>, key: ManifestKey) -> Result<Option<FoundManifest>, ExportError> {
        let (bucket, name) = (self.stack.bucket.as_str(), self.stack.manifest_key(&key));
        let (content, etag) = match self.read_with_etag(bucket, &name).await {
            Ok(None) => return Ok(None),
            Ok(Some((bytes, etag))) => (Content::parse(&bytes, &question.target.place, &key, question.now), etag),
            Err(failure) => {
                let error = self.object_error(&failure, bucket, &name);
                // A temporary error: the caller repeats the call. After any other error, nobody knows whether the manifest is valid.
                if error.name == ErrorName::DestinationUnavailable {
                    return Err(error);
                }
                (Content::Unreadable(error.message), String::new())
            }
        };
        Ok(Some(FoundManifest { key, etag, content }))
    }

    /// Writes a manifest, then removes those that it replaces. `found`: the manifests behind the decision. If the object at its key changed
    /// since then, nothing is written. If another overlapping manifest was written or changed since then, this one is withdrawn, and its key
    /// gets its old object back.
    pub async fn write_manifest(
        &self,
        place: &Place,
        month: Month,
        manifest: &Manifest,
        found: &[FoundManifest],
        replaces: &[ManifestKey],
    ) -> Result<(), ExportError> {
        let key = ManifestKey { place: place.hash(), month, window: manifest.window() };
        let (bucket, name) = (self.stack.bucket.as_str(), self.stack.manifest_key(&key));
        let etag = found.iter().find(|found| found.key == key).map(|found| found.etag.as_str());
        let present = match etag {
            Some(_) => self.read(bucket, &name).await.map_err(|failure| self.object_error(&failure, bucket, &name))?,
            None => None,
        };
        let Some(written) = self.write_if_unchanged(bucket, &name, to_json(&name, manifest)?, etag).await? else {
            return Err(changed_meanwhile(place, key.window, &key));
        };
        let is_known = |other: &ManifestKey, etag: &str| found.iter().any(|found| found.key == *other && found.etag == etag);
        let is_new = |(other, etag): &(ManifestKey, String)| other.window.overlaps(key.window) && *other != key && !is_known(other, etag);
        if let Some((other, _)) = self.manifests_near(&key.place, month).await?.into_iter().find(is_new) {
            self.withdraw(&name, &written, present).await?;
            return Err(changed_meanwhile(place, key.window, &other));
        }
        for replaced in replaces.iter().filter(|replaced| **replaced != key) {
            self.delete(bucket, &self.stack.manifest_key(replaced)).await?;
        }
        Ok(())
    }

    /// Withdraws a manifest, unless somebody has replaced it meanwhile.
    async fn withdraw(&self, name: &str, written: &str, present: Option<Vec<u8>>) -> Result<(), ExportError> {
        let bucket = self.stack.bucket.as_str();
        if let Some(bytes) = present {
            return self.write_if_unchanged(bucket, name, bytes, Some(written)).await.map(drop);
        }
        let current = self.read_with_etag(bucket, name).await.map_err(|failure| self.object_error(&failure, bucket, name))?;
        match current {
            Some((_, etag)) if etag == written => self.delete(bucket, name).await,
            _ => Ok(()),
        }
    }
}

fn changed_meanwhile(place: &Place, window: Window, other: &ManifestKey) -> ExportError {
    let message = format!(
        "manifest {other} was written or removed while an overlapping manifest of log group {} for {} to {} was being written: nothing is replaced",
        place.log_group, window.from, window.to
    );
    ExportError::new(ErrorName::OverlapRefused, message)
}
