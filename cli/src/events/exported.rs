//! Exported objects, read as they come: what they hold is told by their first bytes, not by their names.

use std::io::{self, Write};

use archive::{Archive, FolderListing, ListedObject, service_failure};
use aws_sdk_s3::{
    Client,
    operation::get_object::{GetObjectOutput, builders::GetObjectFluentBuilder},
};
use export_core::{
    Window,
    destination::task_folder,
    manifest::{Content, FolderContents, FoundManifest, Manifest},
    place::ManifestKey,
    service::ServiceFailure,
};
use flate2::write::MultiGzDecoder;

use crate::{
    events::records::{Record, Splitter},
    failure::Failure,
};

/// CloudWatch Logs writes it to prove its permission. It is never a log.
pub const WRITE_TEST: &str = "aws-logs-write-test";

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How often a download may break off without another byte.
const MOST_BREAKS: usize = 3;

/// What a manifest's task has written.
#[derive(Debug, Default)]
pub struct TaskFolder {
    /// With a slash at its end.
    pub name: String,
    pub listing: FolderContents,
    /// In the order of their keys, and only those that can hold events.
    pub objects: Vec<ListedObject>,
    /// What is wrong with them, by the manifest.
    pub problems: Vec<String>,
}

impl TaskFolder {
    /// The folder of a log stream in which an object lies.
    pub fn log_stream<'a>(&self, key: &'a str) -> &'a str {
        let name = key.strip_prefix(&self.name).unwrap_or(key);
        name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// As CloudWatch Logs names a log stream's folder.
pub fn folder_name(log_stream: &str) -> String {
    log_stream.replace('/', "-")
}

/// Lists the folder of a manifest's task. Without a task, there is nothing.
pub async fn list(archive: &Archive, key: &ManifestKey, manifest: &Manifest) -> Result<TaskFolder, Failure> {
    let Some(task_id) = &manifest.task_id else { return Ok(TaskFolder::default()) };
    let name = task_folder(&manifest.destination_prefix, task_id);
    let mut objects = archive.list_objects(manifest.bucket.as_str(), &name, None).await?;
    let mut listing = FolderListing::new(&name, false);
    objects.iter().for_each(|object| listing.add(object));
    objects.retain(|object| !object.key.ends_with(WRITE_TEST));
    let listing = listing.finish();
    let content = Content::Manifest { manifest: Box::new(manifest.clone()), folder: listing.clone() };
    let found = FoundManifest { key: key.clone(), etag: String::new(), content };
    let mut problems: Vec<String> = found.damage().map(|damage| format!("the manifest is damaged: {damage}")).into_iter().collect();
    if found.is_changed() {
        problems.push("objects were replaced: their number and bytes are as the manifest states, and their digest is not".into());
    }
    Ok(TaskFolder { name, listing, objects, problems })
}

/// Why an object was not read to its end, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// In a storage class of S3 from which it has to be restored first. It may be good.
    Frozen(String),
    Damaged(String),
}

/// Visits every record of an object. `window`: of the export, where other times are to be a message's. A download that breaks off is
/// continued where it was, if the object is still the same.
pub async fn records(
    client: &Client,
    bucket: &str,
    key: &str,
    window: Option<Window>,
    visit: impl FnMut(Record),
) -> Result<Result<(), Unread>, Failure> {
    let request = client.get_object().bucket(bucket).key(key);
    let object = match get(&request, key).await? {
        Ok(object) => object,
        Err(unread) => return Ok(Err(unread)),
    };
    let (mut body, etag, length) = (object.body, object.e_tag, object.content_length.unwrap_or_default());
    let mut decoder = Decoder::Unknown(Vec::new(), Splitter::new(visit).within(window));
    let (mut offset, mut breaks) = (0, 0);
    while let Some(bytes) = body.next().await {
        match bytes {
            Ok(bytes) => {
                offset += bytes.len() as i64;
                breaks = 0;
                decoder = match decoder.write(&bytes) {
                    Ok(decoder) => decoder,
                    Err(error) => return Ok(Err(damaged(key, &error))),
                };
            }
            Err(_) if breaks < MOST_BREAKS && offset < length => {
                breaks += 1;
                let rest = request.clone().range(format!("bytes={offset}-")).set_if_match(etag.clone());
                body = match get(&rest, key).await? {
                    Ok(object) => object.body,
                    Err(unread) => return Ok(Err(unread)),
                };
            }
            Err(error) => {
                let message = format!("the answer broke off: {error}");
                return Err(Failure::of("s3", &ServiceFailure { operation: "GetObject", code: None, message, status: None }));
            }
        }
    }
    Ok(decoder.finish().map_err(|error| damaged(key, &error)))
}

async fn get(request: &GetObjectFluentBuilder, key: &str) -> Result<Result<GetObjectOutput, Unread>, Failure> {
    let failure = match request.clone().send().await {
        Ok(object) => return Ok(Ok(object)),
        Err(error) => service_failure("GetObject", &error),
    };
    match failure.code.as_deref() {
        Some("NoSuchKey") => Ok(Err(Unread::Damaged(format!("object {key} is gone")))),
        Some("PreconditionFailed") => Ok(Err(Unread::Damaged(format!("object {key} was replaced while it was read: repeat the command")))),
        Some("InvalidObjectState") => Ok(Err(Unread::Frozen(format!("object {key} is in an archive of S3")))),
        _ => Err(Failure::of("s3", &failure)),
    }
}

fn damaged(key: &str, error: &io::Error) -> Unread {
    Unread::Damaged(format!("object {key} is truncated or damaged: {error}"))
}

enum Decoder<V: FnMut(Record)> {
    /// Too few bytes to tell.
    Unknown(Vec<u8>, Splitter<V>),
    Gzip(Box<MultiGzDecoder<Splitter<V>>>),
    Plain(Splitter<V>),
}

impl<V: FnMut(Record)> Decoder<V> {
    fn write(self, bytes: &[u8]) -> io::Result<Self> {
        match self {
            Self::Unknown(mut first, mut splitter) => {
                first.extend_from_slice(bytes);
                if first.len() < GZIP.len() {
                    Ok(Self::Unknown(first, splitter))
                } else if first.starts_with(&GZIP) {
                    let mut decoder = Box::new(MultiGzDecoder::new(splitter));
                    decoder.write_all(&first)?;
                    Ok(Self::Gzip(decoder))
                } else {
                    splitter.write_all(&first)?;
                    Ok(Self::Plain(splitter))
                }
            }
            Self::Gzip(mut decoder) => {
                decoder.write_all(bytes)?;
                Ok(Self::Gzip(decoder))
            }
            Self::Plain(mut splitter) => {
                splitter.write_all(bytes)?;
                Ok(Self::Plain(splitter))
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        let mut splitter = match self {
            Self::Unknown(first, mut splitter) => {
                splitter.write_all(&first)?;
                splitter
            }
            Self::Gzip(decoder) => decoder.finish()?,
            Self::Plain(splitter) => splitter,
        };
        splitter.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// How many records there are, or what is wrong.
    fn read(parts: &[&[u8]]) -> io::Result<usize> {
        let mut found = 0;
        let mut decoder = Decoder::Unknown(Vec::new(), Splitter::new(|_: Record| found += 1));
        for part in parts {
            decoder = decoder.write(part)?;
        }
        decoder.finish()?;
        Ok(found)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_first_bytes_tell_the_form() {
        let text = b"2026-10-04T00:00:00.123Z a\n2026-10-04T00:00:00.123Z b";
        let packed = gzip(text);
        let members = [gzip(&text[..27]), gzip(&text[27..])].concat();
        for (parts, expected) in
            [(vec![&text[..]], 2), (vec![&packed[..1], &packed[1..]], 2), (vec![&members[..]], 2), (vec![], 0), (vec![&b"x"[..]], 1)]
        {
            assert_eq!(read(&parts).unwrap(), expected);
        }
    }

    #[test]
    fn a_truncated_object_is_an_error_wherever_it_ends() {
        let packed = gzip(b"2026-10-04T00:00:00.123Z a\n");
        for length in 2..packed.len() {
            let error = read(&[&packed[..length]]).map_or_else(|error| error, |found| panic!("{length} bytes are {found} records"));
            assert!(
                matches!(damaged("k", &error), Unread::Damaged(text) if text.starts_with("object k is truncated or damaged: ")),
                "{error}"
            );
        }
        let mut changed = packed.clone();
        changed[packed.len() - 6] ^= 1;
        assert!(read(&[&changed]).is_err(), "the checksum is looked at");
    }
}
