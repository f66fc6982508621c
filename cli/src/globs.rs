//! The patterns for log groups in arguments: names, and globs with `*` and `?`.

use export_core::LogGroupName;
use wildmatch::WildMatch;

use crate::failure::Failure;

/// Whether a pattern can match other names than itself.
pub fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// Parses an argument that is the name of a log group.
pub fn parse_name(name: &str) -> Result<LogGroupName, Failure> {
    LogGroupName::parse(name).map_err(|fix| Failure::Usage(format!("the log group is {name:?}: {fix}")))
}

pub struct Globs<'a>(Vec<(&'a str, WildMatch)>);

impl<'a> Globs<'a> {
    pub fn new(patterns: &'a [String]) -> Self {
        Self(patterns.iter().map(|pattern| (pattern.as_str(), WildMatch::new(pattern))).collect())
    }

    /// An empty list of patterns matches every name.
    pub fn matches(&self, name: &LogGroupName) -> bool {
        self.0.is_empty() || self.0.iter().any(|(_, glob)| glob.matches(name.as_str()))
    }

    /// The patterns that match none of the names.
    pub fn unmatched(&self, names: &[&LogGroupName]) -> Vec<&'a str> {
        let matches_none = |glob: &WildMatch| !names.iter().any(|name| glob.matches(name.as_str()));
        self.0.iter().filter(|(_, glob)| matches_none(glob)).map(|(pattern, _)| *pattern).collect()
    }
}
