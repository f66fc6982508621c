//! The roles: each allows exactly what its holder does, and `docs/security.md` shows every statement.
//!
//! These tests read the actions of a workflow from its definition. `tests/e2e/tests/suite/roles.rs` observes the actions of the functions.

mod needs;

use std::collections::BTreeSet;

use contract::{
    documents::{code, rows, section},
    policy::{Grant, Need, Statement, lacking, matches, statements, superfluous},
    read,
    template::{self, Template, resources},
};
use needs::{needs_of_keys, needs_of_schedule, needs_of_workflow};
use serde_json::{Value, json};

/// A role, its template, the service that assumes it, and the resource that holds it.
const ROLES: [(&str, &str, &str, &str); 7] = [
    ("PlanExportsRole", "infra/functions.yaml", "lambda.amazonaws.com", "PlanExportsFunction"),
    ("CreateExportTaskRole", "infra/functions.yaml", "lambda.amazonaws.com", "CreateExportTaskFunction"),
    ("CheckExportTaskRole", "infra/functions.yaml", "lambda.amazonaws.com", "CheckExportTaskFunction"),
    ("ReportArchiveRole", "infra/functions.yaml", "lambda.amazonaws.com", "ReportArchiveFunction"),
    ("ExportLogsStateMachineRole", "infra/template.yaml", "states.amazonaws.com", "ExportLogsStateMachine"),
    ("CompactLogsStateMachineRole", "infra/compaction.yaml", "states.amazonaws.com", "CompactLogsStateMachine"),
    ("ExportLogsScheduleRole", "infra/template.yaml", "scheduler.amazonaws.com", "ExportLogsSchedule"),
];

/// The values of references, as in docs/security.md.
const VALUES: [(&str, &str); 45] = [
    ("AWS::Partition", "aws"),
    ("AWS::Region", "<Region>"),
    ("AWS::AccountId", "<account>"),
    ("AWS::StackName", "<stack>"),
    ("ArchiveStackName", "<stack>"),
    ("ScheduleName", "<stack>"),
    ("BucketArn", "arn:aws:s3:::<bucket>"),
    ("BucketIsOfAnotherAccount", "true"),
    ("ArchiveBucketName", "<bucket>"),
    ("S3PrefixSlash", "<S3Prefix>/"),
    ("WorkBucketName", "<work bucket>"),
    ("WorkBucketArn", "arn:aws:s3:::<work bucket>"),
    ("Archive.Outputs.WorkBucketArn", "arn:aws:s3:::<work bucket>"),
    ("DatabaseName", "<database>"),
    ("CompactionWorkGroupName", "<stack>-compaction"),
    ("KmsKeyArn", "<KmsKeyArn>"),
    ("PlanExportsLogGroup.Arn", "arn:aws:logs:<Region>:<account>:log-group:/cloudwatch-logs-archive/<stack>/plan-exports:*"),
    ("CreateExportTaskLogGroup.Arn", "arn:aws:logs:<Region>:<account>:log-group:/cloudwatch-logs-archive/<stack>/create-export-task:*"),
    ("CheckExportTaskLogGroup.Arn", "arn:aws:logs:<Region>:<account>:log-group:/cloudwatch-logs-archive/<stack>/check-export-task:*"),
    ("ReportArchiveLogGroup.Arn", "arn:aws:logs:<Region>:<account>:log-group:/cloudwatch-logs-archive/<stack>/report-archive:*"),
    ("Functions.Outputs.PlanExportsFunctionArn", "arn:aws:lambda:<Region>:<account>:function:<plan-exports>"),
    ("Functions.Outputs.CreateExportTaskFunctionArn", "arn:aws:lambda:<Region>:<account>:function:<create-export-task>"),
    ("Functions.Outputs.CheckExportTaskFunctionArn", "arn:aws:lambda:<Region>:<account>:function:<check-export-task>"),
    ("Functions.Outputs.ReportArchiveFunctionArn", "arn:aws:lambda:<Region>:<account>:function:<report-archive>"),
    ("ExportLogsStateMachine", "arn:aws:states:<Region>:<account>:stateMachine:<export-logs>"),
    ("ExportLogsStateMachine.Name", "<export-logs>"),
    ("CompactLogsStateMachine", "arn:aws:states:<Region>:<account>:stateMachine:<compact-logs>"),
    ("CompactLogsStateMachine.Name", "<compact-logs>"),
    ("Compaction.Outputs.StateMachineArn", "arn:aws:states:<Region>:<account>:stateMachine:<compact-logs>"),
    ("Compaction.Outputs.StateMachineName", "<compact-logs>"),
    ("ExportLogsScheduleDeadLetterQueue.Arn", "arn:aws:sqs:<Region>:<account>:<dead-letter queue>"),
    ("NotificationTopicArn", "arn:aws:sns:<Region>:<account>:<topic>"),
    ("NotificationKeyArn", "arn:aws:kms:<Region>:<account>:key/<topic's key>"),
    // The schedule's input.
    ("LogGroups", "/a"),
    ("SettleDays", "0"),
    ("Compact", "false"),
    ("TimeZone", "UTC"),
    ("Schedule", "DAILY"),
    // The roles of resources.
    ("PlanExportsRole.Arn", "PlanExportsRole"),
    ("CreateExportTaskRole.Arn", "CreateExportTaskRole"),
    ("CheckExportTaskRole.Arn", "CheckExportTaskRole"),
    ("ReportArchiveRole.Arn", "ReportArchiveRole"),
    ("ExportLogsStateMachineRole.Arn", "ExportLogsStateMachineRole"),
    ("CompactLogsStateMachineRole.Arn", "CompactLogsStateMachineRole"),
    ("ExportLogsScheduleRole.Arn", "ExportLogsScheduleRole"),
];

fn load(file: &str) -> Template {
    Template::new(file, VALUES)
}

fn property<'a>(template: &'a Template, resource: &str, name: &str) -> &'a serde_norway::Value {
    &template.document["Resources"][resource]["Properties"][name]
}

struct Role {
    name: &'static str,
    service: &'static str,
    template: Template,
    holder: &'static str,
    statements: Vec<Statement>,
    /// The trust policy.
    trust: Value,
}

fn roles() -> Vec<Role> {
    let role = |&(name, file, service, holder): &(&'static str, &'static str, &'static str, &'static str)| {
        let template = load(file);
        let inline = template.json(property(&template, name, "Policies"));
        let mut policies: Vec<Value> = inline.as_array().expect("a list").iter().map(|policy| policy["PolicyDocument"].clone()).collect();
        // The policies that the template attaches afterwards.
        for (_, attached) in resources(&template.document, "AWS::IAM::Policy") {
            if attached["Roles"][0].as_str() == Some(name) {
                policies.push(template.json(&attached["PolicyDocument"]));
            }
        }
        let trust = template.json(property(&template, name, "AssumeRolePolicyDocument"));
        Role { name, service, holder, statements: policies.iter().flat_map(statements).collect(), trust, template }
    };
    ROLES.iter().map(role).collect()
}

#[test]
fn each_function_workflow_and_schedule_has_its_own_role() {
    let mut found = BTreeSet::new();
    for file in template::files() {
        let document = template::load(&file);
        found.extend(resources(&document, "AWS::IAM::Role").into_iter().map(|(role, _)| (role, file.clone())));
        for (name, policy) in resources(&document, "AWS::IAM::Policy") {
            let [role] = &policy["Roles"].as_sequence().expect("roles")[..] else { panic!("{name}: one role") };
            assert!(ROLES.iter().any(|(name, template, ..)| role.as_str() == Some(*name) && *template == file), "{name}");
        }
        for managed in ["AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::Group"] {
            assert!(resources(&document, managed).is_empty(), "{file}");
        }
    }
    assert_eq!(found, ROLES.iter().map(|(role, file, ..)| ((*role).to_owned(), (*file).to_owned())).collect());

    for Role { name, template, holder, .. } in roles() {
        assert!(property(&template, name, "ManagedPolicyArns").is_null(), "{name}");
        let [role, role_arn, target] = ["Role", "RoleArn", "Target"].map(|property_of| property(&template, holder, property_of));
        let held = [role, role_arn, &target["RoleArn"]].into_iter().find_map(|value| value.as_str());
        assert_eq!(held, Some(format!("{name}.Arn").as_str()), "{holder}");
    }
}

/// Lambda sends no account when it assumes a role. The other services do, and must send this account.
#[test]
fn only_its_service_can_assume_a_role_and_only_for_this_account() {
    for Role { name, service, trust, template, holder, .. } in roles() {
        let [statement] = &trust["Statement"].as_array().expect("statements")[..] else { panic!("one statement: {trust}") };
        assert_eq!((&statement["Effect"], &statement["Action"]), (&"Allow".into(), &"sts:AssumeRole".into()), "{name}");
        assert_eq!(statement["Principal"], json!({"Service": service}), "{name}");
        let account = &statement["Condition"]["StringEquals"]["aws:SourceAccount"];
        let source = &statement["Condition"]["ArnLike"]["aws:SourceArn"];
        match service {
            "lambda.amazonaws.com" => assert!(statement["Condition"].is_null(), "{name}"),
            "states.amazonaws.com" => {
                assert_eq!((account, source), (&"<account>".into(), &"arn:aws:states:<Region>:<account>:stateMachine:*".into()), "{name}");
            }
            // The source is the schedule's group, because Scheduler sends nothing narrower. A schedule without a group is in `default`.
            _ => {
                assert!(property(&template, holder, "GroupName").is_null(), "{holder}");
                let group = "arn:aws:scheduler:<Region>:<account>:schedule-group/default";
                assert_eq!((account, source), (&"<account>".into(), &group.into()), "{name}");
            }
        }
    }
}

#[test]
fn the_roles_of_workflows_and_schedules_allow_exactly_what_they_do() {
    for Role { name, service, template, holder, statements, .. } in roles() {
        let mut needs = match service {
            "states.amazonaws.com" => needs_of_workflow(&template, holder),
            "scheduler.amazonaws.com" => needs_of_schedule(&template, holder),
            _ => continue,
        };
        needs.extend(needs_of_keys(&statements));
        let lacking: Vec<_> = lacking(&statements, &needs).iter().map(ToString::to_string).collect();
        assert!(lacking.is_empty(), "{name} lacks\n{}", lacking.join("\n"));
        let superfluous: Vec<_> = superfluous(&statements, &needs).iter().map(ToString::to_string).collect();
        assert!(superfluous.is_empty(), "{name} does not need\n{}", superfluous.join("\n"));
    }
}

/// `tests/e2e` checks all other permissions of the functions, in a stack without a key.
#[test]
fn the_roles_of_functions_allow_the_keys_of_all_that_they_read_write_and_publish() {
    for Role { name, statements, .. } in roles().iter().filter(|role| role.service == "lambda.amazonaws.com") {
        let uses_key = |statement: &Statement| statement.actions.iter().any(|action| action.starts_with("kms:"));
        let (key_statements, others): (Vec<_>, Vec<_>) = statements.iter().cloned().partition(uses_key);
        let needs = needs_of_keys(&others);
        assert_eq!(lacking(&key_statements, &needs), [], "{name}");
        assert_eq!(superfluous(&key_statements, &needs), [], "{name}");
    }
}

/// The archive's memory: manifests, open windows and reports. create-export-task and check-export-task get open windows and reports with the
/// planned window. A function that may list the bucket may list these folders.
#[test]
fn each_function_reads_and_writes_its_part_of_the_memory() {
    let (none, read, change) = (&[][..], &["s3:GetObject"][..], &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"][..]);
    let expected = [
        ("PlanExportsRole", read, read, read),
        ("CreateExportTaskRole", read, none, none),
        ("CheckExportTaskRole", change, none, none),
        ("ReportArchiveRole", change, change, &["s3:GetObject", "s3:PutObject"]),
    ];
    for (name, manifests, missing, runs) in expected {
        let role = roles().into_iter().find(|role| role.name == name).expect("a role");
        for (folder, expected) in [("manifests", manifests), ("missing", missing), ("runs", runs)] {
            let resource = format!("arn:aws:s3:::<bucket>/<S3Prefix>/{folder}/*");
            let statements = role.statements.iter().filter(|statement| statement.resources.contains(&resource));
            let found: BTreeSet<&str> = statements.flat_map(|statement| &statement.actions).map(String::as_str).collect();
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{name} {folder}");
        }
        let bucket = "arn:aws:s3:::<bucket>".to_owned();
        let lists_bucket = |statement: &Statement| statement.actions == ["s3:ListBucket"] && statement.resources.contains(&bucket);
        assert!(role.statements.iter().any(lists_bucket), "{name}");
    }
}

#[test]
fn the_role_of_the_compaction_allows_the_location_of_its_query_results() {
    let athena = load("infra/athena.yaml");
    let configuration = &property(&athena, "CompactionWorkGroup", "WorkGroupConfiguration")["ResultConfiguration"];
    let location = athena.text(&configuration["OutputLocation"]);
    assert!(
        matches(&format!("{}*", location.replace("s3://", "arn:aws:s3:::")), "arn:aws:s3:::<work bucket>/compaction/query.csv"),
        "{location}"
    );
}

/// In another account's bucket, the roles also need the owner's permission for the folder of this account.
#[test]
fn the_owners_bucket_policy_allows_exactly_what_the_roles_do_there() {
    let mut owner = load("infra/archive.yaml");
    let parameters = [("ExistingBucketName", "<bucket>"), ("ExistingBucketOwnerAccountId", "<owner>")];
    owner.values.extend(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let output = owner.text(&owner.document["Outputs"]["BucketPolicyStatements"]["Value"]);
    let mut policy: Vec<Value> = serde_json::from_str(&output).expect("the output is JSON");
    policy.retain(|statement| statement["Sid"].as_str().is_some_and(|sid| sid.starts_with("ArchiveRoles")));
    for statement in policy.iter_mut().filter_map(Value::as_object_mut) {
        let condition = json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::<account>:role/cloudwatch-logs-archive/*"}});
        assert_eq!(statement.remove("Condition"), Some(condition));
        assert_eq!(statement.remove("Principal"), Some(json!({"AWS": "arn:aws:iam::<account>:root"})));
    }
    let policy = statements(&json!({"Statement": policy}));

    let bucket = "arn:aws:s3:::<bucket>";
    let in_folder = |path: &str| match path.strip_prefix("/<S3Prefix>/").or(path.strip_prefix('/')) {
        Some(below) => format!("{bucket}/<S3Prefix>/account=<account>/{}", below.replace('*', "object")),
        None => bucket.to_owned(),
    };
    let mut needs = Vec::new();
    for statement in roles().into_iter().flat_map(|role| role.statements) {
        for path in statement.resources.iter().filter_map(|resource| resource.strip_prefix(bucket)) {
            needs.extend(statement.actions.iter().map(|action| Need::new(action, in_folder(path))));
        }
    }
    assert_eq!(lacking(&policy, &needs), []);
    assert_eq!(superfluous(&policy, &needs), []);
}

/// Each role has a heading with its name, and a table below it.
#[test]
fn security_shows_every_statement_of_every_role() {
    let document = read("docs/security.md");
    let document = section(&document, "## Roles of functions and workflows");
    let documented: BTreeSet<&str> = document.split("\n### `").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    assert_eq!(documented, ROLES.iter().map(|(name, ..)| *name).collect());
    for Role { name, statements, .. } in roles() {
        let text = document.split(&format!("\n### `{name}`")).nth(1).and_then(|rest| rest.split("\n### ").next()).unwrap_or_default();
        let documented = rows(text).into_iter().skip(2).map(|row| (code(row[0]), code(row[1]), code(row[2])));
        let expected = statements.into_iter().map(|statement| (vec![statement.sid], statement.actions, statement.resources));
        assert_eq!(documented.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_wildcard_matches_any_characters() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("arn:b/*/object.gz", "arn:b/x/y/object.gz", true),
        ("a*bc", "abcbc", true),
        ("a", "ab", false),
        ("a*", "b", false),
        ("a*b", "a", false),
        ("arn:b/*/object.gz", "arn:b/object.gz", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn a_grant_is_superfluous_if_the_others_permit_all_needs() {
    let policy = statements(&json!({"Statement": [
        {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:b/x/*", "arn:b/y"]},
        {"Sid": "Publish", "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": "Mine"}}},
        {"Sid": "ReadAll", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:b/*"},
    ]}));
    let [get, put] = ["s3:getObject", "s3:PutObject"].map(|action| move |resource: &str| Need::new(action, resource));
    let publish = |namespace: &str| Need::new("cloudwatch:PutMetricData", "*").with("cloudwatch:namespace", namespace);
    let needs = [get("arn:b/x/1"), get("arn:b/z"), put("arn:b/y"), put("arn:b/z"), put("*"), publish("Mine"), publish("Yours")];
    assert_eq!(lacking(&policy, &needs), [publish("Yours"), put("*"), put("arn:b/z")]);
    let superfluous: Vec<String> = superfluous(&policy, &needs).iter().map(Grant::to_string).collect();
    assert_eq!(superfluous, ["Read: s3:GetObject on arn:b/x/*", "Read: s3:GetObject on arn:b/y", "Read: s3:PutObject on arn:b/x/*"]);
}
