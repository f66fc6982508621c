//! Which months a run hands to the compaction: those whose manifests are not the ones that the last compaction was handed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Month;

/// A digest of each month's manifests, by their keys and ETags.
pub type ManifestDigests = BTreeMap<Month, String>;

/// What a run that writes Parquet hands to the compaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    pub months: BTreeSet<Month>,
    /// Of the whole archive, as the compaction finds it.
    manifests: ManifestDigests,
}

impl Compaction {
    /// `followed`: what the Parquet follows, by the last report of a run that writes Parquet. `None`: there is no such report, and only
    /// the months of `looks` are compacted. The objects of older months can lie in a storage class that Athena does not read.
    pub fn new(manifests: ManifestDigests, followed: Option<ManifestDigests>, looks: &BTreeSet<Month>) -> Self {
        let followed = followed.unwrap_or_else(|| without(&manifests, looks));
        let months = manifests.keys().chain(followed.keys()).filter(|month| manifests.get(month) != followed.get(month));
        Self { months: months.copied().collect(), manifests }
    }

    /// What the Parquet follows at the run's end. `is_done`: the compaction ended well.
    pub fn followed(&self, is_done: bool) -> ManifestDigests {
        if is_done { self.manifests.clone() } else { without(&self.manifests, &self.months) }
    }
}

fn without(manifests: &ManifestDigests, months: &BTreeSet<Month>) -> ManifestDigests {
    manifests.iter().filter(|(month, _)| !months.contains(month)).map(|(month, digest)| (*month, digest.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn months(numbers: &[u32]) -> BTreeSet<Month> {
        numbers.iter().map(|month| format!("2026-{month:02}").parse().unwrap()).collect()
    }

    fn digests(of: &[(u32, &str)]) -> ManifestDigests {
        of.iter().map(|(month, digest)| (format!("2026-{month:02}").parse().unwrap(), (*digest).to_owned())).collect()
    }

    #[test]
    fn a_month_is_compacted_until_its_parquet_follows_its_manifests() {
        let (archive, looks) = (digests(&[(8, "a"), (9, "b"), (10, "c")]), months(&[10, 11]));
        let handed = |followed: Option<ManifestDigests>| Compaction::new(archive.clone(), followed, &looks);
        assert_eq!(handed(None).months, months(&[10]), "the first run that writes Parquet: what it looks at");
        assert_eq!(handed(Some(archive.clone())).months, months(&[]));
        assert_eq!(handed(Some(digests(&[(8, "a"), (9, "other"), (10, "c")]))).months, months(&[9]), "whoever changed it");
        assert_eq!(handed(Some(digests(&[(9, "b"), (10, "c")]))).months, months(&[8]), "new");
        let removed = handed(Some(digests(&[(7, "x"), (8, "a"), (9, "b"), (10, "c")])));
        assert_eq!(removed.months, months(&[7]), "all its manifests are gone");
        assert_eq!(removed.followed(true), archive);

        let first = handed(None);
        assert_eq!(handed(Some(first.followed(true))).months, months(&[]));
        assert_eq!(handed(Some(first.followed(false))).months, months(&[10]), "its compaction failed");
    }
}
