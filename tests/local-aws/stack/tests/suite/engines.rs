//! The same workflow, functions and stand-in on both interpreters end in the same way.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use local_aws::samples::{Event, LogGroup, LogStream};
use local_aws::{DeployOptions, Deployment, Engine, Execution, LocalAws, Options, wait_for};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(180);
const MONTH: &str = "2024-10";
/// 2024-09-30T15:00:00Z, the first millisecond of the month in Tokyo.
const FROM: i64 = 1_727_708_400_000;

/// A stack with log groups.
async fn stack(engine: Engine) -> (LocalAws, Deployment) {
    let local = LocalAws::start(&Options { engine, ..Options::default() }).await.unwrap();
    let deployment = local.deploy(&DeployOptions::default()).await.unwrap();
    assert_eq!(local.engine(), engine);
    for name in ["/plain", "/failing", "/app/one", "/app/two", "/app/debug"] {
        let event = Event { timestamp: FROM, message: format!("of {name}, \"quoted\" and 日本") };
        let stream = LogStream { name: "main".to_owned(), events: vec![event] };
        local.load(&LogGroup { name: name.to_owned(), created: FROM - 86_400_000, streams: vec![stream] }).await.unwrap();
    }
    (local, deployment)
}

async fn run(local: &LocalAws, deployment: &Deployment, log_groups: Value) -> Execution {
    let input = json!({"s3BucketName": deployment.bucket, "s3Prefix": "logs", "month": MONTH, "logGroups": log_groups});
    local.run_execution(deployment, &input, LIMIT).await.unwrap()
}

/// What was archived, by key, without the parts of a key that are chosen at random.
async fn archived(local: &LocalAws, deployment: &Deployment) -> BTreeMap<String, Vec<u8>> {
    let objects = local.read_bucket(&deployment.bucket).await.unwrap();
    objects
        .into_iter()
        .filter(|object| object.key.ends_with(".gz"))
        .map(|object| (without_ids(&object.key), object.gunzip().unwrap()))
        .collect()
}

/// The text with every UUID and every name of an execution replaced.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_hexdigit).count();
        digits == 32 && word.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    text.split_inclusive(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        .map(|part| {
            let word = part.trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
            if is_id(word) { part.replace(word, "<id>") } else { part.to_owned() }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_ends_in_the_same_way_on_both_engines() {
    let ((ministack, on_ministack), (moto, on_moto)) = tokio::join!(stack(Engine::Ministack), stack(Engine::Moto));
    let good = json!(["/plain", "/gone", { "logGroupNamePrefix": "/app/", "exclude": ["/app/debug"] }]);
    let (good_on_ministack, good_on_moto) = tokio::join!(run(&ministack, &on_ministack, good.clone()), run(&moto, &on_moto, good));

    assert_eq!(good_on_moto.status, ExecutionStatus::Succeeded, "{good_on_moto:?}\n{}", moto.log_tail());
    let output = |execution: &Execution, deployment: &Deployment| {
        let output = execution.output.as_ref().unwrap().to_string();
        serde_json::from_str::<Value>(&without_ids(&output).replace(&deployment.bucket, "<bucket>")).unwrap()
    };
    let (expected, found) = (output(&good_on_ministack, &on_ministack), output(&good_on_moto, &on_moto));
    assert_eq!(found, expected);
    assert_eq!(found["counts"], json!({"exported": 3, "empty": 0, "skipped": 1, "failed": 0}));
    assert_eq!(found["skips"], json!([{"logGroupName": "/gone", "reason": "LogGroupNotFound"}]));

    let bad = json!(["/failing", "/gone", { "logGroupName": "/plain", "s3Prefix": "again" }]);
    let fault = json!({"logGroupName": "/failing", "status": "FAILED", "message": "internal \"trouble\"", "times": 10});
    ministack.add_fault(&fault).await.unwrap();
    moto.add_fault(&fault).await.unwrap();
    let (expected, found) = tokio::join!(run(&ministack, &on_ministack, bad.clone()), run(&moto, &on_moto, bad));
    assert_eq!(found.status, ExecutionStatus::Failed, "{found:?}");
    assert_eq!(found.error.as_deref(), Some("ExportsFailed"));
    let cause = |execution: &Execution| without_ids(execution.cause.as_deref().unwrap());
    assert_eq!(cause(&found), cause(&expected));
    assert!(cause(&found).starts_with("1 of 3 log groups failed: /failing: ExportTaskFailed: "), "{}", cause(&found));
    assert!(cause(&found).contains("internal \"trouble\""), "{}", cause(&found));

    let objects = archived(&moto, &on_moto).await;
    assert_eq!(objects, archived(&ministack, &on_ministack).await);
    assert_eq!(objects.len(), 4, "{:?}", objects.keys());

    for (local, arn) in [(&ministack, &good_on_ministack.arn), (&moto, &good_on_moto.arn)] {
        let parent = local.history(arn).await.unwrap();
        let ends = [parent.events.first(), parent.events.last()].map(|event| event.unwrap().r#type.clone());
        assert_eq!(ends, [HistoryEventType::ExecutionStarted, HistoryEventType::ExecutionSucceeded], "{:?}", local.engine());
        // The page is a payload, so the largest has all names in it.
        assert!(parent.largest_payload().unwrap().bytes > "/plain/gone/app/one".len());
        let children = local.child_histories(arn).await.unwrap();
        let calls: Vec<_> = children.iter().map(|child| child.count(&HistoryEventType::TaskScheduled)).collect();
        assert!(calls.len() == 4 && calls[0] >= 2 && calls[1] == 1, "create and check, or create alone: {calls:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_engine_retries_tells_every_event_and_stops() {
    let (local, deployment) = stack(Engine::Moto).await;
    // What ministack's workflows list does not pass through the stand-in, so that no fault strikes it.
    local.add_fault(&json!({"operation": "DescribeLogGroups", "error": "ThrottlingException", "times": 3})).await.unwrap();
    let execution = run(&local, &deployment, json!([{ "logGroupNamePrefix": "/app/" }])).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:?}");
    assert_eq!(execution.output.unwrap()["counts"]["exported"], 3);
    let history = local.history(&execution.arn).await.unwrap();
    let errors: Vec<_> =
        history.events.iter().filter_map(|event| event.task_failed_event_details.as_ref()).filter_map(|failed| failed.error()).collect();
    assert_eq!(errors, ["CloudWatchLogs.ThrottlingException"; 3]);

    // Long enough that polls find the task pending; the wait between them is scaled.
    local.set_task_timing(Duration::from_secs(3), Duration::ZERO).await.unwrap();
    let execution = run(&local, &deployment, json!(["/gone", "/plain"])).await;
    let parent = local.history(&execution.arn).await.unwrap();
    let map: Vec<_> = parent.events.iter().map(|event| event.r#type.as_str()).filter(|name| name.starts_with("Map")).collect();
    assert_eq!(map, ["MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited"]);
    assert_eq!(parent.largest_assignment().unwrap().state.as_deref(), Some("ValidateInput"));
    let children = local.child_histories(&execution.arn).await.unwrap();
    let [gone, plain] = &children[..] else { panic!("a child for each log group, not {}", children.len()) };
    for child in [gone, plain] {
        let names: Vec<_> = child.events.iter().map(|event| event.r#type.as_str()).collect();
        assert_eq!((names[0], names[names.len() - 1]), ("ExecutionStarted", "ExecutionSucceeded"), "{names:?}");
        let ending = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
        assert_eq!(ending("StateEntered"), ending("StateExited"), "{names:?}");
        // Three events for each attempt.
        let attempts = child.count(&HistoryEventType::TaskScheduled);
        assert_eq!(child.count(&HistoryEventType::TaskStarted), attempts, "{names:?}");
        assert_eq!(child.count(&HistoryEventType::TaskSucceeded) + child.count(&HistoryEventType::TaskFailed), attempts, "{names:?}");
        assert!(child.events.iter().map(|event| event.id).eq(1..=child.events.len() as i64), "ids count from 1 in each execution");
    }
    assert_eq!(gone.count(&HistoryEventType::TaskFailed), 0);
    assert!(plain.count(&HistoryEventType::TaskFailed) >= 1, "the polls that find the task pending");
    // A child is an execution like any other.
    let child = local.ended_execution(&plain.execution_arn).await.unwrap().unwrap();
    assert_eq!((child.status, &child.output.unwrap()["outcome"]), (ExecutionStatus::Succeeded, &json!("exported")));

    // What stops the parent stops its child, and no other begins.
    local.set_task_timing(Duration::from_secs(3600), Duration::ZERO).await.unwrap();
    let input = json!({"s3BucketName": deployment.bucket, "s3Prefix": "stopped", "month": MONTH, "logGroups": ["/plain", "/app/one"]});
    let arn = local.start_execution(&deployment, &input).await.unwrap();
    wait_for("the first log group is polled", async || {
        let children = local.child_histories(&arn).await.unwrap();
        children.first().filter(|child| child.count(&HistoryEventType::TaskFailed) > 1).map(drop)
    })
    .await;
    local.step_functions().stop_execution().execution_arn(&arn).send().await.unwrap();
    assert_eq!(local.wait_for_execution(&arn, LIMIT).await.unwrap().status, ExecutionStatus::Aborted);
    wait_for("the child has ended", async || {
        let [child] = &local.children(&arn).await.unwrap()[..] else { panic!("no other child begins") };
        local.ended_execution(child).await.unwrap().filter(|child| child.status == ExecutionStatus::Aborted)
    })
    .await;

    // Unlike ministack, it refuses what is no workflow.
    let bad = json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed", "Commment": ""}}});
    let create = local.step_functions().create_state_machine().name("bad").definition(bad.to_string());
    let refused = create.role_arn("arn:aws:iam::000000000000:role/workflow").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidDefinition"));
}
