//! Generates CloudFormation resources from `infra/athena/*.sql`: the views in `infra/athena.yaml`, and the saved queries in
//! `infra/saved-queries.yaml`.

use anyhow::{Context, Result, ensure};
use serde_json::json;

const FOLDER: &str = "infra/athena";

const BEGIN: &str = "  # BEGIN made of infra/athena/*.sql\n";
const END: &str = "  # END made of infra/athena/*.sql\n";
const RESOURCES: &str = "\nResources:\n";

const LINES: &[(&str, &str)] = &[
    ("task_id", "varchar"),
    ("log_stream", "varchar"),
    ("object", "varchar"),
    ("line", "bigint"),
    ("event_time", "timestamp(3)"),
    ("message", "varchar"),
    ("is_continuation", "boolean"),
    ("log_group", "varchar"),
    ("year", "integer"),
    ("month", "integer"),
];

/// The columns of each view in the order of its SELECT, with their Trino types.
const COLUMNS: [(&str, &[(&str, &str)]); 4] = [
    ("exported_lines", LINES),
    ("logs", LINES),
    (
        "events",
        &[
            ("event_time", "timestamp(3)"),
            ("message", "varchar"),
            ("lines", "bigint"),
            ("line", "bigint"),
            ("task_id", "varchar"),
            ("log_stream", "varchar"),
            ("object", "varchar"),
            ("log_group", "varchar"),
            ("year", "integer"),
            ("month", "integer"),
        ],
    ),
    (
        "uncompacted_months",
        &[
            ("name", "varchar"),
            ("log_group", "varchar"),
            ("year", "integer"),
            ("month", "integer"),
            ("tasks", "varchar"),
            ("objects", "bigint"),
            ("problem", "varchar"),
        ],
    ),
];

#[derive(Debug)]
pub struct Query {
    /// The file's name without `.sql`.
    pub file: String,
    pub name: String,
    pub description: String,
    pub sql: String,
}

/// The statement of a file, without the comment lines above it.
fn statement(text: &str) -> &str {
    let comments: usize = text.split_inclusive('\n').take_while(|line| line.starts_with("--")).map(str::len).sum();
    text[comments..].trim_end()
}

/// All files that are not views of the template, sorted by name.
pub fn saved_queries() -> Result<Vec<Query>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(crate::path(FOLDER)).context(FOLDER)? {
        files.extend(entry?.file_name().to_str().and_then(|name| name.strip_suffix(".sql")).map(str::to_owned));
    }
    files.retain(|file| !COLUMNS.iter().any(|(view, _)| *file == format!("view-{view}")));
    files.sort();
    files.into_iter().map(query).collect()
}

fn query(file: String) -> Result<Query> {
    let text = crate::read(&format!("{FOLDER}/{file}.sql"))?;
    let header = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("-- {key}: ")));
        line.map(str::to_owned).with_context(|| format!("{FOLDER}/{file}.sql has no line with the prefix `-- {key}: `"))
    };
    Ok(Query { name: header("Name")?, description: header("Description")?, sql: statement(&text).to_owned(), file })
}

/// `infra/athena.yaml` with the views of the SQL files.
pub fn replace_views(template: &str) -> Result<String> {
    let views: Result<Vec<String>> = COLUMNS.iter().map(|(name, columns)| view_resource(name, columns)).collect();
    crate::replace_between(template, BEGIN, END, &views?.join("\n"))
}

/// A view is a table of the catalog. Its text is the JSON that Athena's CREATE VIEW writes.
fn view_resource(name: &str, columns: &[(&str, &str)]) -> Result<String> {
    let typed: Vec<_> = columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    let sql = serde_json::to_string(&substitute(statement(&crate::read(&format!("{FOLDER}/view-{name}.sql"))?)))?;
    ensure!(!sql.contains("${!"), "{name}: a view cannot contain `${{...}}`, except the placeholders");
    let text =
        format!(r#"{{"originalSql": {sql}, "catalog": "awsdatacatalog", "schema": "${{DatabaseName}}", "columns": {}}}"#, json!(typed));
    let mut resource = format!(
        "  {logical}View:
    Type: AWS::Glue::Table
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: !Ref Database
      TableInput:
        Name: {name}
        TableType: VIRTUAL_VIEW
        Parameters:
          presto_view: \"true\"
          comment: Presto View
        ViewOriginalText: !Join
          - \"\"
          - - \"/* Presto View: \"
            - Fn::Base64: !Sub '{}'
            - \" */\"
        ViewExpandedText: /* Presto View */
        StorageDescriptor:
          # Of no meaning in a view, and Athena reads no table without it.
          SerdeInfo:
            Name: \"-\"
            SerializationLibrary: \"-\"
          Columns:
",
        text.replace('\'', "''"),
        logical = pascal_case(name),
    );
    for (name, kind) in columns {
        resource += &format!("            - {{ Name: {name}, Type: {} }}\n", hive_type(kind));
    }
    Ok(resource)
}

fn hive_type(trino: &str) -> &str {
    match trino {
        "varchar" => "string",
        "integer" => "int",
        "timestamp(3)" => "timestamp",
        other => other,
    }
}

/// `infra/saved-queries.yaml` with a resource for each query.
pub fn replace_saved_queries(template: &str) -> Result<String> {
    let (before, _) = template.split_once(RESOURCES).context("the template has no Resources")?;
    let resources: Vec<String> = saved_queries()?.iter().map(query_resource).collect();
    Ok(format!("{before}{RESOURCES}{}", resources.join("\n")))
}

fn query_resource(query: &Query) -> String {
    let sql = substitute(&query.sql);
    let mut resource = format!(
        "  {}Query:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: {}
      Description: {}
      Database: !Ref DatabaseName
      WorkGroup: !Ref WorkGroupName
      QueryString: {}|-
",
        pascal_case(&query.file),
        json!(query.name),
        json!(query.description),
        if sql == query.sql { "" } else { "!Sub " },
    );
    for line in sql.lines() {
        let indent = if line.is_empty() { "" } else { "        " };
        resource += &format!("{indent}{line}\n");
    }
    resource
}

/// Converts the placeholders of the SQL files to the template's. Every other `${...}` is text of the query.
fn substitute(sql: &str) -> String {
    sql.replace("${", "${!").replace("${!Bucket}", "${ArchiveBucketName}").replace("${!S3PrefixSlash}", "${S3PrefixSlash}")
}

fn pascal_case(name: &str) -> String {
    let words = name.split(['-', '_']).map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect()
}
