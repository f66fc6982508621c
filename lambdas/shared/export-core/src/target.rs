//! One window of a place, as it is planned, exported and checked.

use sha2::{Digest, Sha256};

use crate::{
    Month, StreamPrefix, Window,
    place::{ManifestKey, Place, hexadecimal},
};

/// Bytes of the hash in a task's name.
const NAME_HASH_BYTES: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pub place: Place,
    pub stream_prefix: Option<StreamPrefix>,
    pub month: Month,
    pub window: Window,
}

impl Target {
    /// The same place, stream prefix and window always have the same task name, and others have another one. So a function recognises
    /// the task of a window, also if the response with the task's id was lost, or another run created the task.
    pub fn task_name(&self) -> String {
        let identity = serde_json::json!([self.place.hash(), self.stream_prefix, self.window.from, self.window.to]).to_string();
        format!("archive-{}-{}", self.month, hexadecimal(&Sha256::digest(identity), NAME_HASH_BYTES))
    }

    /// The prefix that CloudWatch Logs gets.
    pub fn destination_prefix(&self) -> String {
        self.place.destination.prefix_of(self.month)
    }

    pub fn manifest_key(&self) -> ManifestKey {
        ManifestKey { place: self.place.hash(), month: self.month, window: self.window }
    }
}
