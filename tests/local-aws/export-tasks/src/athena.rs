//! Which requests are Athena's about query executions: an engine of their own answers these, where there is one.

const TARGETS: [&str; 5] = [
    "AmazonAthena.StartQueryExecution",
    "AmazonAthena.GetQueryExecution",
    "AmazonAthena.BatchGetQueryExecution",
    "AmazonAthena.GetQueryResults",
    "AmazonAthena.StopQueryExecution",
];

/// By the target of AWS JSON 1.1. Workgroups, saved queries and the rest stay the local AWS's.
pub(crate) fn is_about_query_executions(target: &str) -> bool {
    TARGETS.contains(&target)
}
