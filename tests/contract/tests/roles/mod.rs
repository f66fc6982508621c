//! The roles: what each is for, that it permits what is done under it and nothing else, and that `docs/security.md` shows every
//! statement.
//!
//! What a workflow does is read from its definition. What a function does is seen when it runs, by `tests/e2e/tests/suite/roles.rs`.

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

/// Role, the template that makes it, what takes it on, and the resource whose work it is.
const ROLES: [(&str, &str, &str, &str); 7] = [
    ("PlanExportsRole", "infra/functions.yaml", "lambda.amazonaws.com", "PlanExportsFunction"),
    ("CreateExportTaskRole", "infra/functions.yaml", "lambda.amazonaws.com", "CreateExportTaskFunction"),
    ("CheckExportTaskRole", "infra/functions.yaml", "lambda.amazonaws.com", "CheckExportTaskFunction"),
    ("ReportArchiveRole", "infra/functions.yaml", "lambda.amazonaws.com", "ReportArchiveFunction"),
    ("ExportLogsStateMachineRole", "infra/template.yaml", "states.amazonaws.com", "ExportLogsStateMachine"),
    ("CompactLogsStateMachineRole", "infra/compaction.yaml", "states.amazonaws.com", "CompactLogsStateMachine"),
    ("ExportLogsScheduleRole", "infra/template.yaml", "scheduler.amazonaws.com", "ExportLogsSchedule"),
];

/// What references stand for, written as the document writes it.
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
    // What the schedule's input is made of.
    ("LogGroups", "/a"),
    ("SettleDays", "0"),
    ("Compact", "false"),
    ("TimeZone", "UTC"),
    ("Schedule", "DAILY"),
    // Which role a resource has.
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
    /// What takes it on.
    holder: &'static str,
    statements: Vec<Statement>,
    /// The policy that it is taken on by.
    trust: Value,
}

fn roles() -> Vec<Role> {
    let role = |&(name, file, service, holder): &(&'static str, &'static str, &'static str, &'static str)| {
        let template = load(file);
        let inline = template.json(property(&template, name, "Policies"));
        let mut policies: Vec<Value> = inline.as_array().expect("a list").iter().map(|policy| policy["PolicyDocument"].clone()).collect();
        // Those that are attached to it afterwards.
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
fn each_function_workflow_and_schedule_has_a_role_of_its_own() {
    let mut made = BTreeSet::new();
    for file in template::files() {
        let document = template::load(&file);
        made.extend(resources(&document, "AWS::IAM::Role").into_iter().map(|(role, _)| (role, file.clone())));
        for (name, policy) in resources(&document, "AWS::IAM::Policy") {
            let [role] = &policy["Roles"].as_sequence().expect("roles")[..] else { panic!("{name}: one role") };
            assert!(ROLES.iter().any(|(known, of, ..)| role.as_str() == Some(*known) && *of == file), "{name}");
        }
        for managed in ["AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::Group"] {
            assert!(resources(&document, managed).is_empty(), "{file}");
        }
    }
    assert_eq!(made, ROLES.iter().map(|(role, file, ..)| ((*role).to_owned(), (*file).to_owned())).collect());

    for Role { name, template, holder, .. } in roles() {
        assert!(property(&template, name, "ManagedPolicyArns").is_null(), "{name}");
        let [role, role_arn, target] = ["Role", "RoleArn", "Target"].map(|property_of| property(&template, holder, property_of));
        let held = [role, role_arn, &target["RoleArn"]].into_iter().find_map(|value| value.as_str());
        assert_eq!(held, Some(format!("{name}.Arn").as_str()), "{holder}");
    }
}

/// Lambda tells no account when it takes on a role; the others do, and must tell this one.
#[test]
fn a_role_is_taken_on_by_its_service_for_this_account_only() {
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
            // Its group, which a schedule is in that names none: the service gives no narrower source.
            _ => {
                assert!(property(&template, holder, "GroupName").is_null(), "{holder}");
                let group = "arn:aws:scheduler:<Region>:<account>:schedule-group/default";
                assert_eq!((account, source), (&"<account>".into(), &group.into()), "{name}");
            }
        }
    }
}

#[test]
fn the_roles_of_workflows_and_schedules_permit_what_they_do_and_nothing_else() {
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
        assert!(superfluous.is_empty(), "{name} has no use for\n{}", superfluous.join("\n"));
    }
}

/// The rest of what the functions may do is compared with what they do, in a stack without a key, by `tests/e2e`.
#[test]
fn the_roles_of_functions_may_use_keys_for_what_they_read_write_and_publish() {
    for Role { name, statements, .. } in roles().iter().filter(|role| role.service == "lambda.amazonaws.com") {
        let uses_key = |statement: &Statement| statement.actions.iter().any(|action| action.starts_with("kms:"));
        let (of_keys, others): (Vec<_>, Vec<_>) = statements.iter().cloned().partition(uses_key);
        let needs = needs_of_keys(&others);
        assert_eq!(lacking(&of_keys, &needs), [], "{name}");
        assert_eq!(superfluous(&of_keys, &needs), [], "{name}");
    }
}

/// The archive's memory: what each function may do with settled windows, open windows, and reports. What lists the bucket lists them too.
/// What the two in the middle need of the last two comes with the planned window.
#[test]
fn each_function_reads_and_writes_its_part_of_the_memory() {
    let (none, read, settle) = (&[][..], &["s3:GetObject"][..], &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"][..]);
    let expected = [
        ("PlanExportsRole", read, read, read),
        ("CreateExportTaskRole", read, none, none),
        ("CheckExportTaskRole", settle, none, none),
        ("ReportArchiveRole", settle, settle, &["s3:GetObject", "s3:PutObject"]),
    ];
    for (name, manifests, missing, runs) in expected {
        let role = roles().into_iter().find(|role| role.name == name).expect("a role");
        for (folder, expected) in [("manifests", manifests), ("missing", missing), ("runs", runs)] {
            let resource = format!("arn:aws:s3:::<bucket>/<S3Prefix>/{folder}/*");
            let on_folder = role.statements.iter().filter(|statement| statement.resources.contains(&resource));
            let found: BTreeSet<&str> = on_folder.flat_map(|statement| &statement.actions).map(String::as_str).collect();
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{name} {folder}");
        }
        let bucket = "arn:aws:s3:::<bucket>".to_owned();
        let lists = |statement: &Statement| statement.actions == ["s3:ListBucket"] && statement.resources.contains(&bucket);
        assert!(role.statements.iter().any(lists), "{name}");
    }
}

#[test]
fn the_compaction_writes_its_answers_where_its_role_may() {
    let athena = load("infra/athena.yaml");
    let configuration = &property(&athena, "CompactionWorkGroup", "WorkGroupConfiguration")["ResultConfiguration"];
    let location = athena.text(&configuration["OutputLocation"]);
    assert!(
        matches(&format!("{}*", location.replace("s3://", "arn:aws:s3:::")), "arn:aws:s3:::<work bucket>/compaction/query.csv"),
        "{location}"
    );
}

/// In another account's bucket, the roles need the owner's leave as well, for the folder of this account.
#[test]
fn the_owner_of_the_bucket_permits_what_roles_do_there_and_nothing_else() {
    let mut owner = load("infra/archive.yaml");
    let given = [("ExistingBucketName", "<bucket>"), ("ExistingBucketOwnerAccountId", "<owner>")];
    owner.values.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
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

/// The tables are those below the heading that has the role's name.
#[test]
fn security_shows_every_statement_of_every_role() {
    let document = read("docs/security.md");
    let document = section(&document, "## Roles of functions and workflows");
    let shown: BTreeSet<&str> = document.split("\n### `").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    assert_eq!(shown, ROLES.iter().map(|(name, ..)| *name).collect());
    for Role { name, statements, .. } in roles() {
        let text = document.split(&format!("\n### `{name}`")).nth(1).and_then(|rest| rest.split("\n### ").next()).unwrap_or_default();
        let shown = rows(text).into_iter().skip(2).map(|row| (code(row[0]), code(row[1]), code(row[2])));
        let expected = statements.into_iter().map(|statement| (vec![statement.sid], statement.actions, statement.resources));
        assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_wildcard_stands_for_any_characters() {
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
fn a_grant_is_superfluous_if_all_needs_are_permitted_without_it() {
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
