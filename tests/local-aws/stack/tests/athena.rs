//! The local Athena: its parts, its protocol, and the tasks of state machines that call it, on both engines.
//!
//! What needs no state machine is tested in Python, where Athena is written: `python/tests` without a stack, `python/stack_tests`
//! through one, with boto3.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, StateMachineType};
use common::{running_in_group, wait_until};
use local_aws::athena::Athena;
use local_aws::{Engine, LocalAws, Options, venv};
use serde_json::{Value, json};

async fn start(engine: Engine) -> LocalAws {
    LocalAws::start(&Options { athena: true, engine, ..Options::default() }).await.unwrap()
}

/// Runs the Python tests of a folder.
async fn unittest(folder: &str, endpoint: &str) {
    let python = venv::python(&venv::ATHENA).await.unwrap();
    let mut command = Command::new(python);
    command
        .args(["-m", "unittest", "discover", "--start-directory", folder, "--top-level-directory", "."])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../athena"))
        // Nothing of the user's AWS settings, and no compiled files in the sources.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", "/nonexistent")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", endpoint);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    assert!(report.contains("\nOK"), "{report}");
}

#[tokio::test]
async fn its_parts_do_what_they_say() {
    unittest("tests", "http://127.0.0.1:1").await;
}

#[tokio::test]
async fn any_sdk_can_query_the_stack() {
    let local = start(Engine::Ministack).await;
    unittest("stack_tests", local.endpoint()).await;
}

#[tokio::test]
async fn it_ends_when_dropped() {
    let athena = Athena::start("http://127.0.0.1:1").await.unwrap();
    let (addr, group) = (athena.addr(), athena.pid());
    assert!(addr.ip().is_loopback());
    assert_eq!(running_in_group(group), [group]);
    drop(athena);
    wait_until("its process has ended", || running_in_group(group).is_empty());
}

/// `module::name` of every Python test in a folder.
fn python_tests(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../athena").join(folder);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|extension| extension == "py") {
            let source = fs::read_to_string(&path).unwrap();
            let tests = source.lines().filter_map(|line| line.trim().strip_prefix("def ")?.split_once('(').map(|(name, _)| name));
            names.extend(tests.filter(|name| name.starts_with("test_")).map(|name| format!("{module}::{name}")));
        }
    }
    names
}

#[test]
fn the_documentation_and_the_tests_name_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("../../../docs/local-aws.md")).unwrap();
    let rows =
        text.lines().skip_while(|line| *line != "| What it imitates | Source | Test |").skip(2).take_while(|line| line.starts_with('|'));
    let mut named: Vec<String> =
        rows.flat_map(|row| row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned)).collect();
    named.sort();
    named.dedup();
    let own = fs::read_to_string(root.join("tests/athena.rs")).unwrap();
    let mut existing = [python_tests("tests"), python_tests("stack_tests")].concat();
    existing.extend(named.iter().filter(|name| own.contains(&format!("async fn {}()", name.trim_start_matches("athena::")))).cloned());
    existing.sort();
    // Each behaviour has a test that exists, and each Python test is named, but one that says nothing about AWS.
    existing.retain(|name| name != "test_reading::test_no_objects_are_no_rows");
    assert_eq!(named, existing);
}

/// Queries, reads, and hands on whatever error there is.
fn definition() -> Value {
    let catch = json!([{ "ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Done" }]);
    let mut states = json!({
        "Choose": {
            "Type": "Choice",
            "Choices": [{ "Condition": "{% true %}", "Assign": { "request": "{% $states.input %}" }, "Next": "Query" }],
        },
        "Query": {
            "Type": "Task",
            "Resource": "arn:aws:states:::athena:startQueryExecution.sync",
            "Arguments": "{% $request %}",
            "Assign": { "execution": "{% $states.result.QueryExecution %}" },
            "Catch": catch,
            "Next": "Describe",
        },
        "Describe": {
            "Type": "Task",
            "Resource": "arn:aws:states:::athena:getQueryExecution",
            "Arguments": { "QueryExecutionId": "{% $execution.QueryExecutionId %}" },
            "Assign": { "same": "{% $states.result.QueryExecution = $execution %}" },
            "Next": "Read",
        },
        "Read": {
            "Type": "Task",
            "Resource": "arn:aws:states:::athena:getQueryResults",
            "Arguments": { "QueryExecutionId": "{% $execution.QueryExecutionId %}" },
            "Output": { "execution": "{% $execution %}", "same": "{% $same %}", "results": "{% $states.result %}" },
            "Next": "Done",
        },
        "Done": { "Type": "Succeed" },
    });
    // As the project's workflows have it: the machine is JSONPath, and each state by itself is JSONata.
    for state in states.as_object_mut().unwrap().values_mut() {
        state["QueryLanguage"] = json!("JSONata");
    }
    json!({ "QueryLanguage": "JSONPath", "StartAt": "Choose", "States": states })
}

/// The output of a run with this input.
async fn run(local: &LocalAws, arn: &str, name: &str, input: &Value) -> Value {
    let client = local.step_functions();
    let execution = client.start_execution().state_machine_arn(arn).name(name).input(input.to_string()).send().await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let described = client.describe_execution().execution_arn(&execution.execution_arn).send().await.unwrap();
            if described.status != ExecutionStatus::Running {
                return described;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let ended = ended.await.expect("an execution ends within a minute");
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    serde_json::from_str(ended.output().unwrap()).unwrap()
}

async fn state_machines_call_it(engine: Engine) {
    let local = start(engine).await;
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&local.sdk_config()).force_path_style(true).build());
    let location = aws_sdk_s3::types::BucketLocationConstraint::from(local.region());
    let configuration = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(location).build();
    s3.create_bucket().bucket("results").create_bucket_configuration(configuration).send().await.unwrap();
    let created = local
        .step_functions()
        .create_state_machine()
        .name("query")
        .definition(definition().to_string())
        .role_arn(format!("arn:aws:iam::{}:role/query", local.account_id()))
        .r#type(StateMachineType::Standard)
        .send()
        .await
        .unwrap();
    let arn = created.state_machine_arn.as_str();
    let input = |sql: &str| json!({ "QueryString": sql, "ResultConfiguration": { "OutputLocation": "s3://results/" } });

    let output = run(&local, arn, "succeeds", &input("SELECT 7 AS n")).await;
    let execution = &output["execution"];
    assert_eq!((&execution["Status"]["State"], &execution["Query"]), (&json!("SUCCEEDED"), &json!("SELECT 7 AS n")));
    // Step Functions writes times as milliseconds.
    assert!(execution["Status"]["SubmissionDateTime"].as_i64().unwrap() > 1_700_000_000_000, "{execution}");
    assert_eq!(output["same"], json!(true));
    let rows = json!([{ "Data": [{ "VarCharValue": "n" }] }, { "Data": [{ "VarCharValue": "7" }] }]);
    assert_eq!(output["results"]["ResultSet"]["Rows"], rows);

    // A query that fails, fails the state with the whole execution as the cause.
    let output = run(&local, arn, "fails", &input("SELECT 1 / 0")).await;
    assert_eq!(output["Error"], json!("States.TaskFailed"));
    let cause: Value = serde_json::from_str(output["Cause"].as_str().unwrap()).unwrap();
    assert_eq!((&cause["Status"]["State"], &cause["Query"]), (&json!("FAILED"), &json!("SELECT 1 / 0")));
    assert_eq!(cause["Status"]["StateChangeReason"], json!("DIVISION_BY_ZERO: Division by zero"));

    // One that Athena refuses has its error.
    let output = run(&local, arn, "refused", &input("SELEC")).await;
    assert_eq!(output, json!({ "Error": "Athena.InvalidRequestException", "Cause": "line 1:1: mismatched input 'SELEC'" }));
}

#[tokio::test]
async fn ministacks_state_machines_call_it() {
    state_machines_call_it(Engine::Ministack).await;
}

#[tokio::test]
async fn motos_state_machines_call_it() {
    state_machines_call_it(Engine::Moto).await;
}
