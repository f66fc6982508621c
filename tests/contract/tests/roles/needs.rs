//! What Step Functions and EventBridge Scheduler do with a role, read from the workflow's definition and the schedule.

use contract::{
    policy::{Need, Statement},
    read,
    state_machine::{State, states},
    template::Template,
};
use serde_json::Value;

use super::property;

const KEY: &str = "<KmsKeyArn>";
const TOPICS_KEY: &str = "arn:aws:kms:<Region>:<account>:key/<topic's key>";
const BUCKET: &str = "arn:aws:s3:::<bucket>";
const WORK_BUCKET: &str = "arn:aws:s3:::<work bucket>";

/// Its definition with the substitutions done.
fn definition(template: &Template, machine: &str) -> Value {
    let file = [property(template, machine, "DefinitionUri"), property(template, machine, "DefinitionS3Location")];
    let file = file.into_iter().find_map(|file| file.as_str()).expect("a file");
    let substitutions = template.json(property(template, machine, "DefinitionSubstitutions"));
    let mut text = read(file.trim_start_matches("../"));
    for (name, value) in substitutions.as_object().expect("substitutions") {
        text = text.replace(&format!("${{{name}}}"), value.as_str().expect("a text"));
    }
    serde_json::from_str(&text).expect("the definition is JSON")
}

/// What Step Functions does with the role of a state machine.
pub fn needs_of_workflow(template: &Template, machine: &str) -> Vec<Need> {
    let name = &template.values[&format!("{machine}.Name")];
    let mut needs: Vec<Need> = states(&definition(template, machine)).iter().flat_map(|state| needs_of_state(state, name)).collect();
    let set = |names: [&str; 2]| names.iter().any(|name| !property(template, machine, name).is_null());
    assert!(set(["Logging", "LoggingConfiguration"]) && set(["Tracing", "TracingConfiguration"]), "{machine}");
    // The Step Functions developer guide, "Logging in CloudWatch Logs" and "AWS X-Ray and Step Functions".
    needs.extend(
        ["CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"]
            .iter()
            .chain(&["PutResourcePolicy", "DescribeResourcePolicies"])
            .map(|action| Need::new(&format!("logs:{action}"), "*")),
    );
    needs.push(Need::new("logs:DescribeLogGroups", LIST_OF_LOG_GROUPS));
    let xray = ["PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets"];
    needs.extend(xray.iter().map(|action| Need::new(&format!("xray:{action}"), "*")));
    needs
}

/// What DescribeLogGroups is judged by, whichever log groups are asked for.
const LIST_OF_LOG_GROUPS: &str = "arn:aws:logs:<Region>:<account>:log-group::log-stream:";

fn needs_of_state(state: &State, machine: &str) -> Vec<Need> {
    if state.kind() == "Map" {
        return needs_of_map(state, machine);
    }
    let Some(resource) = state.fields.get("Resource") else { return Vec::new() };
    let argument =
        |name: &str| state.fields["Arguments"][name].as_str().unwrap_or_else(|| panic!("{} has no {name}", state.name)).to_owned();
    let integration = resource.as_str().and_then(|resource| resource.strip_prefix("arn:aws:states:::"));
    match integration.unwrap_or_else(|| panic!("{}: {resource}", state.name)) {
        "lambda:invoke" => vec![Need::new("lambda:InvokeFunction", argument("FunctionName"))],
        "states:startExecution.sync:2" => needs_of_nested(&argument("StateMachineArn")),
        "athena:startQueryExecution.sync" => needs_of_query(&argument("QueryString"), &argument("WorkGroup")),
        "athena:getQueryResults" => {
            vec![Need::new("athena:GetQueryResults", WORKGROUP), Need::new("s3:GetObject", format!("{WORK_BUCKET}/compaction/query.csv"))]
        }
        other => panic!("{}: which permissions does {other} need?", state.name),
    }
}

/// A Distributed Map starts, follows and ends executions of the state machine itself. The developer guide's "IAM policies for
/// using Distributed Map states" has the executions as `<machine>:*`; the executions of the items are named `<machine>/<label>:*`.
/// Nothing is redriven: what a run left undone is for a new one.
fn needs_of_map(state: &State, machine: &str) -> Vec<Need> {
    assert_eq!(state.fields["ItemProcessor"]["ProcessorConfig"]["Mode"], "DISTRIBUTED", "{}", state.name);
    let label = state.fields["Label"].as_str().expect("a label");
    let run = format!("arn:aws:states:<Region>:<account>:execution:{machine}:run");
    let item = format!("arn:aws:states:<Region>:<account>:execution:{machine}/{label}:item");
    let mut needs = vec![Need::new("states:StartExecution", format!("arn:aws:states:<Region>:<account>:stateMachine:{machine}"))];
    for action in ["states:DescribeExecution", "states:StopExecution"] {
        needs.extend([Need::new(action, &run), Need::new(action, &item)]);
    }
    needs.extend(state.fields.get("ItemReader").into_iter().flat_map(|reader| needs_of_items(reader, "s3:getObject", &["s3:GetObject"])));
    // Large results are written in parts, and read again to make the list of them.
    let writes = ["s3:GetObject", "s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"];
    needs.extend(state.fields.get("ResultWriter").into_iter().flat_map(|writer| needs_of_items(writer, "s3:putObject", &writes)));
    needs
}

/// The same guide, "Reading from an Amazon S3 dataset" and "Writing results to an Amazon S3 bucket". Which object it is, plan-exports
/// says, below `plans/` of the work bucket, or Athena, which writes its answers below `compaction/`.
fn needs_of_items(field: &Value, integration: &str, actions: &[&str]) -> Vec<Need> {
    assert_eq!(field["Resource"], format!("arn:aws:states:::{integration}"), "{field}");
    let parameters = &field["Parameters"];
    let object = match parameters["Bucket.$"].as_str() {
        Some(bucket) if bucket.starts_with("$.plan.") => format!("{WORK_BUCKET}/plans/run/object.json"),
        Some("$.bucket") => format!("{WORK_BUCKET}/compaction/query.csv"),
        _ => {
            let text = |name: &str| parameters[name].as_str().unwrap_or_else(|| panic!("{field} has no {name}"));
            format!("arn:aws:s3:::{}/{}/map/SUCCEEDED_0.json", text("Bucket"), text("Prefix"))
        }
    };
    actions.iter().map(|action| Need::new(action, &object)).collect()
}

/// The developer guide's "IAM policies for Step Functions workflow executions", Run a Job (.sync): it hears of the end by a rule
/// of EventBridge.
fn needs_of_nested(machine: &str) -> Vec<Need> {
    let execution = format!("{}:run", machine.replace(":stateMachine:", ":execution:"));
    let rule = "arn:aws:events:<Region>:<account>:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";
    let mut needs = vec![Need::new("states:StartExecution", machine)];
    needs.extend(["states:DescribeExecution", "states:StopExecution"].map(|action| Need::new(action, &execution)));
    needs.extend(["events:PutTargets", "events:PutRule", "events:DescribeRule"].map(|action| Need::new(action, rule)));
    needs
}

const WORKGROUP: &str = "arn:aws:athena:<Region>:<account>:workgroup/<stack>-compaction";

/// Kinds of queries, told by their words: what Athena asks of Glue, and for which tables.
///
/// The Athena user guide's "Configure access to databases and tables in the AWS Glue Data Catalog" has the actions of partitions
/// that are added (MSCK REPAIR TABLE). Whether ADD, DROP and SET LOCATION, which updates one, go one by one or in batches is not documented:
/// they need both. Those of a SELECT are the reading ones among those that Step Functions gives a
/// state machine with queries.
const QUERIES: [(&str, &str, &[&str]); 4] = [
    ("SET LOCATION", "compacted_logs", &["GetTable", "GetPartitions", "GetPartition", "BatchUpdatePartition", "UpdatePartition"]),
    (
        "ADD IF NOT EXISTS PARTITION",
        "compacted_logs",
        &["GetTable", "GetPartitions", "GetPartition", "BatchCreatePartition", "CreatePartition"],
    ),
    (
        "DROP IF EXISTS PARTITION",
        "compacted_logs",
        &["GetTable", "GetPartitions", "GetPartition", "BatchDeletePartition", "DeletePartition"],
    ),
    ("SELECT", "logs", &["GetTables", "GetTable", "GetPartitions", "GetPartition", "BatchGetPartition"]),
];

fn needs_of_query(query: &str, work_group: &str) -> Vec<Need> {
    assert_eq!(WORKGROUP.rsplit('/').next(), Some(work_group));
    let glue = |resource: &str| format!("arn:aws:glue:<Region>:<account>:{resource}");
    let kinds: Vec<_> = QUERIES.iter().filter(|(words, ..)| query.contains(words)).collect();
    assert!(!kinds.is_empty(), "which kind of query is this? {query}");
    // `.sync` asks until the query has ended, and stops it where the execution is stopped.
    let athena = ["StartQueryExecution", "GetQueryExecution", "StopQueryExecution"];
    let mut needs: Vec<_> = athena.map(|action| Need::new(&format!("athena:{action}"), WORKGROUP)).into();
    needs.push(Need::new("athena:GetDataCatalog", "arn:aws:athena:<Region>:<account>:datacatalog/AwsDataCatalog"));
    for action in ["glue:GetDatabase", "glue:GetDatabases"] {
        needs.extend(["catalog", "database/default", "database/<database>"].map(|resource| Need::new(action, glue(resource))));
    }
    for (_, table, actions) in kinds {
        // An action on a table needs the permission on everything above it too.
        let resources = ["catalog".to_owned(), "database/<database>".to_owned(), format!("table/<database>/{table}")];
        for action in *actions {
            needs.extend(resources.iter().map(|resource| Need::new(&format!("glue:{action}"), glue(resource))));
        }
    }
    let writes_parquet = query.contains("UNLOAD");
    let (of_bucket, of_object) = (["GetBucketLocation", "ListBucket"], ["PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"]);
    for bucket in [BUCKET, WORK_BUCKET] {
        needs.extend(of_bucket.map(|action| Need::new(&format!("s3:{action}"), bucket)));
    }
    // The answer of each query is written, too.
    needs.push(Need::new("s3:ListBucketMultipartUploads", WORK_BUCKET));
    needs.extend(of_object.map(|action| Need::new(&format!("s3:{action}"), format!("{WORK_BUCKET}/compaction/query.csv"))));
    if query.contains("SELECT") {
        needs.extend(
            ["log_group=/x/year=2026/month=10/task/stream/000000.gz", "manifests/year=2026/month=10/row.json", "parquet/file"]
                .map(|object| Need::new("s3:GetObject", format!("{BUCKET}/<S3Prefix>/{object}"))),
        );
    }
    if writes_parquet {
        needs.push(Need::new("s3:ListBucketMultipartUploads", BUCKET));
        needs.extend(of_object.map(|action| Need::new(&format!("s3:{action}"), format!("{BUCKET}/<S3Prefix>/parquet/log_group=/x/file"))));
    }
    needs
}

/// What EventBridge Scheduler does with the role of a schedule.
pub fn needs_of_schedule(template: &Template, schedule: &str) -> Vec<Need> {
    let target = property(template, schedule, "Target");
    let mut needs = vec![Need::new("states:StartExecution", template.text(&target["Arn"]))];
    let queue = target.get("DeadLetterConfig").map(|config| template.text(&config["Arn"]));
    needs.extend(queue.map(|queue| Need::new("sqs:SendMessage", queue)));
    needs
}

/// S3 uses the archive's key in the name of whoever reads or writes there, and Amazon SNS the topic's in the name of the publisher.
pub fn needs_of_keys(statements: &[Statement]) -> Vec<Need> {
    let via_s3 = |action| Need::new(action, KEY).with("kms:ViaService", "s3.<Region>.amazonaws.com");
    let via_sns = |action| Need::new(action, TOPICS_KEY).with("kms:ViaService", "sns.<Region>.amazonaws.com");
    let mut needs = Vec::new();
    for statement in statements {
        let in_archive = statement.resources.iter().any(|resource| resource.starts_with(&format!("{BUCKET}/")));
        for action in &statement.actions {
            match action.as_str() {
                "s3:GetObject" if in_archive => needs.push(via_s3("kms:Decrypt")),
                "s3:PutObject" if in_archive => needs.push(via_s3("kms:GenerateDataKey")),
                "sns:Publish" => needs.extend(["kms:Decrypt", "kms:GenerateDataKey"].map(via_sns)),
                _ => {}
            }
        }
    }
    needs
}
