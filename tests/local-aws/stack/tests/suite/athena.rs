//! Both engines of Step Functions call the local Athena: what succeeds, what fails, and what is refused at once.

use std::time::Duration;

use aws_sdk_sfn::types::StateMachineType;
use local_aws::{Deployment, Engine, LocalAws, Options};
use serde_json::{Value, json};

/// Queries, reads, and hands on whatever error there is. As in the project's workflows, a state is JSONata in a machine of JSONPath.
fn definition() -> Value {
    let task = |action: &str, arguments: Value, output: &str, next: &str| {
        json!({
            "Type": "Task", "QueryLanguage": "JSONata", "Resource": format!("arn:aws:states:::athena:{action}"), "Arguments": arguments,
            "Output": output, "Catch": [{ "ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Done" }], "Next": next
        })
    };
    let id = json!({ "QueryExecutionId": "{% $states.input.QueryExecution.QueryExecutionId %}" });
    json!({ "QueryLanguage": "JSONPath", "StartAt": "Query", "States": {
        "Query": task("startQueryExecution.sync", json!("{% $states.input %}"), "{% $states.result %}", "Describe"),
        "Describe": task("getQueryExecution", id.clone(), "{% $states.result %}", "Read"),
        "Read": task("getQueryResults", id, "{% {'execution': $states.input.QueryExecution, 'results': $states.result} %}", "Done"),
        "Done": { "Type": "Succeed" },
    }})
}

async fn state_machines_call_it(engine: Engine) {
    let local = LocalAws::start(&Options { engine, ..Options::default() }).await.unwrap();
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&local.sdk_config()).force_path_style(true).build());
    let location = aws_sdk_s3::types::BucketLocationConstraint::from(local.region());
    let configuration = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(location).build();
    s3.create_bucket().bucket("results").create_bucket_configuration(configuration).send().await.unwrap();
    let machine = local.step_functions().create_state_machine().name("query").definition(definition().to_string());
    let role = format!("arn:aws:iam::{}:role/query", local.account_id());
    let state_machine_arn = machine.role_arn(role).r#type(StateMachineType::Standard).send().await.unwrap().state_machine_arn;
    let stack = Deployment { state_machine_arn, ..Deployment::default() };
    let call = async |mut input: Value| {
        input["ResultConfiguration"] = json!({ "OutputLocation": "s3://results/" });
        local.run_execution(&stack, &input, Duration::from_secs(60)).await.unwrap().output.unwrap()
    };
    let run = async |sql: &str| call(json!({ "QueryString": sql })).await;

    let output = run("SELECT 7 AS n").await;
    let execution = &output["execution"];
    assert_eq!((&execution["Status"]["State"], &execution["Query"]), (&json!("SUCCEEDED"), &json!("SELECT 7 AS n")));
    // Step Functions writes times as milliseconds.
    assert!(execution["Status"]["SubmissionDateTime"].as_i64().unwrap() > 1_700_000_000_000, "{execution}");
    let rows = json!([{ "Data": [{ "VarCharValue": "n" }] }, { "Data": [{ "VarCharValue": "7" }] }]);
    assert_eq!(output["results"]["ResultSet"]["Rows"], rows);
    // The object that people download.
    let place = execution["ResultConfiguration"]["OutputLocation"].as_str().unwrap().strip_prefix("s3://results/").unwrap();
    let body = s3.get_object().bucket("results").key(place).send().await.unwrap().body.collect().await.unwrap();
    assert_eq!(body.into_bytes(), "\"n\"\n\"7\"\n");

    // A query that fails, fails the state with the whole execution as the cause.
    let output = run("SELECT * FROM nowhere").await;
    assert_eq!(output["Error"], json!("States.TaskFailed"));
    let cause: Value = serde_json::from_str(output["Cause"].as_str().unwrap()).unwrap();
    let reason = "TABLE_NOT_FOUND: Table 'awsdatacatalog.default.nowhere' does not exist";
    assert_eq!((&cause["Status"]["State"], &cause["Status"]["StateChangeReason"]), (&json!("FAILED"), &json!(reason)));

    // One that Athena refuses has its error.
    let refused = json!({ "Error": "Athena.InvalidRequestException", "Cause": "SYNTAX_ERROR: mismatched input 'SELEC'" });
    assert_eq!(run("SELEC").await, refused);

    // A token belongs to the first query that Athena accepts: the same query has the same execution, and another is refused.
    let with_token = async |sql: &str| call(json!({ "QueryString": sql, "ClientRequestToken": "t".repeat(32) })).await;
    assert_eq!(with_token("SELEC").await, refused);
    let first = with_token("SELECT 7 AS n").await["execution"]["QueryExecutionId"].clone();
    assert!(first.is_string(), "{first}");
    assert_eq!(with_token("SELECT 7 AS n").await["execution"]["QueryExecutionId"], first);
    let other = json!({ "Error": "Athena.InvalidRequestException", "Cause": "Idempotent parameters do not match" });
    assert_eq!(with_token("SELECT 8 AS n").await, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn ministacks_state_machines_call_it() {
    state_machines_call_it(Engine::Ministack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn motos_state_machines_call_it() {
    state_machines_call_it(Engine::Moto).await;
}
