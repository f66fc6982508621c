//! The permissions that Step Functions and EventBridge Scheduler need, from the workflow's definition and the schedule.

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

/// The definition of a state machine, with all substitutions.
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

pub fn needs_of_workflow(template: &Template, machine: &str) -> Vec<Need> {
    let name = &template.values[&format!("{machine}.Name")];
    let mut needs: Vec<Need> = states(&definition(template, machine)).iter().flat_map(|state| needs_of_state(state, name)).collect();
    let is_set = |names: [&str; 2]| names.iter().any(|name| !property(template, machine, name).is_null());
    assert!(is_set(["Logging", "LoggingConfiguration"]) && is_set(["Tracing", "TracingConfiguration"]), "{machine}");
    // The Step Functions developer guide, "Logging in CloudWatch Logs" and "AWS X-Ray and Step Functions".
    needs.extend(
        ["CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"]
            .iter()
            .chain(&["PutResourcePolicy", "DescribeResourcePolicies"])
            .map(|action| Need::new(&format!("logs:{action}"), "*")),
    );
    needs.push(Need::new("logs:DescribeLogGroups", ALL_LOG_GROUPS));
    let xray = ["PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets"];
    needs.extend(xray.iter().map(|action| Need::new(&format!("xray:{action}"), "*")));
    needs
}

/// The resource of DescribeLogGroups, for every selection.
const ALL_LOG_GROUPS: &str = "arn:aws:logs:<Region>:<account>:log-group::log-stream:";

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
        other => panic!("{}: add the permissions of {other}", state.name),
    }
}

/// A Distributed Map starts, describes and stops executions of its own state machine. In the developer guide's "IAM policies for using
/// Distributed Map states", they are `<machine>:*`. The executions of the items are named `<machine>/<label>:*`. A run is never redriven.
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
    // The writer uses multipart uploads, and reads the results again to list them.
    let writes = ["s3:GetObject", "s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"];
    needs.extend(state.fields.get("ResultWriter").into_iter().flat_map(|writer| needs_of_items(writer, "s3:putObject", &writes)));
    needs
}

/// The same guide, "Reading from an Amazon S3 dataset" and "Writing results to an Amazon S3 bucket". plan-exports writes items below `plans/`
/// of the work bucket. Athena writes its results below `compaction/`.
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

/// The developer guide's "IAM policies for Step Functions workflow executions", Run a Job (.sync): a rule of EventBridge reports the end.
fn needs_of_nested(machine: &str) -> Vec<Need> {
    let execution = format!("{}:run", machine.replace(":stateMachine:", ":execution:"));
    let rule = "arn:aws:events:<Region>:<account>:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";
    let mut needs = vec![Need::new("states:StartExecution", machine)];
    needs.extend(["states:DescribeExecution", "states:StopExecution"].map(|action| Need::new(action, &execution)));
    needs.extend(["events:PutTargets", "events:PutRule", "events:DescribeRule"].map(|action| Need::new(action, rule)));
    needs
}

const WORKGROUP: &str = "arn:aws:athena:<Region>:<account>:workgroup/<stack>-compaction";

/// The kinds of queries by their keywords: the table, and Athena's calls of Glue.
///
/// The Athena user guide's "Configure access to databases and tables in the AWS Glue Data Catalog" has the actions for added partitions (MSCK
/// REPAIR TABLE). AWS does not document whether ADD, DROP and SET LOCATION use single or batch calls, so they need both. A SELECT needs the
/// reading actions of the policy that Step Functions generates.
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
    assert!(!kinds.is_empty(), "add the kind of this query: {query}");
    // `.sync` polls the query, and stops it if the execution is stopped.
    let athena = ["StartQueryExecution", "GetQueryExecution", "StopQueryExecution"];
    let mut needs: Vec<_> = athena.map(|action| Need::new(&format!("athena:{action}"), WORKGROUP)).into();
    needs.push(Need::new("athena:GetDataCatalog", "arn:aws:athena:<Region>:<account>:datacatalog/AwsDataCatalog"));
    for action in ["glue:GetDatabase", "glue:GetDatabases"] {
        needs.extend(["catalog", "database/default", "database/<database>"].map(|resource| Need::new(action, glue(resource))));
    }
    for (_, table, actions) in kinds {
        // An action on a table also needs the permission on its database and on the catalog.
        let resources = ["catalog".to_owned(), "database/<database>".to_owned(), format!("table/<database>/{table}")];
        for action in *actions {
            needs.extend(resources.iter().map(|resource| Need::new(&format!("glue:{action}"), glue(resource))));
        }
    }
    let writes_parquet = query.contains("UNLOAD");
    let (bucket_actions, object_actions) =
        (["GetBucketLocation", "ListBucket"], ["PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"]);
    for bucket in [BUCKET, WORK_BUCKET] {
        needs.extend(bucket_actions.map(|action| Need::new(&format!("s3:{action}"), bucket)));
    }
    // Athena also writes the result of each query.
    needs.push(Need::new("s3:ListBucketMultipartUploads", WORK_BUCKET));
    needs.extend(object_actions.map(|action| Need::new(&format!("s3:{action}"), format!("{WORK_BUCKET}/compaction/query.csv"))));
    if query.contains("SELECT") {
        needs.extend(
            ["log_group=/x/year=2026/month=10/task/stream/000000.gz", "manifests/year=2026/month=10/row.json", "parquet/file"]
                .map(|object| Need::new("s3:GetObject", format!("{BUCKET}/<S3Prefix>/{object}"))),
        );
    }
    if writes_parquet {
        needs.push(Need::new("s3:ListBucketMultipartUploads", BUCKET));
        needs.extend(
            object_actions.map(|action| Need::new(&format!("s3:{action}"), format!("{BUCKET}/<S3Prefix>/parquet/log_group=/x/file"))),
        );
    }
    needs
}

pub fn needs_of_schedule(template: &Template, schedule: &str) -> Vec<Need> {
    let target = property(template, schedule, "Target");
    let mut needs = vec![Need::new("states:StartExecution", template.text(&target["Arn"]))];
    let queue = target.get("DeadLetterConfig").map(|config| template.text(&config["Arn"]));
    needs.extend(queue.map(|queue| Need::new("sqs:SendMessage", queue)));
    needs
}

/// S3 uses the archive's key for the role that reads or writes there. Amazon SNS uses the topic's key for the publisher.
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
