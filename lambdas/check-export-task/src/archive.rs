//! The archive bucket: what a task wrote there, the manifest beside it, and its row in the table `manifests`.

use aws_sdk_s3::{Client, primitives::ByteStream};
use export_core::{
    ErrorName, ExportError,
    manifest::{self, Manifest},
    manifests_table::{self, Row},
    service::{Destination, archive_error},
};
use function_runtime::{read_manifest, service_failure};
use tracing::warn;

const PERMISSIONS: &str =
    "s3:ListBucket, and s3:GetObject and s3:PutObject on */_manifest.json, and s3:PutObject on the manifests' prefix,";

/// What a task wrote.
#[derive(Debug, Default)]
pub struct Objects {
    pub objects: u64,
    /// Those of them that Athena passes over because of their log stream's name.
    pub hidden: u64,
    /// Sizes as stored, compressed.
    pub bytes: u64,
}

/// Everything below the task's own folder. The folder is new with each task, so nothing of another task is counted, nor
/// CloudWatch's `aws-logs-write-test`, which lies beside it.
pub async fn count(s3: &Client, destination: Destination<'_>, folder: &str) -> Result<Objects, ExportError> {
    let mut pages = s3.list_objects_v2().bucket(destination.bucket).prefix(folder).into_paginator().send();
    let mut counted = Objects::default();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| archive_error(&service_failure("ListObjectsV2", &error), destination, PERMISSIONS))?;
        for object in page.contents() {
            counted.objects += 1;
            let name = object.key().and_then(|key| key.strip_prefix(folder));
            counted.hidden += u64::from(name.is_some_and(manifests_table::is_hidden));
            counted.bytes += object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        }
    }
    Ok(counted)
}

/// Folders of other tasks in the same place, as many as one page of the listing names. Other folders are not ours to tell of:
/// another entry's place may lie within this one.
pub async fn other_tasks(
    s3: &Client,
    destination: Destination<'_>,
    destination_prefix: &str,
    task_id: &str,
) -> Result<Vec<String>, ExportError> {
    let place = format!("{destination_prefix}/");
    let listed = s3.list_objects_v2().bucket(destination.bucket).prefix(&place).delimiter("/").max_keys(50).send().await;
    let listed = listed.map_err(|error| archive_error(&service_failure("ListObjectsV2", &error), destination, PERMISSIONS))?;
    let folders = listed.common_prefixes().iter().filter_map(|folder| folder.prefix()?.strip_prefix(&place)?.strip_suffix('/'));
    Ok(folders.filter(|folder| is_task_id(folder) && *folder != task_id).map(str::to_owned).collect())
}

/// CloudWatch's task ids are UUIDs.
fn is_task_id(folder: &str) -> bool {
    let lengths = folder.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && folder.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// What became of a manifest. Only one that is written for the first time counts in the metrics.
#[derive(Debug, PartialEq, Eq)]
pub enum ManifestWrite {
    Written,
    /// The same task's manifest was in place: an earlier check wrote it.
    Repeated,
    /// A later export's manifest stays in place.
    Superseded,
}

/// Writes the manifest and its row, unless a later export of the month has written its own meanwhile.
///
/// The row comes first: with the manifest in place, no later run exports the month again, and a row that is missing then
/// would be missing for good.
pub async fn write_manifest(
    s3: &Client,
    destination: Destination<'_>,
    destination_prefix: &str,
    manifests_prefix: &str,
    manifest: &Manifest,
    hidden: u64,
) -> Result<ManifestWrite, ExportError> {
    let in_place = read_manifest(s3, destination, destination_prefix, PERMISSIONS).await?.unwrap_or_default();
    let repeated = manifest::is_of_task(&in_place, &manifest.task_id);
    if !repeated && manifest::is_newer(&in_place, manifest) {
        warn!("a later export has written its manifest: it stays");
        return Ok(ManifestWrite::Superseded);
    }
    let row = Row::of(manifest, destination.bucket, destination_prefix, hidden);
    put(s3, destination, manifests_table::key(manifests_prefix, manifest, destination_prefix), serde_json::to_vec(&row)).await?;
    put(s3, destination, manifest::key(destination_prefix), serde_json::to_vec_pretty(manifest)).await?;
    Ok(if repeated { ManifestWrite::Repeated } else { ManifestWrite::Written })
}

async fn put(s3: &Client, destination: Destination<'_>, key: String, json: serde_json::Result<Vec<u8>>) -> Result<(), ExportError> {
    let body = json.map_err(|error| ExportError::new(ErrorName::Unexpected, format!("the manifest cannot be written as JSON: {error}")))?;
    s3.put_object()
        .bucket(destination.bucket)
        .key(key)
        .content_type("application/json")
        .body(ByteStream::from(body))
        .send()
        .await
        .map(drop)
        .map_err(|error| archive_error(&service_failure("PutObject", &error), destination, PERMISSIONS))
}
