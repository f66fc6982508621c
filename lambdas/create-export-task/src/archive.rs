//! What the archive holds already in an export's place.

use aws_sdk_s3::Client;
use export_core::{
    ExportError,
    service::{Destination, archive_error},
};
use function_runtime::service_failure;

/// Without `s3:ListBucket`, S3 answers AccessDenied for a manifest that is not there.
pub const PERMISSIONS: &str = "s3:GetObject on */_manifest.json and s3:ListBucket";

/// Whether a task's objects are still there: somebody may have removed them, and then the month is not in the archive.
pub async fn holds_objects(s3: &Client, destination: Destination<'_>, folder: &str) -> Result<bool, ExportError> {
    let listed = s3.list_objects_v2().bucket(destination.bucket).prefix(folder).max_keys(1).send().await;
    let listed = listed.map_err(|error| archive_error(&service_failure("ListObjectsV2", &error), destination, PERMISSIONS))?;
    Ok(!listed.contents().is_empty())
}
