//! Manifests: which there are, what they say, and the rule against overlaps when one is written.

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
    manifest::{Content, Found, Manifest},
    place::{ManifestKey, Place, PlaceHash, hexadecimal},
    planner::Speed,
};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use sha2::{Digest, Sha256};

use crate::{
    Archive,
    objects::{Listed, Permissions, json},
};

const READ: Permissions = "s3:GetObject on the manifests";
const WRITE: Permissions = "s3:GetObject, s3:PutObject and s3:DeleteObject on the manifests";

/// Manifests of one window that are read at a time.
const AT_ONCE: usize = 8;

/// The manifests of whole months, listed once for all log groups.
#[derive(Default)]
pub struct ManifestIndex {
    months: HashMap<Month, HashMap<PlaceHash, Vec<ManifestKey>>>,
}

impl ManifestIndex {
    /// Lists the months that are asked about and their neighbours, and forgets the others.
    pub async fn look_at(&mut self, archive: &Archive, months: impl IntoIterator<Item = Month>) -> Result<(), ExportError> {
        let wanted: Vec<Month> = months.into_iter().flat_map(with_neighbours).collect();
        self.months.retain(|month, _| wanted.contains(month));
        for month in wanted {
            if self.months.contains_key(&month) {
                continue;
            }
            let mut by_place: HashMap<PlaceHash, Vec<ManifestKey>> = HashMap::new();
            for (key, _) in archive.list_manifests(month, &archive.stack.manifests(month)).await? {
                by_place.entry(key.place.clone()).or_default().push(key);
            }
            self.months.insert(month, by_place);
        }
        Ok(())
    }

    fn of(&self, place: &PlaceHash, months: &[Month]) -> Vec<ManifestKey> {
        let of_month = |month| self.months.get(month).and_then(|by_place| by_place.get(place)).cloned().unwrap_or_default();
        months.iter().flat_map(of_month).collect()
    }
}

fn with_neighbours(month: Month) -> [Month; 3] {
    [month.previous(), month, month.next()]
}

/// Those whose tasks tell how long the month's will take.
fn months_before(month: Month) -> [Month; 2] {
    [month.previous(), month.previous().previous()]
}

impl Archive {
    /// The keys of every manifest of a month.
    pub async fn manifests_of_month(&self, month: Month) -> Result<Vec<ManifestKey>, ExportError> {
        let listed = self.list_manifests(month, &self.stack.manifests(month)).await?;
        Ok(listed.into_iter().map(|(key, _)| key).collect())
    }

    /// With their ETags.
    async fn list_manifests(&self, month: Month, prefix: &str) -> Result<Vec<(ManifestKey, String)>, ExportError> {
        let folder = self.stack.manifests(month);
        let keys = self.list_keys(self.stack.bucket.as_str(), prefix).await?;
        let parse = |(key, etag): (String, String)| Some((ManifestKey::parse(month, key.strip_prefix(&folder)?)?, etag));
        Ok(keys.into_iter().filter_map(parse).collect())
    }

    /// One listing of the manifests of all months.
    pub async fn manifest_digests(&self) -> Result<ManifestDigests, ExportError> {
        let mut digests: BTreeMap<Month, Sha256> = BTreeMap::new();
        let add = |object: Listed| {
            if let Some(manifest) = self.stack.parse_manifest_key(&object.key) {
                digests.entry(manifest.month).or_default().update(format!("{} {}\n", object.key, object.etag));
            }
        };
        self.each_object(self.stack.bucket.as_str(), &self.stack.all_manifests(), None, add).await?;
        Ok(digests.into_iter().map(|(month, digest)| (month, hexadecimal(&digest.finalize(), 16))).collect())
    }

    /// The manifest at a key, of whatever place; or what a person is told of it: that it counts for nothing, or cannot be read. `None`:
    /// somebody has removed it since it was listed.
    pub async fn manifest(&self, key: &ManifestKey, now: DateTime<Utc>) -> Result<Option<Result<Manifest, String>>, ExportError> {
        let (bucket, name) = (self.stack.bucket.as_str(), self.stack.manifest_key(key));
        let told = match self.read(bucket, &name).await.map_err(|failure| self.refused(&failure, bucket, READ)) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => match Manifest::read(&bytes, key, now) {
                Ok(manifest) => return Ok(Some(Ok(manifest))),
                Err(why) => format!("counts for nothing: {why}. The next run that looks at its month exports it again."),
            },
            // What may pass is asked again.
            Err(error) if error.name == ErrorName::DestinationUnavailable => return Err(error),
            Err(error) => format!("cannot be read, and a run fails with ArchiveUnreadable while that is so: {}", error.message),
        };
        Ok(Some(Err(format!("manifest {name} {told}"))))
    }

    /// Of one place, in a month and both neighbours.
    async fn manifests_near(&self, place: &PlaceHash, month: Month) -> Result<Vec<(ManifestKey, String)>, ExportError> {
        let list = async |month| self.list_manifests(month, &self.stack.manifests_of(month, place)).await;
        Ok(try_join_all(with_neighbours(month).map(list)).await?.concat())
    }

    /// When the oldest task was created whose manifest the place has in the question's month or the one before.
    pub(crate) async fn oldest_task(
        &self,
        question: &Question<'_>,
        index: Option<&ManifestIndex>,
    ) -> Result<Option<DateTime<Utc>>, ExportError> {
        let keys = self.keys_near(question, index).await?.into_iter().filter(|key| key.month <= question.month);
        let read = keys.map(|key| self.read_manifest(question, key));
        let read: Vec<_> = stream::iter(read).buffered(AT_ONCE).try_collect().await?;
        let tasks = read.iter().flatten().filter_map(Found::manifest).filter(|manifest| manifest.task_id.is_some());
        Ok(tasks.filter_map(Manifest::created_at).min())
    }

    /// How long the longest window took that was archived of the place in the two months before the question's.
    pub async fn speed(&self, question: &Question<'_>, index: &ManifestIndex) -> Result<Option<Speed>, ExportError> {
        let mut keys = index.of(&question.place.hash(), &months_before(question.month));
        keys.sort_unstable_by_key(|key| Reverse((key.window.duration(), key.window.from)));
        for key in keys {
            let found = self.read_manifest(question, key).await?;
            if let Some(speed) = found.as_ref().and_then(Found::manifest).and_then(Speed::of) {
                return Ok(Some(speed));
            }
        }
        Ok(None)
    }

    async fn keys_near(&self, question: &Question<'_>, index: Option<&ManifestIndex>) -> Result<Vec<ManifestKey>, ExportError> {
        let place = question.place.hash();
        Ok(match index {
            Some(index) => index.of(&place, &with_neighbours(question.month)),
            None => self.manifests_near(&place, question.month).await?.into_iter().map(|(key, _)| key).collect(),
        })
    }

    /// The manifests that overlap a question's window, with what lies behind them. `index` saves the listing.
    pub async fn overlapping_manifests(
        &self,
        question: &Question<'_>,
        index: Option<&ManifestIndex>,
        tells_streams: bool,
    ) -> Result<Vec<Found>, ExportError> {
        let overlapping = self.keys_near(question, index).await?.into_iter().filter(|key| key.window.overlaps(question.window));
        let found = overlapping.map(|key| self.find_manifest(question, key, tells_streams));
        let found: Vec<Option<Found>> = stream::iter(found).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// With what lies behind it. `None`: somebody has removed it since it was listed.
    async fn find_manifest(&self, question: &Question<'_>, key: ManifestKey, tells_streams: bool) -> Result<Option<Found>, ExportError> {
        let Some(Found { key, etag, content }) = self.read_manifest(question, key).await? else { return Ok(None) };
        let content = match content.task_id() {
            Some(task_id) => {
                let folder = task_folder(&question.place.destination.prefix(key.month), task_id);
                let listed = self.list_folder(question.place.bucket.as_str(), &folder, tells_streams).await?;
                content.with_folder(listed)
            }
            None => content,
        };
        Ok(Some(Found { key, etag, content }))
    }

    async fn read_manifest(&self, question: &Question<'_>, key: ManifestKey) -> Result<Option<Found>, ExportError> {
        let bucket = self.stack.bucket.as_str();
        let (content, etag) = match self.read_version(bucket, &self.stack.manifest_key(&key)).await {
            Ok(None) => return Ok(None),
            Ok(Some((bytes, etag))) => (Content::read(&bytes, question.place, &key, question.now), etag),
            Err(failure) => {
                let error = self.refused(&failure, bucket, READ);
                // What may pass is asked again; nothing else tells whether the manifest is good.
                if error.name == ErrorName::DestinationUnavailable {
                    return Err(error);
                }
                (Content::Unreadable(error.message), String::new())
            }
        };
        Ok(Some(Found { key, etag, content }))
    }

    /// Writes a manifest, then removes those that it replaces. `found` is what the decision stands on. Where its key has changed since,
    /// nothing is written. Where another manifest that overlaps has come or changed since, this one is withdrawn, and what lay under its
    /// key is put back.
    pub async fn write_manifest(
        &self,
        place: &Place,
        month: Month,
        manifest: &Manifest,
        found: &[Found],
        replaces: &[ManifestKey],
    ) -> Result<(), ExportError> {
        let key = ManifestKey { place: place.hash(), month, window: manifest.window() };
        let (bucket, name) = (self.stack.bucket.as_str(), self.stack.manifest_key(&key));
        let etag = found.iter().find(|found| found.key == key).map(|found| found.etag.as_str());
        let present = match etag {
            Some(_) => self.read(bucket, &name).await.map_err(|failure| self.refused(&failure, bucket, WRITE))?,
            None => None,
        };
        let Some(written) = self.write_if_unchanged(bucket, &name, json(&name, manifest)?, etag, WRITE).await? else {
            return Err(overtaken(place, key.window, &key));
        };
        let is_known = |other: &ManifestKey, etag: &str| found.iter().any(|found| found.key == *other && found.etag == etag);
        let is_new = |(other, etag): &(ManifestKey, String)| other.window.overlaps(key.window) && *other != key && !is_known(other, etag);
        if let Some((other, _)) = self.manifests_near(&key.place, month).await?.into_iter().find(is_new) {
            self.withdraw(&name, &written, present).await?;
            return Err(overtaken(place, key.window, &other));
        }
        for replaced in replaces.iter().filter(|replaced| **replaced != key) {
            self.delete(bucket, &self.stack.manifest_key(replaced), WRITE).await?;
        }
        Ok(())
    }
}

impl Archive {
    /// Takes a manifest back, unless somebody has replaced it meanwhile.
    async fn withdraw(&self, name: &str, written: &str, present: Option<Vec<u8>>) -> Result<(), ExportError> {
        let bucket = self.stack.bucket.as_str();
        if let Some(bytes) = present {
            return self.write_if_unchanged(bucket, name, bytes, Some(written), WRITE).await.map(drop);
        }
        let lies = self.read_version(bucket, name).await.map_err(|failure| self.refused(&failure, bucket, WRITE))?;
        match lies {
            Some((_, etag)) if etag == written => self.delete(bucket, name, WRITE).await,
            _ => Ok(()),
        }
    }
}

fn overtaken(place: &Place, window: Window, other: &ManifestKey) -> ExportError {
    let message = format!(
        "while the manifest of log group {} for {} to {} was written, {other}, which overlaps it, was written or removed: nothing is replaced",
        place.log_group, window.from, window.to
    );
    ExportError::new(ErrorName::OverlapRefused, message)
}
