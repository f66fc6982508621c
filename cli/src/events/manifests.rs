//! The manifests of log groups.

use archive::Archive;
use chrono::Utc;
use export_core::{manifest::Manifest, place::ManifestKey};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{failure::Failure, globs::Globs, output::note};

/// Manifests that are read at a time.
const AT_ONCE: usize = 64;

/// Of these keys, the manifests of the log groups that are named; and whether others are wrong, whose log group nobody knows.
pub async fn read(archive: &Archive, keys: Vec<ManifestKey>, globs: &Globs) -> Result<(Vec<(ManifestKey, Manifest)>, bool), Failure> {
    let now = Utc::now();
    let read = async |key: ManifestKey| Ok::<_, Failure>((archive.manifest(&key, now).await?, key));
    let (mut found, mut are_wrong) = (Vec::new(), false);
    let mut read = stream::iter(keys).map(read).buffered(AT_ONCE);
    while let Some((manifest, key)) = read.try_next().await? {
        match manifest {
            Some(Ok(manifest)) if globs.matches(&manifest.log_group) => found.push((key, manifest)),
            Some(Err(told)) => {
                are_wrong = true;
                note(format_args!("warning: {told}"));
            }
            Some(Ok(_)) | None => {}
        }
    }
    Ok((found, are_wrong))
}
