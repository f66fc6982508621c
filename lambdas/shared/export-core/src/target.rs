//! One window of a place, as it is planned, exported and checked.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::{
    Month, StreamPrefix, Window,
    decide::{Question, Remembered},
    place::{ManifestKey, Place, hexadecimal},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pub place: Place,
    pub stream_prefix: Option<StreamPrefix>,
    pub month: Month,
    pub window: Window,
}

impl Target {
    /// The same place, stream prefix and window always give the same name, and others another one. By it a task is recognised as
    /// one's own, also when the answer that named its id was lost, or when another run created it.
    pub fn task_name(&self) -> String {
        let identity = serde_json::json!([self.place.hash(), self.stream_prefix, self.window.from, self.window.to]).to_string();
        format!("archive-{}-{}", self.month, hexadecimal(&Sha256::digest(identity), 8))
    }

    pub fn destination_prefix(&self) -> String {
        self.place.destination.prefix(self.month)
    }

    pub fn manifest_key(&self) -> ManifestKey {
        ManifestKey { place: self.place.hash(), month: self.month, window: self.window }
    }

    pub fn question(&self, force_since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Question<'_> {
        Question {
            place: &self.place,
            stream_prefix: self.stream_prefix.as_ref(),
            month: self.month,
            window: self.window,
            after_first_covered: false,
            force_since,
            planned_since: None,
            remembered: Remembered::default(),
            now,
        }
    }
}
