//! The commands that mend findings: for a POSIX shell, with the AWS CLI and jq.

use serde_json::{Value, json};

use crate::{deploy::quoted, stack::DeployedStack};

/// Changes the stack's schedule, of which UpdateSchedule replaces all fields.
pub fn edit_schedule(name: &str, edit: &str) -> String {
    let edit = format!("del(.Arn, .CreationDate, .LastModificationDate) | {edit}");
    format!(
        r#"aws scheduler update-schedule --cli-input-json "$(aws scheduler get-schedule --name {name} --output json | jq {})""#,
        quoted(&edit)
    )
}

/// Changes the input of the stack's schedule.
pub fn edit_input(name: &str, edit: &str) -> String {
    edit_schedule(name, &format!(".Target.Input |= (fromjson | {edit} | tojson)"))
}

pub fn edit_bucket_policy(bucket: &str, edit: &str) -> String {
    format!(
        r#"aws s3api put-bucket-policy --bucket {bucket} --policy "$(aws s3api get-bucket-policy --bucket {bucket} --query Policy --output text | jq -c {})""#,
        quoted(edit)
    )
}

pub fn edit_key_policy(key: &str, edit: &str) -> String {
    format!(
        r#"aws kms put-key-policy --key-id {key} --policy-name default --policy "$(aws kms get-key-policy --key-id {key} --policy-name default --query Policy --output text | jq -c {})""#,
        quoted(edit)
    )
}

/// jq that adds statements to a policy, which may have one statement without a list.
pub fn add_statements(statements: &[Value]) -> String {
    format!(".Statement = ([.Statement] | flatten) + {}", json!(statements))
}

/// jq that takes a statement out of a policy. By its value: other commands may have moved it.
pub fn remove_statement(policy: &str, index: usize) -> String {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statement = policy["Statement"].get(index).unwrap_or(&policy["Statement"]);
    format!(".Statement |= ([.] | flatten | map(select(. != {statement})))")
}

/// Deploys the stack's own template with one other parameter.
pub fn set_parameter(stack: &DeployedStack, name: &str, value: &str) -> String {
    let parameter = |key: &String| match key == name {
        true => json!({"ParameterKey": key, "ParameterValue": value}),
        false => json!({"ParameterKey": key, "UsePreviousValue": true}),
    };
    let parameters: Vec<Value> = stack.parameters.keys().map(parameter).collect();
    let stack = &stack.name;
    format!(
        "aws cloudformation update-stack --stack-name {stack} --use-previous-template --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
         --parameters {} && aws cloudformation wait stack-update-complete --stack-name {stack}",
        quoted(&json!(parameters).to_string())
    )
}
