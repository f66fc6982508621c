//! What the archive holds already in an export's place.

use aws_sdk_s3::{Client, operation::get_object::GetObjectError};
use export_core::{
    ErrorName, ExportError, manifest,
    service::{Destination, archive_error},
};
use function_runtime::service_failure;

/// Without `s3:ListBucket`, S3 answers AccessDenied for a manifest that is not there.
const PERMISSIONS: &str = "s3:GetObject on */_manifest.json and s3:ListBucket";

/// The manifest, if one lies there. Whether the bucket itself will do is CreateExportTask's to say: it knows more about it.
pub async fn read_manifest(s3: &Client, destination: Destination<'_>, destination_prefix: &str) -> Result<Option<Vec<u8>>, ExportError> {
    let answer = s3.get_object().bucket(destination.bucket).key(manifest::key(destination_prefix)).send().await;
    let object = match answer {
        Ok(object) => object,
        Err(error) => {
            let failure = service_failure("GetObject", &error);
            let missing = matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_)));
            let unusable = ["NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed"].iter().any(|code| failure.has_code(code));
            return if missing || unusable { Ok(None) } else { Err(archive_error(&failure, destination, PERMISSIONS)) };
        }
    };
    let body = object.body.collect().await;
    let bytes = body.map_err(|error| ExportError::new(ErrorName::DestinationUnavailable, format!("GetObject broke off: {error}")))?;
    Ok(Some(bytes.to_vec()))
}

/// Whether a completed task's objects are still there: somebody may have removed them to have the month exported again.
pub async fn holds_objects(s3: &Client, destination: Destination<'_>, folder: &str) -> Result<bool, ExportError> {
    let listed = s3.list_objects_v2().bucket(destination.bucket).prefix(folder).max_keys(1).send().await;
    let listed = listed.map_err(|error| archive_error(&service_failure("ListObjectsV2", &error), destination, PERMISSIONS))?;
    Ok(!listed.contents().is_empty())
}
