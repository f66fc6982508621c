//! Open windows: what lies in `missing/`.

use export_core::{
    ErrorName, ExportError,
    contract::plan::Failure,
    missing::{Memory, OpenWindow},
    place::Place,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Archive, objects::Permissions};

const READ: Permissions = "s3:GetObject on missing/";
const WRITE: Permissions = "s3:PutObject and s3:DeleteObject on missing/";

/// Objects that are read or written at a time.
const AT_ONCE: usize = 32;

impl Archive {
    /// Every open window, and what the last scheduled run that compared everything found.
    pub async fn memory(&self) -> Result<Memory, ExportError> {
        self.memory_below(&self.stack.missing()).await
    }

    pub(crate) async fn memory_of(&self, place: &Place) -> Result<Memory, ExportError> {
        self.memory_below(&self.stack.missing_of(&place.hash())).await
    }

    async fn memory_below(&self, prefix: &str) -> Result<Memory, ExportError> {
        let (last, keys) = tokio::try_join!(self.last_runs(), self.list_keys(self.stack.bucket.as_str(), prefix))?;
        let keys = keys.into_iter().map(|(key, _)| key).filter(|key| key.ends_with(".json"));
        let read = stream::iter(keys).map(|key| self.open_window(key)).buffered(AT_ONCE);
        let (mut open, mut unreadable) = (Vec::new(), Vec::new());
        for read in read.try_collect::<Vec<_>>().await?.into_iter().flatten() {
            match read {
                Ok(window) => open.push(window),
                Err(failure) => unreadable.push(failure),
            }
        }
        Ok(Memory { open: open.into(), unreadable, found: last.found, found_at: last.found_at, found_month: last.compared_through })
    }

    /// `None`: somebody has removed it since it was listed.
    async fn open_window(&self, key: String) -> Result<Option<Result<OpenWindow, Failure>>, ExportError> {
        let bucket = self.stack.bucket.as_str();
        let why = match self.read(bucket, &key).await {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => match OpenWindow::read(&bytes, &key, &self.stack) {
                Ok(open) => return Ok(Some(Ok(open))),
                Err(why) => why,
            },
            Err(failure) => {
                let error = self.refused(&failure, bucket, READ);
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
        let write = async |open: &OpenWindow| self.write_json(self.stack.bucket.as_str(), &open.key(&self.stack), open, WRITE).await;
        stream::iter(open).map(write).buffer_unordered(AT_ONCE).try_collect().await
    }

    pub async fn remove_open_windows<'a>(&self, open: impl IntoIterator<Item = &'a OpenWindow>) -> Result<(), ExportError> {
        let remove = async |open: &OpenWindow| self.delete(self.stack.bucket.as_str(), &open.key(&self.stack), WRITE).await;
        stream::iter(open).map(remove).buffer_unordered(AT_ONCE).try_collect().await
    }
}
