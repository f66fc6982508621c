//! What a self-test proved, and what it saw of AWS.

use comfy_table::Table;
use serde::Serialize;

use crate::output::{Output, note};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckResult {
    Proven,
    NotProven,
    AsDocumented,
    /// AWS answered otherwise than docs/local-aws.md states.
    Differs,
    /// There was no occasion to see it.
    NotSeen,
}

impl CheckResult {
    fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::NotProven => "not proven",
            Self::AsDocumented => "as documented",
            Self::Differs => "differs",
            Self::NotSeen => "not seen",
        }
    }

    pub fn is_finding(self) -> bool {
        matches!(self, Self::NotProven | Self::Differs)
    }
}

#[derive(Debug, Serialize)]
pub struct Check {
    check: String,
    pub result: CheckResult,
    detail: String,
    /// The table of docs/local-aws.md that states what is expected of AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    documented: Option<String>,
}

/// A table of docs/local-aws.md, by its heading.
#[derive(Debug, Clone, Copy)]
pub enum Documented {
    CreateExportTask,
    DescribeExportTasks,
    Life,
    Objects,
}

impl Documented {
    #[cfg(test)]
    const ALL: [Self; 4] = [Self::CreateExportTask, Self::DescribeExportTasks, Self::Life, Self::Objects];

    fn link(self) -> String {
        let anchor = match self {
            Self::CreateExportTask => "createexporttask",
            Self::DescribeExportTasks => "describeexporttasks",
            Self::Life => "the-life-of-a-task",
            Self::Objects => "what-a-task-writes",
        };
        format!("docs/local-aws.md#{anchor}")
    }
}

#[derive(Debug, Default)]
pub struct Checks(Vec<Check>);

impl Checks {
    pub fn rows(&self) -> &[Check] {
        &self.0
    }

    pub fn has(&self, result: CheckResult) -> bool {
        self.0.iter().any(|check| check.result == result)
    }

    pub fn has_findings(&self) -> bool {
        self.0.iter().any(|check| check.result.is_finding())
    }

    pub fn prove(&mut self, check: &str, is_proven: bool, detail: String) {
        self.add(check, if is_proven { CheckResult::Proven } else { CheckResult::NotProven }, detail, None);
    }

    /// Compares an answer of AWS with what docs/local-aws.md states.
    pub fn observe(&mut self, check: &str, documented: Documented, expected: &str, seen: &str) {
        if expected == seen {
            self.add(check, CheckResult::AsDocumented, seen.to_owned(), Some(documented));
        } else {
            self.add(check, CheckResult::Differs, format!("expected {expected}; saw {seen}"), Some(documented));
        }
    }

    pub fn not_seen(&mut self, check: &str, documented: Option<Documented>, why: &str) {
        self.add(check, CheckResult::NotSeen, why.to_owned(), documented);
    }

    /// Each is told at once: a self-test takes minutes.
    fn add(&mut self, check: &str, result: CheckResult, detail: String, documented: Option<Documented>) {
        note(format_args!("  {}: {check}", result.name()));
        self.0.push(Check { check: check.to_owned(), result, detail, documented: documented.map(Documented::link) });
    }

    pub fn table(&self, output: &Output) -> Table {
        let mut table = output.table(["CHECK", "RESULT", "DETAIL"]);
        for Check { check, result, detail, .. } in &self.0 {
            table.add_row([check.as_str(), result.name(), detail]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_each_table_that_a_check_names() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/local-aws.md")).unwrap();
        let headings = text.lines().filter_map(|line| line.strip_prefix("### "));
        let anchors: Vec<_> = headings.map(|heading| heading.to_lowercase().replace(' ', "-").replace(',', "")).collect();
        for documented in Documented::ALL {
            let link = documented.link();
            assert!(anchors.iter().any(|anchor| link.ends_with(&format!("#{anchor}"))), "{link} of {anchors:?}");
        }
    }
}
