//! The commands that fix findings, for a POSIX shell with the AWS CLI and jq.

use aws_smithy_types::DateTime;
use chrono::Utc;
use export_core::schedule::sam_override;
use serde_json::{Value, json};

use crate::{schedule::Schedule, shell::quoted, stack::DeployedStack};

/// Changes the stack's schedule. UpdateSchedule replaces all fields, and refuses a start or end in the past.
pub fn edit_schedule(schedule: &Schedule, edit: &str) -> String {
    let (start, end) = (schedule.details.start_date(), schedule.details.end_date());
    let past = [(start, ".StartDate"), (end, ".EndDate")].into_iter().filter(|(date, _)| date.is_some_and(is_past));
    let mut dropped = vec![".Arn", ".CreationDate", ".LastModificationDate"];
    dropped.extend(past.map(|(_, field)| field));
    let edit = format!("del({}) | {edit}", dropped.join(", "));
    format!(
        r#"aws scheduler update-schedule --cli-input-json "$(aws scheduler get-schedule --name {} --output json | jq {})""#,
        schedule.name(),
        quoted(&edit)
    )
}

pub fn is_past(date: &DateTime) -> bool {
    date.secs() < Utc::now().timestamp()
}

pub fn edit_input(schedule: &Schedule, edit: &str) -> String {
    edit_schedule(schedule, &format!(".Target.Input |= (fromjson | {edit} | tojson)"))
}

/// Deploys the template of the tool's version, from the folder `infra` of the source.
pub fn deploy(stack: &DeployedStack) -> String {
    format!("sam build && sam deploy --region {} --stack-name {}", stack.settings.region, stack.name)
}

/// Deploys a second stack with the list and the email address of this one.
pub fn deploy_anew(stack: &DeployedStack) -> String {
    let parameter = |name: &str| stack.parameters.get(name).map_or("", String::as_str);
    let (list, email) = (sam_override(parameter("LogGroups")), quoted(&format!("NotificationEmail={}", parameter("NotificationEmail"))));
    let (region, name) = (&stack.settings.region, &stack.name);
    format!("sam build && sam deploy --region {region} --stack-name {name}-2 --parameter-overrides {list} {email}")
}

/// Updates the stack with its present template and these parameters.
pub fn set_parameters(stack: &DeployedStack, changes: &[(&str, &str)]) -> String {
    let parameter = |key: &String| match changes.iter().find(|(name, _)| key == name) {
        Some((_, value)) => json!({"ParameterKey": key, "ParameterValue": value}),
        None => json!({"ParameterKey": key, "UsePreviousValue": true}),
    };
    let parameters: Vec<Value> = stack.parameters.keys().map(parameter).collect();
    let stack = &stack.name;
    format!(
        "aws cloudformation update-stack --stack-name {stack} --use-previous-template --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
         --parameters {} && aws cloudformation wait stack-update-complete --stack-name {stack}",
        quoted(&json!(parameters).to_string())
    )
}
