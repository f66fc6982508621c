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

/// What the last compaction ended with: it runs on ministack, whoever started it.
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

fn compacted(log_group_months: u64, rows: u64, outside: u64) -> Value {
    json!({"months": ["2026-10"], "compacted": log_group_months, "rows": rows, "outside": outside})
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
    // Ten lines of orders' seven events, one of payments'.
    assert_eq!(last_compaction(&archive).await, compacted(2, 11, 0));

    put_open_window(&archive).await;
    let expected: BTreeMap<String, Value> = serde_json::from_str(include_str!("expected.json")).expect("expected.json is JSON");
    // In the order of their work; the others are independent.
    let order = ["compact-log-group", "verify-compaction", "unpublish-compaction", "publish-compaction", "drop-compaction-table"];
    let mut queries = saved_queries().expect("the SQL files are well formed");
    queries.sort_by_key(|query| order.iter().position(|file| *file == query.file).map_or(0, |at| at + 1));
    let mut found = BTreeMap::new();
    for query in &queries {
        let sql = query.sql.replace("${Bucket}", &archive.stack.bucket).replace("${S3PrefixSlash}", "cloudwatch-logs/");
        let work_group = if sql.contains("external_location") {
            format!("{}-compaction", archive.stack.work_group)
        } else {
            archive.stack.work_group.clone()
        };
        let answer =
            archive.local.query_in(&work_group, &archive.stack, &sql).await.unwrap_or_else(|error| panic!("{}: {error:#}", query.file));
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

    // A run that archives nothing has nothing to compact; by hand, what is compacted is not compacted again.
    assert_counts(&archive.run_well(&input("2026-10", true)).await, json!({"alreadyArchived": 3}));
    let again = archive.run_machine(&archive.stack.compact_state_machine_arn, &json!({"months": ["2026-10"]})).await;
    assert_eq!(again.output, Some(compacted(0, 0, 0)));
    // A month exported anew is compacted anew, from the export that counts.
    let mut anew = input("2026-10", true);
    anew["force"] = json!(true);
    anew["logGroups"] = json!(["/aws/lambda/orders"]);
    assert_counts(&archive.run_well(&anew).await, json!({"exported": 1}));
    assert_eq!(last_compaction(&archive).await, compacted(1, 10, 0));
    let task = &archive
        .local
        .query(&archive.stack, "SELECT DISTINCT task_id FROM compacted_logs WHERE log_group = '/aws/lambda/orders'")
        .await
        .unwrap();
    let counts = "SELECT task_id FROM manifests WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10";
    assert_eq!(task.rows, archive.local.query(&archive.stack, counts).await.unwrap().rows);
}

e2e::on_both_engines! {
    a_run_whose_compaction_fails_is_a_failed_run_and_the_archive_stays_as_it_is,
    what_lies_outside_of_the_tables_is_told,
}

async fn a_run_whose_compaction_fails_is_a_failed_run_and_the_archive_stays_as_it_is(engine: Engine) {
    let archive = Archive::deploy(engine, 0.001).await;
    archive.log_group("/a", &[(FIRST, "x")]).await;
    archive.log_group("/b", &[(FIRST, "y")]).await;
    let of = |name: &str, compact: bool| json!({"month": "2026-10", "compact": compact, "logGroups": [name]});
    archive.run_well(&of("/b", false)).await;
    let notifications = archive.subscribe().await;
    // Athena passes over an object in Deep Archive: here it is gone, and the manifest knows of it.
    let keys = archive.keys("cloudwatch-logs/log_group=/b/").await;
    archive.delete(&keys.into_iter().filter(|key| key.ends_with(".gz")).collect::<Vec<_>>()).await;
    let (error, cause) = archive.run_badly(&of("/a", true)).await;
    assert_eq!(error, "CompactionFailed");
    let said = "every export ended well, but the compaction to Parquet ended with CompactionFailed: 1 of 2 log-group-months were not compacted: \
        /b 2026-10: CompactionRowsDiffer: the export has 0 rows in 1 objects, and its Parquet 0 rows of 0 objects, at s3://";
    assert!(cause.starts_with(said) && cause.contains("/ (execution arn:aws:states:"), "{cause}");
    let (subject, message) = notifications.next().await;
    assert_eq!(subject, "cloudwatch-logs-archive: action needed: compaction to Parquet failed (2026-10)");
    assert!(message.contains(said) && message.contains("\nWhat to do: Read the failed execution of compact-logs"), "{message}");
    let rows = archive.local.query(&archive.stack, "SELECT log_group, message FROM compacted_logs WHERE year = 2026 AND month = 10").await;
    assert_eq!(rows.unwrap().rows, [[Some("/a".to_owned()), Some("x".to_owned())]]);
}

async fn what_lies_outside_of_the_tables_is_told(engine: Engine) {
    let archive = Archive::deploy(engine, 0.001).await;
    archive.log_group("/a", &[(FIRST, "x")]).await;
    archive.log_group("/b", &[(FIRST, "y")]).await;
    let log_groups = json!(["/a", {"logGroupName": "/b", "s3Prefix": "elsewhere"}]);
    archive.run_well(&json!({"month": "2026-10", "compact": true, "logGroups": log_groups})).await;
    assert_eq!(last_compaction(&archive).await, compacted(1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_refused() {
    let stage = Stage::take(Engine::Ministack).await;
    let without_log_group = "SELECT * FROM logs WHERE year = 2026 AND month = 10";
    let in_the_wrong_workgroup = "CREATE TABLE x WITH (external_location = 's3://elsewhere/') AS SELECT 1 AS one";
    for (sql, said) in [
        (without_log_group, "CONSTRAINT_VIOLATION: For the injected projected partition column log_group"),
        (in_the_wrong_workgroup, "enforces a centralized output location"),
    ] {
        let error = stage.local.query(&stage.stack, sql).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let refused = stage.run_machine(&stage.stack.compact_state_machine_arn, &json!({"months": "October"})).await;
    assert_eq!((refused.status, refused.error.as_deref()), (ExecutionStatus::Failed, Some("InvalidInput")));
    let expected = "months is October: give a list of 1 to 120 archived months, each as YYYY-MM, such as 2026-10";
    assert_eq!(refused.cause.as_deref(), Some(expected));
}
