//! `doctor` finds each problem, and the printed command fixes it.

mod account;
mod bucket;
mod existing_bucket;
mod key;
mod log_groups;
mod schedule;

use std::{path::Path, process::Stdio};

use e2e::Archive;
use local_aws::{DeployOptions, Engine, LocalAws, Options, venv, workspace};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::tool::Tool;

pub async fn start() -> LocalAws {
    LocalAws::start(&Options { engine: Engine::Ministack, ..Options::default() }).await.expect("the local AWS starts")
}

/// A new stack with these parameters, and the tool for it.
pub async fn deploy(local: LocalAws, parameters: &[(&str, &str)]) -> (Archive, Tool) {
    let options = parameters.iter().fold(DeployOptions::default(), |options, (name, value)| options.with_parameter(name, value));
    let stack = local.deploy(&options).await.expect("the template deploys");
    let archive = Archive { local, stack };
    archive.hello("/aws/lambda/orders").await;
    let tool = Tool::of(&archive.local);
    (archive, tool)
}

/// A new stack without findings.
pub async fn healthy(parameters: &[(&str, &str)]) -> (Archive, Tool) {
    let (archive, tool) = deploy(start().await, parameters).await;
    let output = tool.run(&["doctor"]).await;
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (0, "", "No finding.\n"));
    (archive, tool)
}

pub async fn findings(tool: &Tool) -> Vec<Value> {
    let output = tool.run(&["doctor", "--output", "json"]).await;
    let found: Vec<Value> = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:#?}"));
    assert_eq!(output.code, i32::from(!found.is_empty()), "{output:#?}");
    for finding in &found {
        let text = |field: &str| finding[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(["severity", "name", "resource", "what", "why", "fix"].into_iter().all(text), "{finding:#}");
    }
    found
}

/// `doctor` must find exactly these. Each has a name and a part of its message.
pub async fn finds(tool: &Tool, expected: &[(&str, &str)]) -> Vec<Value> {
    let found = findings(tool).await;
    let names: Vec<&str> = found.iter().map(|finding| finding["name"].as_str().expect("a name")).collect();
    let mut expected = expected.to_vec();
    for (name, message) in found.iter().map(|finding| (&finding["name"], finding["what"].as_str().expect("a text"))) {
        let Some(index) = expected.iter().position(|(expected, part)| name == expected && message.contains(part)) else {
            panic!("{name}: {message}\nis not among {expected:?}");
        };
        expected.swap_remove(index);
    }
    assert!(expected.is_empty(), "not found: {expected:?}; found: {names:?}");
    found
}

/// `doctor` must find exactly these, and each printed command must fix its finding.
pub async fn finds_and_fixes(archive: &Archive, tool: &Tool, expected: &[(&str, &str)]) {
    let mut found = finds(tool, expected).await;
    // A fix can reveal further findings.
    for _ in 0..2 * expected.len() + 6 {
        // The fix of ListDiffers updates the stack, which is slow, and the other fixes can change the list again. So it comes last.
        let next = found.iter().find(|finding| finding["name"] != "ListDiffers").or(found.first());
        let Some(fixed) = next.cloned() else { return };
        shell(archive, tool, fixed["fix"].as_str().expect("a command")).await;
        found = findings(tool).await;
        let is_same = |finding: &Value| ["name", "resource", "what"].into_iter().all(|field| finding[field] == fixed[field]);
        assert!(!found.iter().any(is_same), "its own command does not fix {fixed:#}");
    }
    panic!("still found: {found:#?}");
}

/// Runs a printed command as an operator does.
pub async fn shell(archive: &Archive, tool: &Tool, command: &str) {
    let python = venv::python(&venv::AWS_CLI).await.expect("the AWS CLI");
    let tool_folder = Path::new(env!("CARGO_BIN_EXE_logs-archive")).parent().expect("a folder");
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{}:{}:{path}", python.parent().expect("a folder").display(), tool_folder.display());
    // For Amazon SQS, the AWS CLI 1 ignores AWS_ENDPOINT_URL, so each command gets --endpoint-url.
    let jq = workspace::root().join("tests/local-aws/aws-cli/run_jq.py");
    let functions = r#"aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }; jq() { python "$JQ" "$@"; }"#;
    let script = format!("{functions}; {command}");
    let output = Command::new("sh")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", path)
        .env("HOME", tool.home.path())
        .env("JQ", jq)
        .env("AWS_ENDPOINT_URL", archive.local.endpoint())
        .env("AWS_DEFAULT_REGION", archive.local.region())
        .env("AWS_ACCESS_KEY_ID", archive.local.account_id())
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("a shell");
    assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The physical_id id of a resource of the stack or its nested stacks.
pub async fn physical_id(archive: &Archive, logical: &str) -> String {
    let cloudformation = aws_sdk_cloudformation::Client::new(&archive.local.sdk_config());
    for stack in cloudformation.describe_stacks().send().await.expect("the stacks").stacks.expect("a list") {
        let listed = cloudformation.list_stack_resources().set_stack_name(stack.stack_id).send().await.expect("its resources");
        let mut found = listed.stack_resource_summaries.unwrap_or_default().into_iter();
        if let Some(found) = found.find(|resource| resource.logical_resource_id() == Some(logical)) {
            return found.physical_resource_id.expect("an id");
        }
    }
    panic!("no resource {logical}");
}

/// The IAM statement that allows a call.
pub fn allow_statement(action: &str, resource: &str) -> String {
    json!({"Effect": "Allow", "Action": action, "Resource": resource}).to_string()
}
