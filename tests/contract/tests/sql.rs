//! Compares the tables in the template with the SQL, the workflow of the compaction and the code.

use std::collections::BTreeSet;

use contract::{
    read, read_json,
    state_machine::{COMPACT_LOGS, state},
    template::{load, resources},
};
use serde_norway::Value;

fn table(name: &str) -> Value {
    let template = load("infra/athena.yaml");
    let tables = resources(&template, "AWS::Glue::Table").into_iter().map(|(_, properties)| properties["TableInput"].clone());
    tables.into_iter().find(|table| table["Name"].as_str() == Some(name)).unwrap_or_else(|| panic!("the table {name} does not exist"))
}

fn names(columns: &Value) -> Vec<String> {
    columns.as_sequence().expect("columns").iter().map(|column| column["Name"].as_str().expect("a name").to_owned()).collect()
}

/// A statement on one line, without its comments.
fn one_line(sql: &str) -> String {
    sql.lines().filter(|line| !line.trim_start().starts_with("--")).flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// The compaction reads the same lines as the view `logs`, and writes its columns in the table's order. So both have the same rows.
#[test]
fn the_compaction_selects_the_columns_of_the_view_and_the_tables_have_them() {
    let compacted = table("compacted_logs");
    let partition = names(&compacted["PartitionKeys"]);
    let columns: Vec<String> =
        names(&table("logs")["StorageDescriptor"]["Columns"]).into_iter().filter(|name| !partition.contains(name)).collect();
    for name in ["compacted_logs", "written_parquet"] {
        assert_eq!(names(&table(name)["StorageDescriptor"]["Columns"]), columns, "{name}");
    }
    let selected = format!("SELECT {} FROM exported_lines WHERE", columns.join(", "));
    assert!(read(COMPACT_LOGS).contains(&selected), "the compaction does not {selected}");
    let view = one_line(&read("infra/athena/view-logs.sql"));
    assert!(view.contains(" FROM exported_lines AS exported JOIN manifests "), "{view}");
}

/// The table `written_parquet` reads the folder of an attempt.
#[test]
fn the_compaction_counts_the_rows_that_it_has_written() {
    let prepare = state(&read_json(COMPACT_LOGS), "PrepareLogGroup");
    let folder = prepare.fields["Assign"]["folder"].as_str().expect("an expression");
    let template = &table("written_parquet")["Parameters"]["storage.location.template"];
    let text = template["Fn::Sub"].as_str().or(template.as_str()).or_else(|| match template {
        Value::Tagged(tagged) => tagged.value.as_str(),
        _ => None,
    });
    let (before, _) = text.expect("a place").split_once("${!log_group}").expect("the log group");
    assert!(folder.contains(before), "{folder} is not below {before}");
}

/// The keys of a struct's JSON object, from the code. A field `place` is flattened.
fn keys_of(file: &str, name: &str) -> BTreeSet<String> {
    let code = read(&format!("lambdas/shared/export-core/src/{file}"));
    let (_, rest) = code.split_once(&format!("pub struct {name} {{\n")).expect("the struct");
    let fields = rest.split("\n}").next().expect("its fields").lines().filter_map(|line| line.trim().strip_prefix("pub "));
    let fields = fields.filter_map(|field| field.split(':').next());
    fields.flat_map(|field| if field == "place" { keys_of("place.rs", "Place") } else { [field.to_owned()].into() }).collect()
}

/// A row of these tables is an object in the archive.
#[test]
fn the_columns_of_a_table_are_the_keys_of_its_objects() {
    for (name, file, structure) in [("manifests", "manifest.rs", "Manifest"), ("missing", "missing.rs", "OpenWindow")] {
        let columns: BTreeSet<String> = names(&table(name)["StorageDescriptor"]["Columns"]).into_iter().collect();
        assert_eq!(columns, keys_of(file, structure), "{name}");
    }
}

/// Without a SerDe, Athena fails even on a view: "Table storage descriptor is missing SerDe info".
#[test]
fn every_table_has_a_serde() {
    for (name, table) in resources(&load("infra/athena.yaml"), "AWS::Glue::Table") {
        let serde = table["TableInput"]["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"].as_str();
        assert!(serde.is_some_and(|serde| !serde.is_empty()), "{name}");
    }
}
