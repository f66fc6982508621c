//! The months to compact: those whose manifests changed since the last compaction.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Month;

/// A digest of each month's manifests: of their keys and ETags.
pub type ManifestDigests = BTreeMap<Month, String>;

/// The compaction of a run that writes Parquet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    pub months: BTreeSet<Month>,
    /// The manifests of the whole archive before the compaction.
    manifests: ManifestDigests,
}

impl Compaction {
    /// `compacted`: the manifests that the Parquet agrees with, by the last report of a run that writes Parquet. `None`: there is no such
    /// report, and only the run's own months are compacted. Older months can be in a storage class that Athena does not read.
    pub fn new(manifests: ManifestDigests, compacted: Option<ManifestDigests>, run_months: &BTreeSet<Month>) -> Self {
        let compacted = compacted.unwrap_or_else(|| without(&manifests, run_months));
        let months = manifests.keys().chain(compacted.keys()).filter(|month| manifests.get(month) != compacted.get(month));
        Self { months: months.copied().collect(), manifests }
    }

    /// The manifests that the Parquet agrees with at the run's end. `is_done`: the compaction succeeded.
    pub fn compacted_manifests(&self, is_done: bool) -> ManifestDigests {
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
    fn a_month_is_compacted_until_its_parquet_agrees_with_its_manifests() {
        let (archive, run_months) = (digests(&[(8, "a"), (9, "b"), (10, "c")]), months(&[10, 11]));
        let compaction = |compacted: Option<ManifestDigests>| Compaction::new(archive.clone(), compacted, &run_months);
        assert_eq!(compaction(None).months, months(&[10]), "the first run that writes Parquet: what it looks at");
        assert_eq!(compaction(Some(archive.clone())).months, months(&[]));
        assert_eq!(compaction(Some(digests(&[(8, "a"), (9, "other"), (10, "c")]))).months, months(&[9]), "its manifests changed");
        assert_eq!(compaction(Some(digests(&[(9, "b"), (10, "c")]))).months, months(&[8]), "new");
        let removed = compaction(Some(digests(&[(7, "x"), (8, "a"), (9, "b"), (10, "c")])));
        assert_eq!(removed.months, months(&[7]), "all its manifests are gone");
        assert_eq!(removed.compacted_manifests(true), archive);

        let first = compaction(None);
        assert_eq!(compaction(Some(first.compacted_manifests(true))).months, months(&[]));
        assert_eq!(compaction(Some(first.compacted_manifests(false))).months, months(&[10]), "its compaction failed");
    }
}
