//! Calls that the archive or the work bucket refuses: the run says so, and the next one goes on.

use e2e::{FROM, Stage, TO, assert_counts, decided};
use local_aws::Engine;
use serde_json::json;

e2e::on_both_engines! {
    a_call_that_the_archive_denies_fails_the_log_group_month_or_the_run,
    results_that_cannot_be_written_or_read_cost_nothing_but_the_reasons,
    a_plan_that_is_lost_is_reported,
}

async fn a_call_that_the_archive_denies_fails_the_log_group_month_or_the_run(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    let manifest = format!("-{FROM}-{TO}.json");
    stage.hello("/denied").await;
    // The listing is the first of all: without it, nothing is known of the runs before.
    stage.fault(json!({"operation": "ListObjectsV2", "error": "AccessDenied"})).await;
    let (error, cause) = stage.run_badly(&stage.input(json!(["/denied"]))).await;
    assert_eq!(error, "AccessDenied", "{cause}");
    assert!(
        cause.contains("ListObjectsV2 answered AccessDenied: Access Denied") && cause.contains("Allow s3:ListBucket on arn:aws:s3:::"),
        "{cause}"
    );
    assert_eq!(stage.created("/denied").await, [""; 0]);

    // The data is there, and its task is not this run's to the next one.
    stage.fault(json!({"operation": "PutObject", "keySuffix": manifest, "error": "AccessDenied"})).await;
    let failure = stage.run_fails("/denied").await;
    assert!(failure.starts_with("AccessDenied: PutObject answered AccessDenied: Access Denied"), "{failure}");
    assert!(failure.contains("Allow s3:PutObject on arn:aws:s3:::") && failure.contains("/manifests/year="), "{failure}");
    assert_eq!(stage.manifests("/denied").await, []);
    stage.run_exports(&["/denied"]).await;
    stage.assert_archived_once("/denied").await;

    // A manifest that lies there and cannot be read may be good: nothing is exported in its place.
    // The run looks once more when it ends.
    stage.fault(json!({"operation": "GetObject", "keySuffix": manifest, "error": "AccessDenied", "times": 2})).await;
    let failure = stage.run_fails("/denied").await;
    assert!(failure.starts_with("ArchiveUnreadable: manifest "), "{failure}");
    assert!(failure.contains("GetObject answered AccessDenied: Access Denied"), "{failure}");
    assert_eq!(stage.created("/denied").await.len(), 2);
    assert_counts(&stage.run_well(&stage.input(json!(["/denied"]))).await, json!({"alreadyArchived": 1}));
}

async fn results_that_cannot_be_written_or_read_cost_nothing_but_the_reasons(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    for (log_group, operation, key, said) in [
        ("/results/unwritten", "PutObject", "/SUCCEEDED_0.json", "the map ended with "),
        ("/results/unsigned", "PutObject", "/manifest.json", "the map ended with "),
        ("/results/unlisted", "GetObject", "/manifest.json", "GetObject answered AccessDenied: Access Denied"),
        ("/results/unread", "GetObject", "/SUCCEEDED_0.json", "GetObject answered AccessDenied: Access Denied"),
        ("/results/lost", "GetObject", "/SUCCEEDED_0.json", ""),
    ] {
        stage.hello(log_group).await;
        let error = if said.is_empty() { "NoSuchKey" } else { "AccessDenied" };
        stage.fault(json!({"operation": operation, "keySuffix": key, "error": error})).await;
        let output = stage.run_well(&stage.input(json!([log_group]))).await;
        stage.assert_no_faults_left().await;
        assert_counts(&output, json!({"exported": 1}));
        let warnings = output["warnings"].as_array().expect("a list");
        if !said.is_empty() {
            assert_eq!((warnings.len(), &warnings[0]["name"]), (1, &json!("ResultsUnreadable")), "{log_group}: {output:#}");
            assert!(warnings[0]["message"].as_str().unwrap().contains(said), "{output:#}");
        }
        assert_eq!(stage.created(log_group).await.len(), 1, "{log_group}");
        stage.assert_archived_once(log_group).await;
    }

    // Of a task that failed, the reason is lost; the window is planned again all the same.
    stage.hello("/results/failed").await;
    stage.fault(json!({"operation": "GetObject", "keySuffix": "/manifest.json", "error": "AccessDenied", "times": 3})).await;
    stage.fault(json!({"logGroupName": "/results/failed", "status": "FAILED", "times": 3})).await;
    let execution = stage.run(&stage.input(json!(["/results/failed"]))).await;
    assert_eq!(execution.error.as_deref(), Some("ArchiveIncomplete"));
    assert_eq!(decided(&stage.report(&execution.arn).await), ["/results/failed 2024-10 failed Unexpected"]);
    assert!(execution.cause.unwrap().contains("3 rounds ended without an export, and their results do not say why"));
    stage.run_exports(&["/results/failed"]).await;
}

async fn a_plan_that_is_lost_is_reported(engine: Engine) {
    let stage = Stage::take_on(engine).await;
    stage.hello("/plan/lost").await;
    stage.hold_tasks().await;
    let arn = stage.start(json!(["/plan/lost"])).await;
    stage.wait_for_task("/plan/lost", 1).await;
    // Once plan-exports, once report-archive.
    stage.fault(json!({"operation": "GetObject", "keySuffix": "/progress.json", "error": "NoSuchKey", "times": 2})).await;
    stage.let_tasks_go().await;
    let (error, cause) = e2e::badly(stage.wait(&arn).await);
    assert_eq!(error, "InvalidInput", "{cause}");
    assert!(cause.contains("has no plan of this run at plans/"), "{cause}");
    assert_eq!(stage.report(&arn).await["compared_everything"], false);
    // What was exported is in the archive.
    assert_counts(&stage.run_well(&stage.input(json!(["/plan/lost"]))).await, json!({"alreadyArchived": 1}));
    stage.assert_archived_once("/plan/lost").await;
}
