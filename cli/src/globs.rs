//! Log groups as an operator names them: names, and globs with `*` and `?`.

use export_core::LogGroupName;
use wildmatch::WildMatch;

/// Whether it can match other names than itself.
pub fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

pub struct Globs(Vec<WildMatch>);

impl Globs {
    pub fn new(patterns: &[String]) -> Self {
        Self(patterns.iter().map(|pattern| WildMatch::new(pattern)).collect())
    }

    /// None at all match everything.
    pub fn matches(&self, name: &LogGroupName) -> bool {
        self.0.is_empty() || self.0.iter().any(|glob| glob.matches(name.as_str()))
    }

    /// Those that match none of the names: probably a mistake.
    pub fn without_match<'a>(&self, patterns: &'a [String], names: &[&LogGroupName]) -> Vec<&'a str> {
        let matches_none = |glob: &WildMatch| !names.iter().any(|name| glob.matches(name.as_str()));
        self.0.iter().zip(patterns).filter(|(glob, _)| matches_none(glob)).map(|(_, pattern)| pattern.as_str()).collect()
    }
}
