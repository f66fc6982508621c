//! Both interpreters of Step Functions do what the workflow needs of them, each shown by a small state machine of its own.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_sdk_sfn::Client as StepFunctions;
use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use local_aws::{Deployment, Engine, Execution, LocalAws, Options, wait_for};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);
const DESCRIBE_LOG_STREAMS: &str = "arn:aws:states:::aws-sdk:cloudwatchlogs:describeLogStreams";

/// A local AWS with a bucket `work`.
async fn start(engine: Engine) -> (LocalAws, S3) {
    let local = LocalAws::start(&Options { engine, ..Options::default() }).await.unwrap();
    assert_eq!(local.engine(), engine);
    let s3 = S3::from_conf(aws_sdk_s3::config::Builder::from(&local.sdk_config()).force_path_style(true).build());
    let location = BucketLocationConstraint::from(local.region());
    let configuration = CreateBucketConfiguration::builder().location_constraint(location).build();
    s3.create_bucket().bucket("work").create_bucket_configuration(configuration).send().await.unwrap();
    (local, s3)
}

/// A state machine on the Step Functions that a client calls.
async fn create(client: &StepFunctions, local: &LocalAws, name: &str, definition: &Value) -> Deployment {
    let machine = client.create_state_machine().name(name).definition(definition.to_string());
    let created = machine.role_arn(format!("arn:aws:iam::{}:role/{name}", local.account_id())).send().await.unwrap();
    Deployment { state_machine_arn: created.state_machine_arn, ..Deployment::default() }
}

/// A Distributed Map like the workflow's: items and results in S3, one child after another, and a state that is kept.
fn map(children: &Value) -> Value {
    json!({ "QueryLanguage": "JSONPath", "StartAt": "Export", "States": {
        "Export": {
            "Type": "Map", "Label": "Export", "MaxConcurrency": 1, "ToleratedFailurePercentage": 100,
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": { "InputType": "JSON" },
                "Parameters": { "Bucket": "work", "Key.$": "$.items" }
            },
            "ResultWriter": {
                "Resource": "arn:aws:states:::s3:putObject", "Parameters": { "Bucket.$": "$.bucket", "Prefix": "results" }
            },
            "ItemProcessor": {
                "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
                "StartAt": children["StartAt"], "States": children["States"]
            },
            "ResultPath": "$.exported",
            "Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.exportError", "Next": "Done" }],
            "Next": "Done"
        },
        "Done": { "Type": "Succeed" }
    }})
}

/// Fails where the item says so, and otherwise ends with the item.
fn mixed() -> Value {
    json!({ "StartAt": "Route", "States": {
        "Route": { "Type": "Choice", "QueryLanguage": "JSONata", "Default": "Done",
            "Choices": [{ "Condition": "{% $exists($states.input.cause) %}", "Next": "Failed" }] },
        "Failed": { "Type": "Fail", "QueryLanguage": "JSONata", "Error": "ExportTaskFailed", "Cause": "{% $states.input.cause %}" },
        "Done": { "Type": "Succeed" }
    }})
}

/// Asks for the log streams of the log group that is its item, until the log group exists.
fn polling() -> Value {
    json!({ "StartAt": "Poll", "States": { "Poll": {
        "Type": "Task", "QueryLanguage": "JSONata", "Resource": DESCRIBE_LOG_STREAMS,
        "Arguments": { "LogGroupName": "{% $states.input %}" }, "Output": "{% $states.input %}",
        "Retry": [{ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 100_000 }],
        "End": true
    }}})
}

async fn put(s3: &S3, key: &str, items: &Value) {
    s3.put_object().bucket("work").key(key).body(items.to_string().into_bytes().into()).send().await.unwrap();
}

async fn get(s3: &S3, key: &str) -> Value {
    let object = s3.get_object().bucket("work").key(key).send().await.unwrap();
    serde_json::from_slice(&object.body.collect().await.unwrap().into_bytes()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

async fn a_map_reads_its_items_and_writes_its_results(engine: Engine) {
    let (local, s3) = start(engine).await;
    let client = local.step_functions();
    let machine = create(&client, &local, "mixed", &map(&mixed())).await;
    let run = async |items: &str, bucket: &str| {
        let input = json!({ "items": items, "bucket": bucket, "kept": 1 });
        let ended = local.run_execution(&machine, &input, LIMIT).await.unwrap();
        assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}\n{}", local.log_tail());
        let output = ended.output.clone().unwrap();
        assert_eq!(output["kept"], 1, "the state is kept: {output}");
        (ended, output)
    };

    // One child succeeds and one fails.
    let items = json!([{ "name": "good" }, { "name": "bad", "cause": "internal \"trouble\"" }]);
    put(&s3, "items.json", &items).await;
    let (ended, output) = run("items.json", "work").await;
    let map_run = text(&output["exported"]["MapRunArn"]);
    let folder = format!("results/{}", map_run.rsplit(':').next().unwrap());
    let written = json!({ "Bucket": "work", "Key": format!("{folder}/manifest.json") });
    assert_eq!(output["exported"]["ResultWriterDetails"], written);
    let manifest = get(&s3, &format!("{folder}/manifest.json")).await;
    assert_eq!((&manifest["DestinationBucket"], &manifest["MapRunArn"]), (&json!("work"), &json!(map_run)));
    assert_eq!(manifest["ResultFiles"]["PENDING"], json!([]));
    for (status, item) in [("SUCCEEDED", &items[0]), ("FAILED", &items[1])] {
        let file = &manifest["ResultFiles"][status][0];
        let records = get(&s3, text(&file["Key"])).await;
        assert_eq!(records.to_string().len() as u64, file["Size"].as_u64().unwrap());
        let [record] = &records.as_array().unwrap()[..] else { panic!("one record: {records}") };
        // AWS writes input and output as text.
        assert_eq!(serde_json::from_str::<Value>(text(&record["Input"])).unwrap(), *item);
        assert_eq!((text(&record["Status"]), &record["InputDetails"]), (status, &json!({ "Included": true })));
        let child = local.ended_execution(text(&record["ExecutionArn"])).await.unwrap().unwrap();
        assert_eq!(child.status.as_str(), status);
        if status == "SUCCEEDED" {
            assert_eq!(serde_json::from_str::<Value>(text(&record["Output"])).unwrap(), *item);
        } else {
            assert_eq!((text(&record["Error"]), &record["Cause"]), ("ExportTaskFailed", &item["cause"]));
            assert_eq!(record.get("Output"), None);
        }
    }
    assert_eq!(local.children(&ended.arn).await.unwrap().len(), 2);
    let failed = client.list_executions().map_run_arn(map_run).status_filter(ExecutionStatus::Failed).send().await.unwrap();
    assert_eq!(failed.executions.len(), 1);

    // Nothing to do is written as well.
    put(&s3, "none.json", &json!([])).await;
    let (_, output) = run("none.json", "work").await;
    let manifest = get(&s3, text(&output["exported"]["ResultWriterDetails"]["Key"])).await;
    assert_eq!(manifest["ResultFiles"], json!({ "FAILED": [], "PENDING": [], "SUCCEEDED": [] }));

    // What cannot be read or written has an error of its own.
    for (items, bucket, error) in
        [("gone.json", "work", "States.ItemReaderFailed"), ("items.json", "no-such-bucket", "States.ResultWriterFailed")]
    {
        let (_, output) = run(items, bucket).await;
        assert_eq!((text(&output["exportError"]["Error"]), output.get("exported")), (error, None), "{output}");
        assert!(!text(&output["exportError"]["Cause"]).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_on_ministack_reads_its_items_and_writes_its_results() {
    a_map_reads_its_items_and_writes_its_results(Engine::Ministack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_on_moto_reads_its_items_and_writes_its_results() {
    a_map_reads_its_items_and_writes_its_results(Engine::Moto).await;
}

/// What stops the parent stops its child, and no other begins.
async fn a_stop_ends_the_child(engine: Engine) {
    let (local, s3) = start(engine).await;
    let client = local.step_functions();
    let machine = create(&client, &local, "polling", &map(&polling())).await;
    put(&s3, "items.json", &json!(["/first", "/second"])).await;
    let arn = local.start_execution(&machine, &json!({ "items": "items.json", "bucket": "work" })).await.unwrap();
    wait_for("the first child polls", async || {
        let children = local.child_histories(&arn).await.unwrap();
        children.first().filter(|child| child.count(&HistoryEventType::TaskFailed) > 1).map(drop)
    })
    .await;
    client.stop_execution().execution_arn(&arn).send().await.unwrap();
    assert_eq!(local.wait_for_execution(&arn, LIMIT).await.unwrap().status, ExecutionStatus::Aborted);
    wait_for("the child has ended", async || {
        let [child] = &local.children(&arn).await.unwrap()[..] else { return None };
        local.ended_execution(child).await.unwrap().filter(|child| child.status == ExecutionStatus::Aborted)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_on_ministack_ends_the_child() {
    a_stop_ends_the_child(Engine::Ministack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_on_moto_ends_the_child() {
    a_stop_ends_the_child(Engine::Moto).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_tells_every_event_of_a_map_and_refuses_what_is_no_workflow() {
    let (local, s3) = start(Engine::Moto).await;
    let client = local.step_functions();
    let machine = create(&client, &local, "polling", &map(&polling())).await;
    put(&s3, "items.json", &json!(["/first", "/second"])).await;
    let logs = Logs::new(&local.sdk_config());
    logs.create_log_group().log_group_name("/first").send().await.unwrap();
    logs.create_log_group().log_group_name("/second").send().await.unwrap();
    local.add_fault(&json!({ "operation": "DescribeLogStreams", "error": "ThrottlingException", "times": 3 })).await.unwrap();
    let ended: Execution = local.run_execution(&machine, &json!({ "items": "items.json", "bucket": "work" }), LIMIT).await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");

    let parent = local.history(&ended.arn).await.unwrap();
    let names: Vec<_> = parent.events.iter().map(|event| event.r#type.as_str()).collect();
    let of_map: Vec<_> = names.iter().filter(|name| name.starts_with("Map")).copied().collect();
    assert_eq!(of_map, ["MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited"]);
    assert!(parent.largest_payload().unwrap().bytes > ended.arn.len());
    let children = local.child_histories(&ended.arn).await.unwrap();
    let [first, second] = &children[..] else { panic!("a child for each item, not {}", children.len()) };
    let errors = first.events.iter().filter_map(|event| event.task_failed_event_details.as_ref()).filter_map(|failed| failed.error());
    assert_eq!(errors.collect::<Vec<_>>(), ["CloudWatchLogs.ThrottlingException"; 3]);
    for (child, attempts) in [(first, 4), (second, 1)] {
        let names: Vec<_> = child.events.iter().map(|event| event.r#type.as_str()).collect();
        assert_eq!((names[0], names[names.len() - 1]), ("ExecutionStarted", "ExecutionSucceeded"), "{names:?}");
        assert!(child.events.iter().map(|event| event.id).eq(1..=child.events.len() as i64), "ids count from 1 in each execution");
        // Three events for each attempt.
        for event in [HistoryEventType::TaskScheduled, HistoryEventType::TaskStarted] {
            assert_eq!(child.count(&event), attempts, "{names:?}");
        }
        assert_eq!(child.count(&HistoryEventType::TaskSucceeded) + child.count(&HistoryEventType::TaskFailed), attempts, "{names:?}");
    }

    // Unlike ministack, it refuses what is no workflow.
    let bad = json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed", "Commment": ""}}});
    let create = client.create_state_machine().name("bad").definition(bad.to_string());
    let refused = create.role_arn("arn:aws:iam::000000000000:role/workflow").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidDefinition"));
}

/// A run that waits for one of the state machine in its input, as the workflow waits for the compaction.
fn starting() -> Value {
    json!({ "QueryLanguage": "JSONata", "StartAt": "Start", "States": { "Start": {
        "Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": { "StateMachineArn": "{% $states.input.machine %}", "Input": { "months": "{% $states.input.months %}" } },
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Done" }],
        "Output": "{% $states.result.Output %}", "Next": "Done"
    }, "Done": { "Type": "Succeed" } }})
}

/// The other state machine is ministack's, whichever engine runs the workflow.
async fn a_run_waits_for_another(engine: Engine) {
    let (local, _) = start(engine).await;
    // Every client, function and run calls this one.
    let client = StepFunctions::new(&local.sdk_config());
    let good = json!({ "StartAt": "Done", "States": { "Done": { "Type": "Succeed" } } });
    let bad = json!({ "StartAt": "Bad", "States": { "Bad": { "Type": "Fail", "Error": "CompactionFailed", "Cause": "why" } } });
    let (good, bad) = (create(&client, &local, "good", &good).await, create(&client, &local, "bad", &bad).await);
    let export = create(&local.step_functions(), &local, "export", &starting()).await;
    let run = async |machine: &Deployment| {
        let input = json!({ "machine": machine.state_machine_arn, "months": ["2026-10"] });
        local.run_execution(&export, &input, LIMIT).await.unwrap()
    };
    let ended = run(&good).await;
    assert_eq!(ended.output, Some(json!({ "months": ["2026-10"] })), "a list of one month stays a list");
    let failed = run(&bad).await.output.unwrap();
    assert_eq!(failed["Error"], "States.TaskFailed", "{failed}");
    let cause: Value = serde_json::from_str(text(&failed["Cause"])).unwrap();
    assert_eq!((&cause["Error"], &cause["Cause"]), (&json!("CompactionFailed"), &json!("why")));

    // The engine that knows a run answers for it.
    let described = client.describe_execution().execution_arn(&ended.arn).send().await.unwrap();
    assert_eq!(described.status, ExecutionStatus::Succeeded);
    assert!(client.get_execution_history().execution_arn(&ended.arn).send().await.unwrap().events.len() > 2);
    for (machine, runs) in [(&export, 2), (&good, 1), (&bad, 1)] {
        let listed = client.list_executions().state_machine_arn(&machine.state_machine_arn).send().await.unwrap();
        assert_eq!(listed.executions.len(), runs);
    }
    let gone = client.describe_execution().execution_arn(ended.arn.replace(":export:", ":gone:")).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("ExecutionDoesNotExist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_ministack_waits_for_another() {
    a_run_waits_for_another(Engine::Ministack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_moto_waits_for_another() {
    a_run_waits_for_another(Engine::Moto).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_groups_are_found_by_name_or_arn() {
    let local = LocalAws::start(&Options::default()).await.unwrap();
    let logs = Logs::new(&local.sdk_config());
    for name in ["/app/one", "/app/one/more", "/app/two"] {
        logs.create_log_group().log_group_name(name).send().await.unwrap();
    }
    let arn = |region: &str, name: &str| format!("arn:aws:logs:{region}:{}:log-group:{name}", local.account_id());
    let found = async |identifiers: &[String]| {
        let answer = logs.describe_log_groups().set_log_group_identifiers(Some(identifiers.to_vec())).send().await.unwrap();
        answer.log_groups.unwrap().into_iter().map(|group| group.log_group_name.unwrap()).collect::<Vec<_>>()
    };
    let here = local.region();
    let asked = ["/app/two".to_owned(), "/gone".to_owned(), "/app".to_owned(), arn(here, "/app/one"), arn("us-east-1", "/app/two")];
    assert_eq!(found(&asked).await, ["/app/two", "/app/one"]);
    assert_eq!(found(&[arn(here, "/app/one") + ":*"]).await, ["/app/one"]);
    assert_eq!(found(&["/gone".to_owned()]).await, [""; 0]);
    let refused = logs.describe_log_groups().log_group_identifiers("/app/two").log_group_name_prefix("/app").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterException"));
}
