//! Objects in Amazon S3: reads, writes and listings.

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use chrono::{DateTime, Utc};
use export_core::{
    ErrorName, ExportError,
    manifest::{FolderContents, is_hidden},
    place::hexadecimal,
    service::{ServiceFailure, s3_error},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{Archive, service_failure};

/// S3's answers to a conditional write that it refused.
const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;
const PRECONDITION_FAILED: u16 = 412;

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    pub etag: String,
    pub size: u64,
    pub modified: Option<DateTime<Utc>>,
}

/// Counts a task's folder while it is listed.
pub struct FolderListing<'a> {
    name: &'a str,
    counts_streams: bool,
    folder: FolderContents,
    digest: Sha256,
}

impl<'a> FolderListing<'a> {
    pub fn new(name: &'a str, counts_streams: bool) -> Self {
        Self { name, counts_streams, folder: FolderContents::default(), digest: Sha256::new() }
    }

    pub fn add(&mut self, ListedObject { key, etag, size, .. }: &ListedObject) {
        let name = key.strip_prefix(self.name).unwrap_or(key);
        self.folder.objects += 1;
        self.folder.hidden_objects += u64::from(is_hidden(name));
        self.folder.bytes += size;
        if self.counts_streams {
            *self.folder.streams.entry(name.split('/').next().unwrap_or_default().to_owned()).or_default() += size;
        }
        self.digest.update(format!("{key} {size} {etag}\n"));
    }

    pub fn finish(mut self) -> FolderContents {
        self.folder.digest = hexadecimal(&self.digest.finalize(), Sha256::output_size());
        self.folder
    }
}

/// The JSON for the object at `key`.
pub(crate) fn to_json(key: &str, value: &impl Serialize) -> Result<Vec<u8>, ExportError> {
    let wrong = |error| ExportError::new(ErrorName::Unexpected, format!("{key} cannot be written as JSON: {error}"));
    serde_json::to_vec(value).map_err(wrong)
}

impl Archive {
    /// Lists a task's folder once. The folder has everything that the task wrote, and nothing else: CloudWatch's `aws-logs-write-test` is
    /// beside it. A task can have a million log streams, so their bytes are counted only with `counts_streams`.
    pub async fn list_folder(&self, bucket: &str, folder: &str, counts_streams: bool) -> Result<FolderContents, ExportError> {
        let mut listing = FolderListing::new(folder, counts_streams);
        self.for_each_object(bucket, folder, None, |object| listing.add(&object)).await?;
        Ok(listing.finish())
    }

    /// Every key with this prefix, with its ETag.
    pub async fn list_keys(&self, bucket: &str, prefix: &str) -> Result<Vec<(String, String)>, ExportError> {
        let mut keys = Vec::new();
        self.for_each_object(bucket, prefix, None, |object| keys.push((object.key, object.etag))).await?;
        Ok(keys)
    }

    /// Every object with this prefix whose key is after `after` in the order of keys.
    pub async fn list_objects(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Vec<ListedObject>, ExportError> {
        let mut objects = Vec::new();
        self.for_each_object(bucket, prefix, after, |object| objects.push(object)).await?;
        Ok(objects)
    }

    /// Lists objects page by page, because an archive can have a million manifests.
    pub async fn for_each_object(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        mut visit: impl FnMut(ListedObject),
    ) -> Result<(), ExportError> {
        let request = self.s3.list_objects_v2().bucket(bucket).prefix(prefix).set_start_after(after.map(str::to_owned));
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| s3_error(&service_failure("ListObjectsV2", &error), &self.stack, bucket, None))?;
            for object in page.contents.unwrap_or_default() {
                let size = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                let modified = object.last_modified.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()));
                visit(ListedObject { key: object.key.unwrap_or_default(), etag: object.e_tag.unwrap_or_default(), size, modified });
            }
        }
        Ok(())
    }

    /// `None`: the object does not exist. The failure is raw, because its meaning differs from object to object.
    pub async fn read(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, ServiceFailure> {
        Ok(self.read_with_etag(bucket, key).await?.map(|(bytes, _)| bytes))
    }

    pub(crate) async fn read_with_etag(&self, bucket: &str, key: &str) -> Result<Option<(Vec<u8>, String)>, ServiceFailure> {
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

    /// `None`: the object does not exist.
    pub async fn read_json<T: DeserializeOwned>(&self, bucket: &str, key: &str) -> Result<Option<T>, ExportError> {
        let bytes = self.read(bucket, key).await.map_err(|failure| self.object_error(&failure, bucket, key))?;
        let wrong = |error| ExportError::new(ErrorName::Unexpected, format!("object {key} of bucket {bucket} cannot be read: {error}"));
        bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(wrong)).transpose()
    }

    pub async fn write(&self, bucket: &str, key: &str, bytes: Vec<u8>) -> Result<(), ExportError> {
        let put = self.s3.put_object().bucket(bucket).key(key).content_type("application/json").body(ByteStream::from(bytes));
        put.send().await.map(drop).map_err(|error| self.object_error(&service_failure("PutObject", &error), bucket, key))
    }

    /// Writes an object only if it did not change: it has this ETag, or does not exist. Returns the new ETag. `None`: the object changed,
    /// and nothing is written.
    pub(crate) async fn write_if_unchanged(
        &self,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
        etag: Option<&str>,
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
        // NOT_FOUND: somebody removed the object. CONFLICT: somebody else is writing it.
        let has_changed = matches!(failure.status, Some(NOT_FOUND | CONFLICT | PRECONDITION_FAILED)) && !failure.has_code("NoSuchBucket");
        if !has_changed {
            return Err(self.object_error(&failure, bucket, key));
        }
        // The SDK repeats a call whose answer was lost. The first attempt may have written the object.
        let present = self.read_with_etag(bucket, key).await.map_err(|failure| self.object_error(&failure, bucket, key))?;
        Ok(present.filter(|(present, _)| *present == bytes).map(|(_, etag)| etag))
    }

    pub async fn write_json(&self, bucket: &str, key: &str, value: &impl Serialize) -> Result<(), ExportError> {
        self.write(bucket, key, to_json(key, value)?).await
    }

    pub async fn delete(&self, bucket: &str, key: &str) -> Result<(), ExportError> {
        let deleted = self.s3.delete_object().bucket(bucket).key(key).send().await;
        deleted.map(drop).map_err(|error| self.object_error(&service_failure("DeleteObject", &error), bucket, key))
    }

    pub(crate) fn object_error(&self, failure: &ServiceFailure, bucket: &str, key: &str) -> ExportError {
        s3_error(failure, &self.stack, bucket, Some(key))
    }
}
