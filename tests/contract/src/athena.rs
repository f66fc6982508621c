//! `infra/athena/*.sql` as CloudFormation resources: the views in `infra/athena.yaml`, the saved queries in
//! `infra/saved-queries.yaml`. The SQL files are the source; these are written from them.

use std::fmt::Write;

use serde_json::json;

pub const FOLDER: &str = "infra/athena";
pub const VIEWS: &str = "infra/athena.yaml";
pub const SAVED_QUERIES: &str = "infra/saved-queries.yaml";

const BEGIN: &str = "  # BEGIN made of infra/athena/*.sql\n";
const END: &str = "  # END made of infra/athena/*.sql\n";

/// The columns of each view, as SELECT lists them, with their types in Trino.
pub const COLUMNS: [(&str, &[(&str, &str)]); 2] = [
    (
        "logs",
        &[
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
        ],
    ),
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

pub fn view(name: &str) -> String {
    statement(&crate::read(&format!("{FOLDER}/view-{name}.sql"))).to_owned()
}

/// Every file that is no view of the template's, in the order of their names.
pub fn saved_queries() -> Vec<Query> {
    let entries = std::fs::read_dir(crate::path(FOLDER)).unwrap_or_else(|error| panic!("{FOLDER}: {error}"));
    let names = entries.map(|entry| entry.expect("a file").file_name().into_string().expect("a name in UTF-8"));
    let mut files: Vec<String> = names.filter_map(|name| name.strip_suffix(".sql").map(str::to_owned)).collect();
    files.retain(|file| !COLUMNS.iter().any(|(view, _)| *file == format!("view-{view}")));
    files.sort();
    files.into_iter().map(query).collect()
}

fn query(file: String) -> Query {
    let text = crate::read(&format!("{FOLDER}/{file}.sql"));
    let said = |what: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("-- {what}: ")));
        line.unwrap_or_else(|| panic!("{FOLDER}/{file}.sql has no line that begins with `-- {what}: `")).to_owned()
    };
    Query { name: said("Name"), description: said("Description"), sql: statement(&text).to_owned(), file }
}

/// `infra/athena.yaml` with the views that the SQL files say.
pub fn with_views(template: &str) -> String {
    let (before, rest) = template.split_once(BEGIN).unwrap_or_else(|| panic!("{VIEWS} has no line {BEGIN}"));
    let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{VIEWS} has no line {END}"));
    let views: String = COLUMNS.iter().map(|(name, columns)| view_resource(name, columns)).collect::<Vec<_>>().join("\n");
    format!("{before}{BEGIN}{views}{END}{after}")
}

/// A view is a table of the catalog whose text is the JSON that Athena's own CREATE VIEW would have put there.
fn view_resource(name: &str, columns: &[(&str, &str)]) -> String {
    let typed: Vec<_> = columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    let sql = serde_json::to_string(&view(name)).expect("a text is JSON");
    assert!(!sql.contains("${"), "{name}: a view takes no placeholder");
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
        writeln!(resource, "            - {{ Name: {name}, Type: {} }}", hive_type(kind)).expect("a String takes everything");
    }
    resource
}

fn hive_type(trino: &str) -> &str {
    match trino {
        "varchar" => "string",
        "integer" => "int",
        "timestamp(3)" => "timestamp",
        other => other,
    }
}

/// `infra/saved-queries.yaml` as the SQL files say.
pub fn saved_queries_template() -> String {
    let mut template = "AWSTemplateFormatVersion: \"2010-09-09\"
Description: >-
  cloudwatch-logs-archive, nested stack: the saved queries of docs/athena.md in the Athena console. Deployed by
  template.yaml.

# Made of infra/athena/*.sql by `BLESS=1 cargo test -p contract --test athena`: edit those.

Parameters:
  ArchiveBucketName:
    Type: String
  # The archive's prefix with a slash behind it, or empty.
  S3PrefixSlash:
    Type: String
  DatabaseName:
    Type: String
  WorkGroupName:
    Type: String
  CompactionWorkGroupName:
    Type: String

Resources:
"
    .to_owned();
    let resources: Vec<String> = saved_queries().iter().map(query_resource).collect();
    template += &resources.join("\n");
    template
}

fn query_resource(query: &Query) -> String {
    // Athena refuses CREATE TABLE AS with a location in the workgroup for people.
    let work_group = if query.sql.contains("external_location") { "CompactionWorkGroupName" } else { "WorkGroupName" };
    let sql = substituted(&query.sql);
    let mut resource = format!(
        "  {}Query:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: {}
      Description: {}
      Database: !Ref DatabaseName
      WorkGroup: !Ref {work_group}
      QueryString: {}|-
",
        pascal_case(&query.file),
        json!(query.name),
        json!(query.description),
        if sql == query.sql { "" } else { "!Sub " },
    );
    for line in sql.lines() {
        let indent = if line.is_empty() { "" } else { "        " };
        writeln!(resource, "{indent}{line}").expect("a String takes everything");
    }
    resource
}

/// The placeholders of the SQL files become the template's; every other `${...}` is the query's own text.
fn substituted(sql: &str) -> String {
    sql.replace("${", "${!").replace("${!Bucket}", "${ArchiveBucketName}").replace("${!S3PrefixSlash}", "${S3PrefixSlash}")
}

fn pascal_case(name: &str) -> String {
    let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect()
}
