//! The archive's SQL against the templates that deploy it, and against the workflow that uses the same tables.

use contract::{
    athena::{COLUMNS, SAVED_QUERIES, VIEWS, saved_queries, saved_queries_template, with_views},
    expect_file, read,
    template::{at, keys, load},
};

#[test]
fn the_templates_hold_the_sql_files() {
    expect_file(VIEWS, &with_views(&read(VIEWS)));
    expect_file(SAVED_QUERIES, &saved_queries_template());
}

/// What Athena takes: names up to 128 characters and descriptions up to 1,024, each name once.
#[test]
fn every_saved_query_can_be_saved() {
    let queries = saved_queries();
    for query in &queries {
        assert!(query.name.len() <= 128 && query.description.len() <= 1024, "{}", query.file);
        assert!(!query.sql.ends_with(';') && !query.sql.contains(";\n"), "{}: one statement, without a semicolon", query.file);
        assert_eq!(queries.iter().filter(|other| other.name == query.name).count(), 1, "{} has another one's name", query.file);
    }
}

/// The compaction writes the columns of the view, in the table's order; only so do the two have the same rows.
#[test]
fn compacted_logs_has_the_columns_of_logs() {
    let (_, logs) = COLUMNS.iter().find(|(name, _)| *name == "logs").expect("the view logs");
    let columns: Vec<&str> = logs.iter().map(|(name, _)| *name).filter(|name| !["log_group", "year", "month"].contains(name)).collect();
    let selected = format!("SELECT {} FROM logs", columns.join(", "));
    assert!(read("statemachine/compact-logs.asl.json").contains(&selected), "the workflow does not select {}", columns.join(", "));
    let by_hand = read("infra/athena/compact-log-group.sql").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(by_hand.contains(&selected), "compact-log-group.sql does not select {}", columns.join(", "));
    let table = read(VIEWS);
    let table = table.split("Name: compacted_logs").nth(1).and_then(|rest| rest.split("\n  # ---").next()).expect("the table");
    let in_table: Vec<&str> =
        table.split("Columns:").nth(1).expect("columns").split("Name: ").skip(1).filter_map(|rest| rest.split(',').next()).collect();
    assert_eq!(in_table, columns);
}

/// Athena reads no table without it, not even a view: "Table storage descriptor is missing SerDe info".
#[test]
fn every_table_has_a_serde() {
    let template = load(VIEWS);
    let resources = at(&template, &["Resources"]);
    let tables: Vec<_> = keys(resources).into_iter().filter(|name| resources[name.as_str()]["Type"] == "AWS::Glue::Table").collect();
    assert_eq!(tables, ["LogLinesTable", "ManifestsTable", "CompactedLogsTable", "LogsView", "EventsView"]);
    for table in &tables {
        let serde = at(resources, &[table, "Properties", "TableInput", "StorageDescriptor", "SerdeInfo", "SerializationLibrary"]);
        assert!(serde.as_str().is_some_and(|name| !name.is_empty()), "{table}");
    }
}
