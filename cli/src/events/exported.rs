//! Reads the records of exported objects as a stream. The first bytes of an object show whether it is compressed, not its name.

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

/// CloudWatch Logs writes this object to test its permission. It holds no events.
pub const WRITE_TEST: &str = "aws-logs-write-test";

pub const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How often in a row a download may be interrupted without a further byte.
const MAX_INTERRUPTIONS: usize = 3;

/// The objects that a manifest's task has written.
#[derive(Debug, Default)]
pub struct TaskFolder {
    /// With a slash at its end.
    pub name: String,
    pub listing: FolderContents,
    /// The objects that can hold events, in the order of their keys.
    pub objects: Vec<ListedObject>,
    /// The differences between the objects and the manifest.
    pub problems: Vec<String>,
}

impl TaskFolder {
    /// The name of the folder of a log stream that holds an object.
    pub fn log_stream<'a>(&self, key: &'a str) -> &'a str {
        let name = key.strip_prefix(&self.name).unwrap_or(key);
        name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// The name that CloudWatch Logs gives to a log stream's folder.
pub fn folder_name(log_stream: &str) -> String {
    log_stream.replace('/', "-")
}

/// Lists the folder of a manifest's task. Without a task, the result is empty.
pub async fn list_task_folder(archive: &Archive, key: &ManifestKey, manifest: &Manifest) -> Result<TaskFolder, Failure> {
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
        problems.push("objects were replaced: their number and bytes match the manifest, and their digest does not".into());
    }
    Ok(TaskFolder { name, listing, objects, problems })
}

/// Why an object was not read to its end: a message for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectProblem {
    /// The object has to be restored from its storage class first. It need not be damaged.
    Frozen(String),
    Damaged(String),
}

/// Visits every record of an object. With the `window` of the export, a line with a time outside the window belongs to a message. An
/// interrupted download continues where it stopped, if the object is still the same.
pub async fn read_records(
    client: &Client,
    bucket: &str,
    key: &str,
    window: Option<Window>,
    visit: impl FnMut(Record),
) -> Result<Result<(), ObjectProblem>, Failure> {
    let request = client.get_object().bucket(bucket).key(key);
    let object = match get_object(&request, key).await? {
        Ok(object) => object,
        Err(problem) => return Ok(Err(problem)),
    };
    let (mut body, etag, length) = (object.body, object.e_tag, object.content_length.unwrap_or_default());
    let mut decoder = Decoder::Unknown(Vec::new(), Splitter::new(visit).within(window));
    let (mut offset, mut interruptions) = (0, 0);
    while let Some(bytes) = body.next().await {
        match bytes {
            Ok(bytes) => {
                offset += bytes.len() as i64;
                interruptions = 0;
                decoder = match decoder.write(&bytes) {
                    Ok(decoder) => decoder,
                    Err(error) => return Ok(Err(damaged(key, &error))),
                };
            }
            Err(_) if interruptions < MAX_INTERRUPTIONS && offset < length => {
                interruptions += 1;
                let rest = request.clone().range(format!("bytes={offset}-")).set_if_match(etag.clone());
                body = match get_object(&rest, key).await? {
                    Ok(object) => object.body,
                    Err(problem) => return Ok(Err(problem)),
                };
            }
            Err(error) => {
                let message = format!("the download was interrupted: {error}");
                return Err(Failure::of_call("s3", &ServiceFailure { operation: "GetObject", code: None, message, status: None }));
            }
        }
    }
    Ok(decoder.finish().map_err(|error| damaged(key, &error)))
}

async fn get_object(request: &GetObjectFluentBuilder, key: &str) -> Result<Result<GetObjectOutput, ObjectProblem>, Failure> {
    let failure = match request.clone().send().await {
        Ok(object) => return Ok(Ok(object)),
        Err(error) => service_failure("GetObject", &error),
    };
    match failure.code.as_deref() {
        Some("NoSuchKey") => Ok(Err(ObjectProblem::Damaged(format!("object {key} does not exist")))),
        Some("PreconditionFailed") => {
            Ok(Err(ObjectProblem::Damaged(format!("object {key} was replaced while it was read: repeat the command"))))
        }
        Some("InvalidObjectState") => Ok(Err(ObjectProblem::Frozen(format!("object {key} is in an archive storage class of S3")))),
        _ => Err(Failure::of_call("s3", &failure)),
    }
}

fn damaged(key: &str, error: &io::Error) -> ObjectProblem {
    ObjectProblem::Damaged(format!("object {key} is truncated or damaged: {error}"))
}

enum Decoder<V: FnMut(Record)> {
    /// There are too few bytes to know the format.
    Unknown(Vec<u8>, Splitter<V>),
    Gzip(Box<MultiGzDecoder<Splitter<V>>>),
    Plain(Splitter<V>),
}

impl<V: FnMut(Record)> Decoder<V> {
    fn write(self, bytes: &[u8]) -> io::Result<Self> {
        match self {
            Self::Unknown(mut first, mut splitter) => {
                first.extend_from_slice(bytes);
                if first.len() < GZIP_MAGIC.len() {
                    Ok(Self::Unknown(first, splitter))
                } else if first.starts_with(&GZIP_MAGIC) {
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

    /// The number of records.
    fn read(parts: &[&[u8]]) -> io::Result<usize> {
        let mut count = 0;
        let mut decoder = Decoder::Unknown(Vec::new(), Splitter::new(|_: Record| count += 1));
        for part in parts {
            decoder = decoder.write(part)?;
        }
        decoder.finish()?;
        Ok(count)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_first_bytes_determine_the_format() {
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
    fn an_object_that_is_truncated_anywhere_is_an_error() {
        let packed = gzip(b"2026-10-04T00:00:00.123Z a\n");
        for length in 2..packed.len() {
            let error = read(&[&packed[..length]]).map_or_else(|error| error, |count| panic!("{length} bytes are {count} records"));
            assert!(
                matches!(damaged("k", &error), ObjectProblem::Damaged(text) if text.starts_with("object k is truncated or damaged: ")),
                "{error}"
            );
        }
        let mut changed = packed.clone();
        changed[packed.len() - 6] ^= 1;
        assert!(read(&[&changed]).is_err(), "the checksum is verified");
    }
}
