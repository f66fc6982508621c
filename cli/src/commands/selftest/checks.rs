//! The results of a self-test's checks.

use comfy_table::Table;
use serde::Serialize;

use crate::output::{Output, note};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckResult {
    Proven,
    NotProven,
    AsDocumented,
    /// The response of AWS differs from docs/local-aws.md.
    Differs,
    /// The check was not possible.
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
    /// The table of docs/local-aws.md with the expected response.
    #[serde(skip_serializing_if = "Option::is_none")]
    documented: Option<String>,
}

/// A table of docs/local-aws.md, by its heading.
#[derive(Debug, Clone, Copy)]
pub enum DocumentedTable {
    CreateExportTask,
    DescribeExportTasks,
    TaskLifecycle,
    Objects,
}

impl DocumentedTable {
    #[cfg(test)]
    const ALL: [Self; 4] = [Self::CreateExportTask, Self::DescribeExportTasks, Self::TaskLifecycle, Self::Objects];

    fn link(self) -> String {
        let anchor = match self {
            Self::CreateExportTask => "createexporttask",
            Self::DescribeExportTasks => "describeexporttasks",
            Self::TaskLifecycle => "the-life-of-a-task",
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

    /// Compares a response of AWS with docs/local-aws.md.
    pub fn observe(&mut self, check: &str, documented: DocumentedTable, expected: &str, observed: &str) {
        if expected == observed {
            self.add(check, CheckResult::AsDocumented, observed.to_owned(), Some(documented));
        } else {
            self.add(check, CheckResult::Differs, format!("expected {expected}; saw {observed}"), Some(documented));
        }
    }

    pub fn not_seen(&mut self, check: &str, documented: Option<DocumentedTable>, why: &str) {
        self.add(check, CheckResult::NotSeen, why.to_owned(), documented);
    }

    /// Prints the result at once, because a self-test takes minutes.
    fn add(&mut self, check: &str, result: CheckResult, detail: String, documented: Option<DocumentedTable>) {
        note(format_args!("  {}: {check}", result.name()));
        self.0.push(Check { check: check.to_owned(), result, detail, documented: documented.map(DocumentedTable::link) });
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
    fn the_documentation_has_the_table_of_each_check() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/local-aws.md")).unwrap();
        let headings = text.lines().filter_map(|line| line.strip_prefix("### "));
        let anchors: Vec<_> = headings.map(|heading| heading.to_lowercase().replace(' ', "-").replace(',', "")).collect();
        for documented in DocumentedTable::ALL {
            let link = documented.link();
            assert!(anchors.iter().any(|anchor| link.ends_with(&format!("#{anchor}"))), "{link} of {anchors:?}");
        }
    }
}
