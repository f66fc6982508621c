//! `doctor` finds what is planted, and the command that it prints for a finding clears it.

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

/// A stack of its own with these parameters, and the tool for it.
pub async fn deploy(local: LocalAws, parameters: &[(&str, &str)]) -> (Archive, Tool) {
    let options = parameters.iter().fold(DeployOptions::default(), |options, (name, value)| options.with_parameter(name, value));
    let stack = local.deploy(&options).await.expect("the template deploys");
    let archive = Archive { local, stack };
    archive.hello("/aws/lambda/orders").await;
    let tool = Tool::of(&archive.local);
    (archive, tool)
}

/// A stack of its own, without findings.
pub async fn healthy(parameters: &[(&str, &str)]) -> (Archive, Tool) {
    let (archive, tool) = deploy(start().await, parameters).await;
    let ran = tool.run(&["doctor"]).await;
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", "No finding.\n"));
    (archive, tool)
}

pub async fn findings(tool: &Tool) -> Vec<Value> {
    let ran = tool.run(&["doctor", "--output", "json"]).await;
    let found: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    assert_eq!(ran.code, i32::from(!found.is_empty()), "{ran:#?}");
    for finding in &found {
        let text = |field: &str| finding[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(["severity", "name", "resource", "what", "why", "fix"].into_iter().all(text), "{finding:#}");
    }
    found
}

/// `doctor` finds exactly these, each named with a part of what it says.
pub async fn finds(tool: &Tool, expected: &[(&str, &str)]) -> Vec<Value> {
    let found = findings(tool).await;
    let names: Vec<&str> = found.iter().map(|finding| finding["name"].as_str().expect("a name")).collect();
    let mut expected = expected.to_vec();
    for (name, says) in found.iter().map(|finding| (&finding["name"], finding["what"].as_str().expect("a text"))) {
        let Some(at) = expected.iter().position(|(known, part)| name == known && says.contains(part)) else {
            panic!("{name}: {says}\nis not among {expected:?}");
        };
        expected.swap_remove(at);
    }
    assert!(expected.is_empty(), "not found: {expected:?}; found: {names:?}");
    found
}

/// `doctor` finds exactly these, and what it prints clears them, one after the other.
pub async fn finds_and_mends(archive: &Archive, tool: &Tool, expected: &[(&str, &str)]) {
    let mut found = finds(tool, expected).await;
    // Some show what others hid.
    for _ in 0..2 * expected.len() + 6 {
        let Some(first) = found.first().cloned() else { return };
        shell(archive, tool, first["fix"].as_str().expect("a command")).await;
        found = findings(tool).await;
        let is_first = |finding: &&Value| ["name", "resource", "what"].into_iter().all(|field| finding[field] == first[field]);
        assert!(!found.iter().any(|finding| is_first(&finding)), "its own fix does not clear {first:#}");
    }
    panic!("still found: {found:#?}");
}

/// Runs a printed command as an operator does.
pub async fn shell(archive: &Archive, tool: &Tool, command: &str) {
    let python = venv::python(&venv::AWS_CLI).await.expect("the AWS CLI");
    let own = Path::new(env!("CARGO_BIN_EXE_logs-archive")).parent().expect("a folder");
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{}:{}:{path}", python.parent().expect("a folder").display(), own.display());
    // The AWS CLI 1 calls Amazon SQS itself, whatever the environment says, unless it is told in the command.
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

/// The physical id of a resource of the stack, or of one nested in it.
pub async fn physical(archive: &Archive, logical: &str) -> String {
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

/// The statement of a policy that lets somebody make a call.
pub fn allow(action: &str, resource: &str) -> String {
    json!({"Effect": "Allow", "Action": action, "Resource": resource}).to_string()
}
