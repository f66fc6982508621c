//! The archive as a person with access to the bucket has it: reads it back, and damages it.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use chrono::DateTime;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::samples::Event;
use crate::stack::LocalAws;

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    pub key: String,
    pub body: Vec<u8>,
}

impl StoredObject {
    pub fn gunzip(&self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        MultiGzDecoder::new(self.body.as_slice()).read_to_end(&mut text).with_context(|| format!("{} is not a gzip file", self.key))?;
        Ok(text)
    }
}

impl LocalAws {
    /// Every key of a bucket that begins with `prefix`, in order.
    pub async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>> {
        let s3 = Client::new(&self.sdk_config());
        let mut pages = s3.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.with_context(|| format!("cannot list the bucket {bucket}"))?;
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        Ok(keys)
    }

    pub async fn read_object(&self, bucket: &str, key: &str) -> Result<Vec<u8>> {
        let context = || format!("cannot read s3://{bucket}/{key}");
        let s3 = Client::new(&self.sdk_config());
        let object = s3.get_object().bucket(bucket).key(key).send().await.with_context(context)?;
        Ok(object.body.collect().await.with_context(context)?.to_vec())
    }

    /// Creates the object, or overwrites it.
    pub async fn write_object(&self, bucket: &str, key: &str, body: impl Into<Vec<u8>>) -> Result<()> {
        let s3 = Client::new(&self.sdk_config());
        let put = s3.put_object().bucket(bucket).key(key).body(ByteStream::from(body.into()));
        put.send().await.with_context(|| format!("cannot write s3://{bucket}/{key}"))?;
        Ok(())
    }

    pub async fn delete_object(&self, bucket: &str, key: &str) -> Result<()> {
        let s3 = Client::new(&self.sdk_config());
        s3.delete_object().bucket(bucket).key(key).send().await.with_context(|| format!("cannot delete s3://{bucket}/{key}"))?;
        Ok(())
    }

    /// Reads every object of a bucket, in the order of the keys.
    pub async fn read_bucket(&self, bucket: &str) -> Result<Vec<StoredObject>> {
        let mut objects = Vec::new();
        for key in self.keys(bucket, "").await? {
            let body = self.read_object(bucket, &key).await?;
            objects.push(StoredObject { key, body });
        }
        Ok(objects)
    }

    /// The manifests of a bucket by their keys, whatever the stack's `S3Prefix` is.
    pub async fn manifests(&self, bucket: &str) -> Result<BTreeMap<String, Value>> {
        let mut manifests = BTreeMap::new();
        for key in self.keys(bucket, "").await?.into_iter().filter(|key| key.contains("manifests/year=")) {
            manifests.insert(key.clone(), self.read_json(bucket, &key).await?);
        }
        Ok(manifests)
    }

    /// The report of a run, also of one that failed; `None` where the run wrote none.
    pub async fn report(&self, bucket: &str, execution_arn: &str) -> Result<Option<Value>> {
        let name = execution_arn.rsplit(':').next().unwrap_or_default();
        let is_report = |key: &String| key.contains("runs/year=") && key.ends_with(&format!("-{name}.json"));
        match self.keys(bucket, "").await?.into_iter().find(is_report) {
            Some(key) => self.read_json(bucket, &key).await.map(Some),
            None => Ok(None),
        }
    }

    async fn read_json(&self, bucket: &str, key: &str) -> Result<Value> {
        serde_json::from_slice(&self.read_object(bucket, key).await?).with_context(|| format!("s3://{bucket}/{key} is not JSON"))
    }
}

/// How an export writes an event.
pub fn record(event: &Event) -> Result<Vec<u8>> {
    let time = DateTime::from_timestamp_millis(event.timestamp).with_context(|| format!("{} is no date", event.timestamp))?;
    Ok(format!("{} {}\n", time.format("%Y-%m-%dT%H:%M:%S%.3fZ"), event.message).into_bytes())
}

/// Cuts the text of an export into its records. A record begins with a line that begins with a timestamp; lines without one belong
/// to the record before.
pub fn records(text: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> = Vec::new();
    let mut line = 0;
    while line < text.len() {
        if line == 0 || begins_with_timestamp(&text[line..]) {
            starts.push(line);
        }
        line = text[line..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| line + end + 1);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect()
}

fn begins_with_timestamp(line: &[u8]) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.000Z ";
    line.len() >= SHAPE.len()
        && line.iter().zip(SHAPE).all(|(byte, shape)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_a_timestamp_belong_to_the_record_before() {
        let event = Event { timestamp: 1_791_072_000_123, message: "a\r\nb".to_owned() };
        let first = record(&event).unwrap();
        assert_eq!(first, b"2026-10-04T00:00:00.123Z a\r\nb\n");
        let others: [&[u8]; 3] = [
            b"2026-10-04T00:00:00.123Z a\n\tat b\n\n",
            b"2026-10-04T00:00:00.123Z \n2026-10-04 00:00:00 c\n",
            b"2026-10-04T00:00:00.123Z no newline",
        ];
        let text = [&[b"stray\n".as_slice(), &first], &others[..]].concat();
        assert_eq!(records(&text.concat()), text);
    }
}
