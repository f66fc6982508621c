//! Where a stack's archive lies, and where in it one log group's months do.

use std::fmt;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{BucketName, LogGroupName, Month, Prefix, SettleDays, Window, destination::Destination, time::Millis};

/// The stack that a run belongs to: what it takes where the input leaves something out, and where its archive's memory lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    pub account: String,
    pub region: String,
    /// Of the AWS partition, such as `aws` or `aws-cn`.
    pub partition: String,
    pub bucket: BucketName,
    pub s3_prefix: Prefix,
    pub timezone: Tz,
    pub settle_days: SettleDays,
}

impl Stack {
    pub fn place(&self, bucket: BucketName, log_group: LogGroupName, destination: Destination) -> Place {
        Place { account: self.account.clone(), region: self.region.clone(), bucket, log_group, destination }
    }

    /// The folder of all manifests, with a slash behind it.
    pub fn all_manifests(&self) -> String {
        self.s3_prefix.join("manifests/")
    }

    /// The folder of a month's manifests, with a slash behind it.
    pub fn manifests(&self, month: Month) -> String {
        format!("{}{}/", self.all_manifests(), partition_of(month))
    }

    /// Reads a key as [`manifest_key`](Self::manifest_key) makes it. What is no manifest's key is somebody else's object.
    pub fn parse_manifest_key(&self, key: &str) -> Option<ManifestKey> {
        let (folder, file_name) = key.rsplit_once('/')?;
        let (year, month) = folder.strip_prefix(&self.all_manifests())?.strip_prefix("year=")?.split_once("/month=")?;
        ManifestKey::parse(format!("{year}-{month}").parse().ok()?, file_name)
    }

    /// What the keys of one place's manifests of a month begin with.
    pub fn manifests_of(&self, month: Month, place: &PlaceHash) -> String {
        format!("{}{place}-", self.manifests(month))
    }

    pub fn manifest_key(&self, key: &ManifestKey) -> String {
        format!("{}{key}", self.manifests(key.month))
    }

    /// The folder of the open windows, with a slash behind it.
    pub fn missing(&self) -> String {
        self.s3_prefix.join("missing/")
    }

    /// What the keys of one place's open windows begin with.
    pub fn missing_of(&self, place: &PlaceHash) -> String {
        format!("{}{place}-", self.missing())
    }

    pub fn missing_key(&self, place: &PlaceHash, window: Window) -> String {
        format!("{}{}", self.missing(), file_name(place, window))
    }

    /// The folder of all reports, with a slash behind it.
    pub fn reports(&self) -> String {
        self.s3_prefix.join("runs/")
    }

    /// The file names of reports sort by the starts of their runs.
    pub fn report_key(&self, due_month: Month, start: Millis, execution_name: &str) -> String {
        let time = start.instant().unwrap_or_default().format("%Y-%m-%dT%H-%M-%S%.3fZ");
        format!("{}{}/{time}-{execution_name}.json", self.reports(), partition_of(due_month))
    }
}

fn file_name(place: &PlaceHash, window: Window) -> String {
    format!("{place}-{}-{}.json", window.from.0, window.to.0)
}

fn partition_of(month: Month) -> String {
    format!("year={:04}/month={:02}", month.year(), month.month())
}

/// One log group's exports: account, Region, bucket, log group, and destination. Coverage and overlap are judged for each place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub account: String,
    pub region: String,
    pub bucket: BucketName,
    pub log_group: LogGroupName,
    pub destination: Destination,
}

impl Place {
    pub fn hash(&self) -> PlaceHash {
        let identity = serde_json::json!([self.account, self.region, self.bucket, self.log_group, self.destination]).to_string();
        PlaceHash(hexadecimal(&Sha256::digest(identity), 16))
    }
}

pub fn hexadecimal(bytes: &[u8], first: usize) -> String {
    bytes.iter().take(first).map(|byte| format!("{byte:02x}")).collect()
}

/// A place in a key: a destination can be as long as a key, and can have parts that Athena hides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlaceHash(String);

impl fmt::Display for PlaceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a manifest's key says, in the folder of the month that its window was planned for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ManifestKey {
    pub place: PlaceHash,
    pub month: Month,
    pub window: Window,
}

impl ManifestKey {
    /// Reads a file name in the folder of `month`. What is no manifest's name is somebody else's object.
    pub fn parse(month: Month, file_name: &str) -> Option<Self> {
        let mut parts = file_name.strip_suffix(".json")?.split('-');
        let place = parts.next().filter(|place| place.len() == 32 && place.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let mut millis = || parts.next().and_then(|part| part.parse().ok()).map(Millis).filter(|millis| *millis < Millis::LAST);
        let window = Window { from: millis()?, to: millis()? };
        let key = Self { place: PlaceHash(place.to_owned()), month, window };
        (key.to_string() == file_name && window.from <= window.to).then_some(key)
    }
}

/// The file name.
impl fmt::Display for ManifestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&file_name(&self.place, self.window))
    }
}

/// The stack of this crate's tests.
#[cfg(test)]
pub(crate) fn stack() -> Stack {
    Stack {
        account: "111122223333".into(),
        region: "ap-northeast-1".into(),
        partition: "aws".into(),
        bucket: BucketName::parse("my-archive").unwrap(),
        s3_prefix: Prefix::parse("logs").unwrap(),
        timezone: chrono_tz::Asia::Tokyo,
        settle_days: SettleDays::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifests_name_reads_back() {
        let month = "2026-10".parse().unwrap();
        let name = format!("{}-1790780400000-1793458799999.json", "0123456789abcdef".repeat(2));
        assert_eq!(ManifestKey::parse(month, &name).unwrap().to_string(), name);
        let key = stack().manifest_key(&ManifestKey::parse(month, &name).unwrap());
        assert_eq!(stack().parse_manifest_key(&key).map(|manifest| stack().manifest_key(&manifest)), Some(key.clone()));
        for other in ["year=2026/month=10", "manifests/year=2026/month=13", "manifests/month=10"] {
            assert_eq!(stack().parse_manifest_key(&format!("logs/{other}/{name}")), None, "{other}");
        }
        assert_eq!(stack().parse_manifest_key(key.strip_prefix("logs/").unwrap()), None);
        for other in [
            "x.json",
            &name.replace("1790780400000", "01790780400000"),
            &name.replace(".json", ".txt"),
            &name.replace("-1793458799999", "-1"),
            &name.replace("1793458799999", &i64::MAX.to_string()),
        ] {
            assert_eq!(ManifestKey::parse(month, other), None, "{other}");
        }
    }
}
