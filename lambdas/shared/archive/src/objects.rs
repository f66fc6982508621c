//! Objects in Amazon S3: reads, writes and listings, each with what the function's role needs for them.

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use export_core::{
    ErrorName, ExportError,
    manifest::{Folder, is_hidden},
    place::hexadecimal,
    service::{ServiceFailure, archive_error},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{Archive, service_failure};

/// What a function's role needs in a bucket, for the message where it is denied.
pub type Permissions = &'static str;

pub(crate) const LIST: Permissions = "s3:ListBucket";

/// The JSON that `key` is to hold.
pub(crate) fn json(key: &str, value: &impl Serialize) -> Result<Vec<u8>, ExportError> {
    let wrong = |error| ExportError::new(ErrorName::Unexpected, format!("{key} cannot be written as JSON: {error}"));
    serde_json::to_vec(value).map_err(wrong)
}

impl Archive {
    /// One listing of a task's folder, which has everything that the task wrote and nothing else: CloudWatch's `aws-logs-write-test` lies
    /// beside it. A task can have a million log streams: they are told apart only where `tells_streams`.
    pub async fn list_folder(&self, bucket: &str, folder: &str, tells_streams: bool) -> Result<Folder, ExportError> {
        let mut pages = self.s3.list_objects_v2().bucket(bucket).prefix(folder).into_paginator().send();
        let mut listed = Folder::default();
        let mut digest = Sha256::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.refused(&service_failure("ListObjectsV2", &error), bucket, LIST))?;
            for object in page.contents() {
                let key = object.key().unwrap_or_default();
                let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                let name = key.strip_prefix(folder).unwrap_or(key);
                listed.objects += 1;
                listed.hidden_objects += u64::from(is_hidden(name));
                listed.bytes += size;
                if tells_streams {
                    *listed.streams.entry(name.split('/').next().unwrap_or_default().to_owned()).or_default() += size;
                }
                digest.update(format!("{key} {size} {}\n", object.e_tag().unwrap_or_default()));
            }
        }
        listed.digest = hexadecimal(&digest.finalize(), 32);
        Ok(listed)
    }

    /// Every key that begins with `prefix`, with its ETag.
    pub async fn list_keys(&self, bucket: &str, prefix: &str) -> Result<Vec<(String, String)>, ExportError> {
        let mut keys = Vec::new();
        self.list_each(bucket, prefix, |key, etag| keys.push((key, etag))).await?;
        Ok(keys)
    }

    /// The same, page by page: an archive can have a million manifests.
    pub async fn list_each(&self, bucket: &str, prefix: &str, mut take: impl FnMut(String, String)) -> Result<(), ExportError> {
        let mut pages = self.s3.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.refused(&service_failure("ListObjectsV2", &error), bucket, LIST))?;
            let objects = page.contents.unwrap_or_default().into_iter();
            objects.filter_map(|object| object.key.zip(object.e_tag)).for_each(|(key, etag)| take(key, etag));
        }
        Ok(())
    }

    /// `None`: it does not exist. The failure is told as it is: what it means differs from object to object.
    pub async fn read(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, ServiceFailure> {
        Ok(self.read_version(bucket, key).await?.map(|(bytes, _)| bytes))
    }

    /// With its ETag.
    pub(crate) async fn read_version(&self, bucket: &str, key: &str) -> Result<Option<(Vec<u8>, String)>, ServiceFailure> {
        let object = match self.s3.get_object().bucket(bucket).key(key).send().await {
            Ok(object) => object,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => return Ok(None),
            Err(error) => return Err(service_failure("GetObject", &error)),
        };
        let broken =
            |error| ServiceFailure { operation: "GetObject", code: None, message: format!("the answer broke off: {error}"), status: None };
        let etag = object.e_tag.clone().unwrap_or_default();
        object.body.collect().await.map(|bytes| Some((bytes.to_vec(), etag))).map_err(broken)
    }

    /// `None`: it does not exist.
    pub async fn read_json<T: DeserializeOwned>(&self, bucket: &str, key: &str, needs: Permissions) -> Result<Option<T>, ExportError> {
        let bytes = self.read(bucket, key).await.map_err(|failure| self.refused(&failure, bucket, needs))?;
        let wrong = |error| ExportError::new(ErrorName::Unexpected, format!("object {key} of bucket {bucket} cannot be read: {error}"));
        bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(wrong)).transpose()
    }

    pub async fn write(&self, bucket: &str, key: &str, bytes: Vec<u8>, needs: Permissions) -> Result<(), ExportError> {
        let put = self.s3.put_object().bucket(bucket).key(key).content_type("application/json").body(ByteStream::from(bytes));
        put.send().await.map(drop).map_err(|error| self.refused(&service_failure("PutObject", &error), bucket, needs))
    }

    /// Writes an object only if it is as it was found: with this ETag, or not there. Answers with its ETag; `None`: it is not as it was
    /// found, and nothing is written.
    pub(crate) async fn write_if_unchanged(
        &self,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
        etag: Option<&str>,
        needs: Permissions,
    ) -> Result<Option<String>, ExportError> {
        let put = self.s3.put_object().bucket(bucket).key(key).content_type("application/json").body(ByteStream::from(bytes.clone()));
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        let failure = match put.send().await {
            Ok(put) => return Ok(Some(put.e_tag.unwrap_or_default())),
            Err(error) => service_failure("PutObject", &error),
        };
        // 409: somebody else is writing it. 404: it was removed.
        if !matches!(failure.status, Some(404 | 409 | 412)) || failure.has_code("NoSuchBucket") {
            return Err(self.refused(&failure, bucket, needs));
        }
        // The first attempt may have succeeded, and its answer been lost.
        let lies = self.read_version(bucket, key).await.map_err(|failure| self.refused(&failure, bucket, needs))?;
        Ok(lies.filter(|(lies, _)| *lies == bytes).map(|(_, etag)| etag))
    }

    pub async fn write_json(&self, bucket: &str, key: &str, value: &impl Serialize, needs: Permissions) -> Result<(), ExportError> {
        self.write(bucket, key, json(key, value)?, needs).await
    }

    pub async fn delete(&self, bucket: &str, key: &str, needs: Permissions) -> Result<(), ExportError> {
        let deleted = self.s3.delete_object().bucket(bucket).key(key).send().await;
        deleted.map(drop).map_err(|error| self.refused(&service_failure("DeleteObject", &error), bucket, needs))
    }

    pub(crate) fn refused(&self, failure: &ServiceFailure, bucket: &str, needs: Permissions) -> ExportError {
        archive_error(failure, &self.stack, bucket, needs)
    }
}
