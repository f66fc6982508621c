//! Reads the manifests of log groups.

use archive::Archive;
use chrono::Utc;
use export_core::{manifest::Manifest, place::ManifestKey};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{failure::Failure, globs::Globs, output::note};

/// How many manifests are read at a time.
const CONCURRENCY: usize = 64;

#[derive(Debug, Default)]
pub struct Manifests {
    pub valid: Vec<(ManifestKey, Manifest)>,
    /// Whether there are manifests that are not valid or cannot be read. Their log groups are unknown.
    pub has_invalid: bool,
}

/// Reads these manifests, keeps those of the log groups that match, and warns of those that are not valid.
pub async fn read_manifests(archive: &Archive, keys: Vec<ManifestKey>, globs: &Globs<'_>) -> Result<Manifests, Failure> {
    let now = Utc::now();
    let read = async |key: ManifestKey| Ok::<_, Failure>((archive.manifest(&key, now).await?, key));
    let mut manifests = Manifests::default();
    let mut read = stream::iter(keys).map(read).buffered(CONCURRENCY);
    while let Some((manifest, key)) = read.try_next().await? {
        match manifest {
            Some(Ok(manifest)) if globs.matches(&manifest.log_group) => manifests.valid.push((key, manifest)),
            Some(Err(problem)) => {
                manifests.has_invalid = true;
                note(format_args!("warning: {problem}"));
            }
            Some(Ok(_)) | None => {}
        }
    }
    Ok(manifests)
}
