//! Open windows: reads and writes the objects in `missing/`.

use export_core::{
    ErrorName, ExportError,
    contract::plan::Failure,
    missing::{OpenWindow, OpenWindows},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::Archive;

/// How many objects are read or written at a time.
const CONCURRENCY: usize = 32;

impl Archive {
    /// Every open window, and a failure for each object that cannot be read.
    pub async fn open_windows(&self) -> Result<(OpenWindows, Vec<Failure>), ExportError> {
        let keys = self.list_keys(self.stack.bucket.as_str(), &self.stack.missing_folder()).await?;
        self.read_open_windows(keys.into_iter().map(|(key, _)| key)).await
    }

    /// The open windows with these keys, and a failure for each object that cannot be read.
    pub async fn read_open_windows(&self, keys: impl IntoIterator<Item = String>) -> Result<(OpenWindows, Vec<Failure>), ExportError> {
        let keys = keys.into_iter().filter(|key| key.ends_with(".json"));
        let read = stream::iter(keys).map(|key| self.read_open_window(key)).buffered(CONCURRENCY);
        let (mut open, mut unreadable) = (Vec::new(), Vec::new());
        for read in read.try_collect::<Vec<_>>().await?.into_iter().flatten() {
            match read {
                Ok(window) => open.push(window),
                Err(failure) => unreadable.push(failure),
            }
        }
        Ok((open.into(), unreadable))
    }

    /// `None`: somebody has removed it since it was listed.
    async fn read_open_window(&self, key: String) -> Result<Option<Result<OpenWindow, Failure>>, ExportError> {
        let bucket = self.stack.bucket.as_str();
        let why = match self.read(bucket, &key).await {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => match OpenWindow::parse(&bytes, &key, &self.stack) {
                Ok(open) => return Ok(Some(Ok(open))),
                Err(why) => why,
            },
            Err(failure) => {
                let error = self.object_error(&failure, bucket, &key);
                if error.name == ErrorName::DestinationUnavailable {
                    return Err(error);
                }
                error.message
            }
        };
        let message = format!("open window {key} of bucket {bucket} cannot be read, so nobody knows what is missing: {why}");
        Ok(Some(Err(ExportError::new(ErrorName::ArchiveUnreadable, message).into())))
    }

    pub async fn write_open_windows<'a>(&self, open: impl IntoIterator<Item = &'a OpenWindow>) -> Result<(), ExportError> {
        let write = async |open: &OpenWindow| self.write_json(self.stack.bucket.as_str(), &open.key(&self.stack), open).await;
        stream::iter(open).map(write).buffer_unordered(CONCURRENCY).try_collect().await
    }

    pub async fn remove_open_windows<'a>(&self, open: impl IntoIterator<Item = &'a OpenWindow>) -> Result<(), ExportError> {
        let remove = async |open: &OpenWindow| self.delete(self.stack.bucket.as_str(), &open.key(&self.stack)).await;
        stream::iter(open).map(remove).buffer_unordered(CONCURRENCY).try_collect().await
    }
}
