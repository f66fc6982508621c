//! Where a stack's archive is in S3, and where each log group's months are in it.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{BucketName, LogGroupName, Month, Prefix, SettleDays, Window, destination::Destination, time::Millis};

/// The stack of a run: the defaults for what an input leaves out, and where the archive keeps its manifests, open windows and reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    pub account: String,
    pub region: String,
    /// The AWS partition, such as `aws` or `aws-cn`.
    pub partition: String,
    pub bucket: BucketName,
    pub s3_prefix: Prefix,
    pub timezone: Tz,
    pub settle_days: SettleDays,
}

impl Stack {
    /// The place of a log group of this stack's account and Region.
    pub fn place(&self, bucket: BucketName, log_group: LogGroupName, destination: Destination) -> Place {
        Place { account: self.account.clone(), region: self.region.clone(), bucket, log_group, destination }
    }

    /// The folder of all manifests, with a slash at its end.
    pub fn manifests_folder(&self) -> String {
        self.s3_prefix.join("manifests/")
    }

    /// The folder of a month's manifests, with a slash at its end.
    pub fn month_folder(&self, month: Month) -> String {
        format!("{}{}/", self.manifests_folder(), partition_of(month))
    }

    /// Parses a key that [`manifest_key`](Self::manifest_key) made. `None`: the object is not a manifest.
    pub fn parse_manifest_key(&self, key: &str) -> Option<ManifestKey> {
        let (folder, file_name) = key.rsplit_once('/')?;
        let (year, month) = folder.strip_prefix(&self.manifests_folder())?.strip_prefix("year=")?.split_once("/month=")?;
        ManifestKey::parse(format!("{year}-{month}").parse().ok()?, file_name)
    }

    /// The prefix of the keys of one place's manifests of a month.
    pub fn manifests_prefix(&self, month: Month, place: &PlaceHash) -> String {
        format!("{}{place}-", self.month_folder(month))
    }

    pub fn manifest_key(&self, key: &ManifestKey) -> String {
        format!("{}{key}", self.month_folder(key.month))
    }

    /// The folder of the open windows, with a slash at its end.
    pub fn missing_folder(&self) -> String {
        self.s3_prefix.join("missing/")
    }

    /// The prefix of the keys of one place's open windows.
    pub fn missing_prefix(&self, place: &PlaceHash) -> String {
        format!("{}{place}-", self.missing_folder())
    }

    pub fn missing_key(&self, place: &PlaceHash, window: Window) -> String {
        format!("{}{}", self.missing_folder(), file_name(place, window))
    }

    /// The folder of all reports, with a slash at its end.
    pub fn reports_folder(&self) -> String {
        self.s3_prefix.join("runs/")
    }

    /// The file names of reports are in the order of their runs' start times.
    pub fn report_key(&self, due_month: Month, start: Millis, execution_name: &str) -> String {
        let time = start.instant().unwrap_or_default().format(REPORT_TIME);
        format!("{}{}/{time}-{execution_name}.json", self.reports_folder(), partition_of(due_month))
    }
}

const REPORT_TIME: &str = "%Y-%m-%dT%H-%M-%S%.3fZ";

/// When the run started whose report has this key.
pub fn report_start(key: &str) -> Option<DateTime<Utc>> {
    let name = key.rsplit('/').next()?;
    NaiveDateTime::parse_and_remainder(name, REPORT_TIME).ok().map(|(start, _)| start.and_utc())
}

fn file_name(place: &PlaceHash, window: Window) -> String {
    format!("{place}-{}-{}.json", window.from.0, window.to.0)
}

fn partition_of(month: Month) -> String {
    format!("year={:04}/month={:02}", month.year(), month.month())
}

/// The place of one log group's exports. Coverage and overlap are judged for each place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
        PlaceHash(hexadecimal(&Sha256::digest(identity), PlaceHash::BYTES))
    }
}

/// The first `length` bytes in hexadecimal digits.
pub fn hexadecimal(bytes: &[u8], length: usize) -> String {
    bytes.iter().take(length).map(|byte| format!("{byte:02x}")).collect()
}

/// The hash that stands for a place in a key. A destination itself can be as long as a key, and can have parts that Athena ignores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlaceHash(String);

impl PlaceHash {
    const BYTES: usize = 16;
}

impl fmt::Display for PlaceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A manifest's key. Its folder is that of the month that the window was planned for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ManifestKey {
    pub place: PlaceHash,
    pub month: Month,
    pub window: Window,
}

impl ManifestKey {
    /// Parses a file name in the folder of `month`. `None`: the object is not a manifest.
    pub fn parse(month: Month, file_name: &str) -> Option<Self> {
        let mut parts = file_name.strip_suffix(".json")?.split('-');
        let place =
            parts.next().filter(|place| place.len() == 2 * PlaceHash::BYTES && place.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
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
    fn the_name_of_a_report_has_the_start_of_its_run() {
        let start = Millis(1_793_458_800_123);
        let key = stack().report_key("2026-10".parse().unwrap(), start, "a-2026-name");
        assert_eq!((report_start(&key), report_start("logs/runs/x.json")), (start.instant(), None), "{key}");
    }

    #[test]
    fn the_name_of_a_manifest_parses_back() {
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
