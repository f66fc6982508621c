//! The archive answers SQL as soon as a run has ended: every file of `infra/athena`, as it is deployed, on what runs have archived.
//!
//! Awkward messages are the matter of `tests/e2e/sql`; here it is that the pipeline's own objects, manifests and rows are
//! what the queries take them for, and that the compaction ends with the same rows.

use std::collections::BTreeMap;

use aws_sdk_sfn::types::ExecutionStatus;
use e2e::{Archive, Stage, assert_counts};
use generate_infra::athena::saved_queries;
use local_aws::Engine;
use serde_json::{Value, json};

const STACK_TRACE: &str = "ERROR order 4711: java.net.ConnectException: Connection refused\n\tat com.example.Orders.reserve(Orders.java:42)\n\nCaused by: 在庫がありません";
const JSON: &str = r#"{"level":"ERROR","requestId":"6f1f5d3a-2b1c-4c55-9a51-0d6f6f2c7b10","error":{"code":"E42"},"durationMs":12.5}"#;
const REPORT: &str = "REPORT RequestId: 6f1f5d3a-2b1c-4c55-9a51-0d6f6f2c7b10\tDuration: 120.50 ms\tBilled Duration: 121 ms\tMemory Size: 128 MB\tMax Memory Used: 61 MB\tInit Duration: 210.03 ms\t";

/// `2026-10-05T01:00:00Z`.
const MORNING: i64 = 1_791_162_000_000;
/// First and last millisecond of October 2026 in Tokyo.
const FIRST: i64 = 1_790_780_400_000;
const LAST: i64 = 1_793_458_799_999;
/// `2026-08-10T00:00:00Z`.
const AUGUST: i64 = 1_786_320_000_000;

async fn load(archive: &Archive) {
    let first_stream: &[(i64, &str)] = &[
        (AUGUST, "in August"),
        (FIRST - 1, "the last millisecond of September in Tokyo"),
        (FIRST, "the first millisecond of October in Tokyo"),
        (MORNING, STACK_TRACE),
        (MORNING + 60_000, JSON),
        (MORNING + 120_000, "ERROR order 4712: timed out"),
        (LAST, "FATAL the last millisecond"),
        (LAST + 1, "in November"),
    ];
    let second_stream: &[(i64, &str)] = &[(MORNING + 86_400_000, REPORT), (MORNING + 86_400_001, "Permission Check Successful")];
    let streams = [("2026/10/05/[$LATEST]aa", first_stream), ("2026/10/06/[$LATEST]bb", second_stream)];
    archive.log_group_of_streams("/aws/lambda/orders", &streams).await;
    archive.log_group("/aws/lambda/payments", &[(AUGUST, "payments in August"), (MORNING + 30_000, JSON)]).await;
    archive.log_group("/ecs/quiet", &[(AUGUST, "x")]).await;
}

fn input(month: &str, compact: bool) -> Value {
    json!({"month": month, "compact": compact, "logGroups": ["/aws/lambda/orders", "/aws/lambda/payments", "/ecs/quiet"]})
}

/// What the last compaction ended with, whoever started it.
async fn last_compaction(archive: &Archive) -> Value {
    let step_functions = aws_sdk_sfn::Client::new(&archive.local.sdk_config());
    let listed = step_functions.list_executions().state_machine_arn(&archive.stack.compact_state_machine_arn).send().await;
    let newest = listed.expect("the executions").executions.into_iter().max_by_key(|execution| execution.start_date.as_nanos());
    let described = step_functions.describe_execution().execution_arn(newest.expect("a compaction").execution_arn).send().await;
    serde_json::from_str(&described.expect("it is described").output.expect("it has succeeded")).expect("its output is JSON")
}

/// What a run leaves of an export that was refused.
async fn put_open_window(archive: &Archive) {
    let item = json!({
        "schema_version": 1, "outcome": "failed", "error": "AccessDenied", "message": "not authorized", "account": archive.local.account_id(),
        "region": archive.local.region(), "bucket": archive.stack.bucket, "log_group": "/ecs/refused", "log_stream_name_prefix": null,
        "destination": "cloudwatch-logs/log_group=/ecs/refused/year={year}/month={month}", "timezone": "Asia/Tokyo", "month": "2026-10",
        "window_from": FIRST, "window_to": LAST, "since": "2026-11-01T04:00:01Z", "tries": 2, "execution": null, "blocked_by": null
    });
    archive.put(&format!("cloudwatch-logs/missing/{:032}-{FIRST}-{LAST}.json", 0), format!("{item}\n")).await;
}

fn compacted(months: &[&str], log_group_months: u64) -> Value {
    json!({"months": months, "compacted": log_group_months})
}

/// How many executions of the compaction there are so far.
async fn compactions(archive: &Archive) -> usize {
    let step_functions = aws_sdk_sfn::Client::new(&archive.local.sdk_config());
    let listed = step_functions.list_executions().state_machine_arn(&archive.stack.compact_state_machine_arn).send().await;
    listed.expect("the executions").executions.len()
}

/// The lines of a log group's month, from the view or from Parquet.
async fn lines(archive: &Archive, relation: &str, log_group: &str, month: u8) -> Vec<Vec<Option<String>>> {
    let columns = "task_id, log_stream, object, line, event_time, message, is_continuation";
    let sql = format!(
        "SELECT {columns} FROM {relation} WHERE log_group = '{log_group}' AND year = 2026 AND month = {month} ORDER BY object, line"
    );
    archive.local.query(&archive.stack, &sql).await.expect("the query succeeds").rows
}

/// Parquet is what the view says, and there are so many lines.
async fn assert_compacted(archive: &Archive, log_group: &str, month: u8, count: usize) {
    let expected = lines(archive, "logs", log_group, month).await;
    assert_eq!(expected.len(), count, "{log_group} {month}");
    assert_eq!(lines(archive, "compacted_logs", log_group, month).await, expected, "{log_group} {month}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_answers_on_what_runs_have_archived() {
    let archive = Archive::deploy(Engine::Ministack, 0.001).await;
    load(&archive).await;
    // A first attempt that failed after it had written leaves its folder; its lines must not come back twice.
    let failure = json!({"logGroupName": "/aws/lambda/orders", "status": "FAILED", "message": "internal trouble", "times": 1});
    archive.fault(failure.clone()).await;
    assert_counts(&archive.run_well(&input("2026-08", false)).await, json!({"exported": 3}));
    archive.fault(failure).await;
    assert_counts(&archive.run_well(&input("2026-10", true)).await, json!({"exported": 2, "skipped": 1}));
    // No run has compacted before: it looked at October alone.
    assert_eq!(last_compaction(&archive).await, compacted(&["2026-10"], 2));
    assert_compacted(&archive, "/aws/lambda/orders", 10, 10).await;
    assert_compacted(&archive, "/aws/lambda/payments", 10, 1).await;

    put_open_window(&archive).await;
    let expected: BTreeMap<String, Value> = serde_json::from_str(include_str!("expected.json")).expect("expected.json is JSON");
    let mut found = BTreeMap::new();
    for query in &saved_queries().expect("the SQL files are well formed") {
        let sql = query.sql.replace("${Bucket}", &archive.stack.bucket);
        let answer = archive.local.query(&archive.stack, &sql).await.unwrap_or_else(|error| panic!("{}: {error:#}", query.file));
        found.insert(query.file.clone(), json!({"columns": answer.columns, "rows": answer.rows}));
    }
    for row in found.get_mut("archive-size").expect("its answer")["rows"].as_array_mut().expect("rows") {
        let (log_group, month) = (row[0].as_str().expect("a name"), row[2].as_str().expect("a month"));
        let manifests = archive.manifests(log_group).await;
        let of_month = manifests.iter().find(|(key, _)| key.contains(&format!("/year=2026/month={month:0>2}/"))).expect("its manifest");
        assert_eq!(row[5], of_month.1["bytes"].to_string(), "{log_group}");
        row[5] = json!("as in the manifest");
    }
    let files: Vec<_> = found.keys().collect();
    assert_eq!(files, expected.keys().collect::<Vec<_>>(), "each file has its expected rows");
    for (file, found) in &found {
        assert_eq!(*found, expected[file], "{file}");
    }

    // The run recorded the skip after its compaction, so the next one hands over the month once more. Then no manifest has changed.
    assert_counts(&archive.run_well(&input("2026-10", true)).await, json!({"alreadyArchived": 3}));
    assert_eq!(last_compaction(&archive).await, compacted(&["2026-10"], 0));
    let before = compactions(&archive).await;
    assert_counts(&archive.run_well(&input("2026-10", true)).await, json!({"alreadyArchived": 3}));
    assert_eq!(compactions(&archive).await, before);
    let again = archive.run_machine(&archive.stack.compact_state_machine_arn, &json!({"months": ["2026-10"]})).await;
    assert_eq!(again.output, Some(compacted(&["2026-10"], 0)));
}

e2e::on_both_engines! {
    a_compaction_that_fails_is_taken_up_by_the_next_run,
    months_are_compacted_by_hand,
}

async fn a_compaction_that_fails_is_taken_up_by_the_next_run(engine: Engine) {
    let archive = Archive::deploy(engine, 0.001).await;
    for name in ["/a", "/b", "/c"] {
        archive.log_group(name, &[(AUGUST, "in August"), (FIRST, name)]).await;
    }
    let of = |month: &str, name: &str, compact: bool| json!({"month": month, "compact": compact, "logGroups": [name]});
    archive.run_well(&of("2026-10", "/b", false)).await;
    let notifications = archive.subscribe().await;
    // Athena passes over an object in Deep Archive: here it is gone, and the manifest knows of it.
    let keys: Vec<_> = archive.keys("cloudwatch-logs/log_group=/b/").await.into_iter().filter(|key| key.ends_with(".gz")).collect();
    let object = archive.local.read_object(&archive.stack.bucket, &keys[0]).await.expect("the object");
    archive.delete(&keys).await;
    // A manifest that is no JSON is the failure of itself alone.
    let unreadable = "cloudwatch-logs/manifests/year=2026/month=10/unreadable.json";
    archive.put(unreadable, "{\"schema_version\": 2,".to_owned()).await;
    let (error, cause) = archive.run_badly(&of("2026-10", "/a", true)).await;
    assert_eq!(error, "CompactionFailed");
    let said = format!(
        "every export succeeded, but the compaction to Parquet ended with CompactionFailed: 2 of 3 log-group-months are not compacted: \
         /b 2026-10; s3://{0}/{unreadable} 2026-10: the manifest s3://{0}/{unreadable} cannot be read, or has values that do not fit. \
         The failed executions of the last map run say why: {{\"MapRunArn\":\"arn:aws:states:",
        archive.stack.bucket
    );
    assert!(cause.starts_with(&said) && cause.contains(" (execution arn:aws:states:"), "{cause}");
    let (subject, message) = notifications.next().await;
    assert_eq!(subject, "cloudwatch-logs-archive: action needed: compaction to Parquet failed (2026-10)");
    assert!(message.contains(&said) && message.contains("\nWhat to do: Read the failed executions of compact-logs"), "{message}");
    let map_run = cause.split("\"MapRunArn\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a map run");
    let mut failures = map_run_failures(&archive, map_run).await;
    failures.sort();
    assert_eq!(failures.iter().map(|failure| failure.0.as_str()).collect::<Vec<_>>(), ["CompactionRowsDiffer", "ManifestInvalid"]);
    let differs = "the export has 0 rows in 1 objects, and its Parquet 0 rows of 0 objects, at s3://";
    assert!(failures[0].1.starts_with(differs), "{failures:?}");
    assert_compacted(&archive, "/a", 10, 1).await;

    // Another month is archived by a run that does not compact. Then what made the compaction fail passes.
    archive.run_well(&of("2026-08", "/c", false)).await;
    archive.put(&keys[0], object).await;
    archive.delete(&[unreadable.to_owned()]).await;
    let before = compactions(&archive).await;
    assert_counts(&archive.run_well(&of("2026-10", "/a", true)).await, json!({"alreadyArchived": 1}));
    assert_eq!(compactions(&archive).await, before + 1);
    assert_eq!(last_compaction(&archive).await, compacted(&["2026-08", "2026-10"], 2));
    assert_compacted(&archive, "/b", 10, 1).await;
    assert_compacted(&archive, "/c", 8, 1).await;
    // Nothing is left: the next run starts none.
    assert_counts(&archive.run_well(&of("2026-10", "/a", true)).await, json!({"alreadyArchived": 1}));
    assert_eq!(compactions(&archive).await, before + 1);
}

/// Error and cause of each child of a map run that failed.
async fn map_run_failures(archive: &Archive, map_run_arn: &str) -> Vec<(String, String)> {
    let step_functions = aws_sdk_sfn::Client::new(&archive.local.sdk_config());
    let failed = aws_sdk_sfn::types::ExecutionStatus::Failed;
    let listed = step_functions.list_executions().map_run_arn(map_run_arn).status_filter(failed).send().await.expect("the children");
    let mut failures = Vec::new();
    for child in listed.executions {
        let child = step_functions.describe_execution().execution_arn(child.execution_arn).send().await.expect("it is described");
        failures.push((child.error.expect("an error"), child.cause.expect("a cause")));
    }
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_exported_again_gets_new_parquet() {
    let archive = Archive::deploy(Engine::Ministack, 0.001).await;
    archive.log_group("/a", &[(FIRST, "x"), (MORNING, STACK_TRACE)]).await;
    let input = |more: Value| {
        let mut input = json!({"month": "2026-10", "compact": true, "logGroups": ["/a"]});
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    archive.run_well(&input(json!({}))).await;
    assert_compacted(&archive, "/a", 10, 5).await;
    let first = lines(&archive, "compacted_logs", "/a", 10).await;

    assert_counts(&archive.run_well(&input(json!({"force": true}))).await, json!({"exported": 1}));
    assert_compacted(&archive, "/a", 10, 5).await;
    let second = lines(&archive, "compacted_logs", "/a", 10).await;
    assert_ne!(second[0][0], first[0][0], "of another task");

    // A repair that a run without Parquet makes, and the next run finds nothing to export.
    let task = second[0][0].clone().expect("a task");
    archive.delete(&archive.keys(&format!("cloudwatch-logs/log_group=/a/year=2026/month=10/{task}/")).await).await;
    let repair = json!({"compact": false});
    let output = archive.run_well(&input(repair)).await;
    assert_eq!((&output["exported"], &output["repaired"]), (&json!(1), &json!(1)));
    assert_eq!(lines(&archive, "compacted_logs", "/a", 10).await, second);
    assert_counts(&archive.run_well(&input(json!({}))).await, json!({"alreadyArchived": 1}));
    assert_compacted(&archive, "/a", 10, 5).await;
    assert_ne!(lines(&archive, "compacted_logs", "/a", 10).await[0][0], second[0][0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_outside_of_the_tables_is_not_compacted() {
    let archive = Archive::deploy(Engine::Ministack, 0.001).await;
    archive.log_group("/a", &[(FIRST, "x")]).await;
    archive.log_group("/b", &[(FIRST, "y")]).await;
    let log_groups = json!(["/a", {"logGroupName": "/b", "s3Prefix": "elsewhere"}]);
    archive.run_well(&json!({"month": "2026-10", "compact": true, "logGroups": log_groups})).await;
    assert_eq!(last_compaction(&archive).await, compacted(&["2026-10"], 1));
}

async fn months_are_compacted_by_hand(engine: Engine) {
    let archive = Archive::deploy(engine, 0.001).await;
    let names: Vec<String> = (0..7).map(|number| format!("/g/{number}")).collect();
    for name in &names {
        archive.log_group(name, &[(AUGUST, "in August"), (FIRST, name)]).await;
    }
    for month in ["2026-08", "2026-10"] {
        archive.run_well(&json!({"month": month, "logGroups": names})).await;
    }
    let months = ["2026-10", "2026-08"];
    let compact = async || archive.run_machine(&archive.stack.compact_state_machine_arn, &json!({"months": months})).await;
    assert_eq!(compact().await.output, Some(compacted(&months, 14)));
    for name in &names {
        assert_compacted(&archive, name, 8, 1).await;
        assert_compacted(&archive, name, 10, 1).await;
    }

    // One whose manifest is gone is taken out; one that does not fit fails, and the other is compacted all the same.
    let (withdrawn, _) = archive.manifests(&names[0]).await.into_iter().find(|(key, _)| key.contains("month=08")).expect("August's");
    archive.delete(&[withdrawn]).await;
    let (unfit, mut manifest) = archive.manifests(&names[1]).await.into_iter().find(|(key, _)| key.contains("month=08")).expect("August's");
    manifest["task_id"] = json!("a' OR 'b' = 'b");
    archive.put(&unfit, format!("{manifest}\n")).await;
    let ended = compact().await;
    assert_eq!((ended.status, ended.error.as_deref()), (ExecutionStatus::Failed, Some("CompactionFailed")));
    let cause = ended.cause.expect("a cause");
    let said = format!(
        "1 of 2 log-group-months are not compacted: /g/1 2026-08: the manifest s3://{}/{unfit} cannot be read, or",
        archive.stack.bucket
    );
    assert!(cause.starts_with(&said), "{cause}");
    assert_eq!(lines(&archive, "compacted_logs", &names[0], 8).await.len(), 0);
    assert_eq!(lines(&archive, "compacted_logs", &names[1], 8).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_refused() {
    let stage = Stage::take().await;
    let without_log_group = "SELECT * FROM logs WHERE year = 2026 AND month = 10";
    let error = stage.local.query(&stage.stack, without_log_group).await.unwrap_err();
    assert!(error.to_string().contains("CONSTRAINT_VIOLATION: For the injected projected partition column log_group"), "{error}");
    let refused = stage.run_machine(&stage.stack.compact_state_machine_arn, &json!({"months": "October"})).await;
    assert_eq!((refused.status, refused.error.as_deref()), (ExecutionStatus::Failed, Some("InvalidInput")));
    let expected = "months is October: give a list of 1 to 1200 archived months, each as YYYY-MM, such as 2026-10";
    assert_eq!(refused.cause.as_deref(), Some(expected));
}
