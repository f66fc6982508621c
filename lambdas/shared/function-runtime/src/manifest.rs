//! Reads the manifest that lies in an export's place: one function before it exports, the other before it replaces it.

use aws_sdk_s3::{Client, operation::get_object::GetObjectError};
use export_core::{
    ErrorName, ExportError, manifest,
    service::{Destination, archive_error},
};

use crate::service_failure;

/// The manifest, if one lies there. Whether the bucket itself will do is for the calls after this one to tell: they know
/// more about it. `permissions` are what the function's role needs in the bucket.
pub async fn read_manifest(
    s3: &Client,
    destination: Destination<'_>,
    destination_prefix: &str,
    permissions: &str,
) -> Result<Option<Vec<u8>>, ExportError> {
    let answer = s3.get_object().bucket(destination.bucket).key(manifest::key(destination_prefix)).send().await;
    let object = match answer {
        Ok(object) => object,
        Err(error) => {
            let failure = service_failure("GetObject", &error);
            let missing = matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_)));
            let unusable = ["NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed"].iter().any(|code| failure.has_code(code));
            return if missing || unusable { Ok(None) } else { Err(archive_error(&failure, destination, permissions)) };
        }
    };
    let body = object.body.collect().await;
    let bytes = body.map_err(|error| ExportError::new(ErrorName::DestinationUnavailable, format!("GetObject broke off: {error}")))?;
    Ok(Some(bytes.to_vec()))
}
