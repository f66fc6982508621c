//! The roles: what each is for, that it permits what is done under it and nothing else, and that `docs/security.md` explains
//! every statement.
//!
//! What a workflow does is read from its definition. What a function does is seen when it runs, by `tests/e2e/tests/roles.rs`.

mod document;
#[expect(dead_code, reason = "the rules are for tests/storage.rs")]
#[path = "../intrinsics/mod.rs"]
mod intrinsics;
mod needs;

use std::collections::BTreeSet;

use contract::{
    path,
    policy::{Statement, lacking, matches, statements, superfluous},
    read, template,
};
use intrinsics::Template;
use needs::{needs_of_key, needs_of_schedule, needs_of_workflow};
use serde_json::Value;

/// Role, the template that makes it, what takes it on, and the resource whose work it is.
const ROLES: [(&str, &str, &str, &str); 7] = [
    ("CreateExportTaskRole", "infra/roles.yaml", "lambda.amazonaws.com", "CreateExportTaskFunction"),
    ("CheckExportTaskRole", "infra/roles.yaml", "lambda.amazonaws.com", "CheckExportTaskFunction"),
    ("ExportLogsStateMachineRole", "infra/template.yaml", "states.amazonaws.com", "ExportLogsStateMachine"),
    ("CompactLogsStateMachineRole", "infra/compaction.yaml", "states.amazonaws.com", "CompactLogsStateMachine"),
    ("WatchArchiveStateMachineRole", "infra/monitoring.yaml", "states.amazonaws.com", "WatchArchiveStateMachine"),
    ("ExportLogsScheduleRole", "infra/schedule.yaml", "scheduler.amazonaws.com", "ExportLogsSchedule"),
    ("WatchArchiveScheduleRole", "infra/monitoring.yaml", "scheduler.amazonaws.com", "WatchArchiveSchedule"),
];

/// What references stand for, written as the document writes it.
const VALUES: [(&str, &str); 35] = [
    ("AWS::Partition", "aws"),
    ("AWS::Region", "<Region>"),
    ("AWS::AccountId", "<account>"),
    ("AWS::StackName", "<stack>"),
    ("ArchiveStackName", "<stack>"),
    ("BucketArn", "arn:aws:s3:::<bucket>"),
    ("ArchiveBucketName", "<bucket>"),
    ("S3PrefixSlash", "<S3Prefix>/"),
    ("QueryResultsBucketName", "<results bucket>"),
    ("QueryResultsBucket", "<results bucket>"),
    ("DatabaseName", "<database>"),
    ("CompactionWorkGroupName", "<stack>-compaction"),
    ("KmsKeyArn", "<KmsKeyArn>"),
    ("CreateExportTaskLogGroup.Arn", "arn:aws:logs:<Region>:<account>:log-group:/cloudwatch-logs-archive/<stack>/create-export-task:*"),
    ("CheckExportTaskLogGroup.Arn", "arn:aws:logs:<Region>:<account>:log-group:/cloudwatch-logs-archive/<stack>/check-export-task:*"),
    ("CreateExportTaskFunction.Arn", "arn:aws:lambda:<Region>:<account>:function:<create-export-task>"),
    ("CheckExportTaskFunction.Arn", "arn:aws:lambda:<Region>:<account>:function:<check-export-task>"),
    ("ExportLogsStateMachine", "arn:aws:states:<Region>:<account>:stateMachine:<export-logs>"),
    ("ExportLogsStateMachine.Name", "<export-logs>"),
    ("StateMachineArn", "arn:aws:states:<Region>:<account>:stateMachine:<export-logs>"),
    ("CompactLogsStateMachine", "arn:aws:states:<Region>:<account>:stateMachine:<compact-logs>"),
    ("CompactLogsStateMachine.Name", "<compact-logs>"),
    ("Compaction.Outputs.StateMachineArn", "arn:aws:states:<Region>:<account>:stateMachine:<compact-logs>"),
    ("Compaction.Outputs.StateMachineName", "<compact-logs>"),
    ("WatchArchiveStateMachine", "arn:aws:states:<Region>:<account>:stateMachine:<watch-archive>"),
    ("WatchArchiveStateMachine.Name", "<watch-archive>"),
    ("ExportLogsScheduleDeadLetterQueue.Arn", "arn:aws:sqs:<Region>:<account>:<dead-letter queue>"),
    ("Notification.Outputs.TopicArn", "arn:aws:sns:<Region>:<account>:<topic>"),
    ("Notification.Outputs.KeyArn", "arn:aws:kms:<Region>:<account>:key/<topic's key>"),
    ("NotifyOnSuccess", "false"),
    // Which role a resource has.
    ("ExportLogsStateMachineRole.Arn", "ExportLogsStateMachineRole"),
    ("CompactLogsStateMachineRole.Arn", "CompactLogsStateMachineRole"),
    ("WatchArchiveStateMachineRole.Arn", "WatchArchiveStateMachineRole"),
    ("ExportLogsScheduleRole.Arn", "ExportLogsScheduleRole"),
    ("WatchArchiveScheduleRole.Arn", "WatchArchiveScheduleRole"),
];

fn load(file: &str) -> Template {
    let values = VALUES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Template { document: template::load(file), values: values.collect() }
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

/// With the policies that are attached to it afterwards.
fn role(&(name, file, service, holder): &(&'static str, &'static str, &'static str, &'static str)) -> Role {
    let template = load(file);
    let inline = template.json(property(&template, name, "Policies"));
    let mut policies: Vec<Value> = inline.as_array().expect("a list").iter().map(|policy| policy["PolicyDocument"].clone()).collect();
    for attached in resources(&template, "AWS::IAM::Policy") {
        let roles = property(&template, &attached, "Roles").as_sequence().expect("roles");
        let names: Vec<_> = roles.iter().map(reference).collect();
        if names == [name] {
            policies.push(template.json(property(&template, &attached, "PolicyDocument")));
        }
    }
    let trust = template.json(property(&template, name, "AssumeRolePolicyDocument"));
    Role { name, service, holder, statements: policies.iter().flat_map(statements).collect(), trust, template }
}

fn reference(value: &serde_norway::Value) -> &str {
    let serde_norway::Value::Tagged(tagged) = value else { panic!("no reference: {value:?}") };
    tagged.value.as_str().expect("a resource's name")
}

fn roles() -> Vec<Role> {
    ROLES.iter().map(role).collect()
}

fn resources(template: &Template, kind: &str) -> Vec<String> {
    let all = &template.document["Resources"];
    template::keys(all).into_iter().filter(|name| all[name.as_str()]["Type"].as_str() == Some(kind)).collect()
}

/// The templates' files.
fn templates() -> Vec<String> {
    let entries = std::fs::read_dir(path("infra")).expect("the folder can be read");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut files: Vec<_> = names.filter(|name| name.ends_with(".yaml")).map(|name| format!("infra/{name}")).collect();
    files.sort();
    files
}

// ---- what there is --------------------------------------------------------------------------------------------------

#[test]
fn each_function_workflow_and_schedule_has_a_role_of_its_own() {
    let mut made = BTreeSet::new();
    for file in templates() {
        let template = load(&file);
        made.extend(resources(&template, "AWS::IAM::Role").into_iter().map(|role| (role, file.clone())));
        for policy in resources(&template, "AWS::IAM::Policy") {
            let roles = property(&template, &policy, "Roles").as_sequence().expect("roles");
            assert!(matches!(&roles[..], [role] if ROLES.iter().any(|(name, ..)| *name == reference(role))), "{policy}");
        }
        for managed in ["AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::Group"] {
            assert_eq!(resources(&template, managed), [""; 0], "{file}");
        }
    }
    assert_eq!(made, ROLES.iter().map(|(role, file, ..)| ((*role).to_owned(), (*file).to_owned())).collect());

    for Role { name, template, holder, .. } in roles() {
        assert!(property(&template, name, "ManagedPolicyArns").is_null(), "{name}");
        let holds = match holder {
            "CreateExportTaskFunction" | "CheckExportTaskFunction" => {
                let role = reference(property(&load(template::ARCHIVE), holder, "Role")).to_owned();
                assert_eq!(role, format!("Roles.Outputs.{name}Arn"));
                reference(&template.document["Outputs"][format!("{name}Arn").as_str()]["Value"]).to_owned()
            }
            "ExportLogsStateMachine" => reference(property(&template, holder, "Role")).to_owned(),
            schedule if schedule.ends_with("Schedule") => reference(&property(&template, holder, "Target")["RoleArn"]).to_owned(),
            _ => reference(property(&template, holder, "RoleArn")).to_owned(),
        };
        assert_eq!(holds, format!("{name}.Arn"));
    }
}

/// Lambda tells no account when it takes on a role; the others do, and must tell this one.
#[test]
fn a_role_is_taken_on_by_its_service_for_this_account_only() {
    for Role { name, service, trust, template, holder, .. } in roles() {
        let [statement] = &trust["Statement"].as_array().expect("statements")[..] else { panic!("one statement: {trust}") };
        assert_eq!((&statement["Effect"], &statement["Action"]), (&"Allow".into(), &"sts:AssumeRole".into()), "{name}");
        assert_eq!(statement["Principal"], serde_json::json!({"Service": service}), "{name}");
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

/// Beside it: in the statement, or right above it. In a key's own policy `*` is that key.
#[test]
fn a_wildcard_resource_is_given_its_reason_beside_it() {
    let mut seen = 0;
    for file in templates() {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let above = |from: usize, what: &str| (0..from).rev().find(|at| lines[*at].starts_with(what));
        for (at, line) in lines.iter().enumerate() {
            if !line.contains("Resource: ") || !["\"*\"", "'*'", "*"].contains(&line.trim_start_matches("Resource: ")) {
                continue;
            }
            seen += 1;
            if above(at, "KeyPolicy:") > above(at, "PolicyDocument:") {
                continue;
            }
            let sid = above(at, "- Sid: ").expect("the statement has a Sid");
            let comment: Vec<&str> = (0..sid).rev().map(|at| lines[at]).take_while(|line| line.starts_with('#')).collect();
            let reason = comment.into_iter().rev().chain(lines[sid..at].iter().copied().filter(|line| line.starts_with('#')));
            let reason = reason.collect::<Vec<_>>().join(" ");
            let knows_none = ["This action knows no resources", "These actions know no resources"];
            assert!(knows_none.iter().any(|words| reason.contains(words)), "{file}, {}: no reason for {line}: {reason}", lines[sid]);
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn the_roles_of_workflows_and_schedules_permit_what_they_do_and_nothing_else() {
    let mut judged = 0;
    for Role { name, service, template, holder, statements, .. } in roles() {
        let mut needs = match service {
            "states.amazonaws.com" => needs_of_workflow(&template, holder),
            "scheduler.amazonaws.com" => needs_of_schedule(&template, holder),
            _ => continue,
        };
        needs.extend(needs_of_key(&statements));
        let lacking: Vec<_> = lacking(&statements, &needs).iter().map(ToString::to_string).collect();
        assert!(lacking.is_empty(), "{name} lacks\n{}", lacking.join("\n"));
        let superfluous: Vec<_> = superfluous(&statements, &needs).iter().map(ToString::to_string).collect();
        assert!(superfluous.is_empty(), "{name} has no use for\n{}", superfluous.join("\n"));
        judged += 1;
    }
    assert_eq!(judged, 5);
}

/// The rest of what the functions may do is compared with what they do, in a stack without a key.
#[test]
fn the_roles_of_functions_may_use_the_archives_key_for_what_they_read_and_write() {
    for Role { name, statements, .. } in roles().iter().filter(|role| role.service == "lambda.amazonaws.com") {
        let (of_key, others): (Vec<_>, Vec<_>) = statements.iter().cloned().partition(|statement| statement.sid == "UseKeyOfArchive");
        let needs = needs_of_key(&others);
        assert_eq!(lacking(&of_key, &needs), [], "{name}");
        assert_eq!(superfluous(&of_key, &needs), [], "{name}");
    }
}

#[test]
fn the_compaction_writes_its_answers_where_its_role_may() {
    let athena = load("infra/athena.yaml");
    let configuration = &property(&athena, "CompactionWorkGroup", "WorkGroupConfiguration")["ResultConfiguration"];
    let location = athena.text(&configuration["OutputLocation"]);
    assert!(
        matches(&format!("{}*", location.replace("s3://", "arn:aws:s3:::")), "arn:aws:s3:::<results bucket>/compaction/query.csv"),
        "{location}"
    );
}
