//! The archive bucket: what lies in the place already, and S3 failing while the manifest is written.

use aws_sdk_s3::primitives::ByteStream;
use e2e::{FROM, MONTH, TO, place};
use local_aws::Engine;
use serde_json::{Value, json};

use crate::stage::Stage;

e2e::on_both_engines! {
    a_manifest_that_is_not_of_this_export_is_replaced,
    a_manifest_that_cannot_be_written_fails_the_entry_and_the_next_run_writes_it,
    a_manifest_that_cannot_be_read_fails_the_entry_before_anything_is_exported,
    objects_that_cannot_be_counted_fail_the_entry_and_the_next_run_counts_them,
}

async fn a_manifest_that_is_not_of_this_export_is_replaced(engine: Engine) {
    let stage = Stage::take(engine).await;
    let manifest = |log_group: &str| {
        json!({"schemaVersion": 1, "logGroupName": log_group, "month": MONTH, "timezone": "Asia/Tokyo", "from": FROM, "to": TO, "taskId": "t",
            "objects": 1, "bytes": 1, "created": "2024-11-02T00:00:00.000Z", "completed": "2024-11-02T00:01:00.000Z", "execution": null,
            "warnings": []})
    };
    let with = |log_group: &str, field: &str, value: Value| {
        let mut manifest = manifest(log_group);
        manifest[field] = value;
        manifest.to_string()
    };
    for (log_group, text) in [
        ("/manifest/empty", String::new()),
        ("/manifest/cut", manifest("/manifest/cut").to_string()[..40].to_owned()),
        ("/manifest/binary", "\u{0}\u{1}".to_owned()),
        ("/manifest/other-json", "[]".to_owned()),
        ("/manifest/month", with("/manifest/month", "month", json!("2024-09"))),
        ("/manifest/log-group", manifest("/manifest/month").to_string()),
        ("/manifest/objects-gone", manifest("/manifest/objects-gone").to_string()),
        ("/manifest/too-early", with("/manifest/too-early", "created", json!("2024-10-31T15:00:00Z"))),
    ] {
        stage.hello(log_group).await;
        put_manifest(&stage, log_group, text).await;
        let output = stage.run_well(&stage.input(json!([log_group]))).await;
        assert_eq!(output["counts"], json!({"exported": 1, "empty": 0, "skipped": 0, "failed": 0}), "{log_group}");
        assert_eq!(
            (&output["warnings"][0]["logGroupName"], &output["warnings"][0]["name"]),
            (&json!(log_group), &json!("ManifestReplaced")),
            "{output}"
        );
        let written = stage.assert_archived_once(log_group).await;
        assert_eq!(written["warnings"][0]["name"], "ManifestReplaced");
        assert_eq!(stage.created(log_group).await.len(), 1);
    }

    // The counter-proof: the very one that fits is believed, here of an export that wrote nothing.
    stage.hello("/manifest/right").await;
    put_manifest(&stage, "/manifest/right", with("/manifest/right", "objects", json!(0))).await;
    let output = stage.run_well(&stage.input(json!(["/manifest/right"]))).await;
    assert_eq!(output["skips"], json!([{"logGroupName": "/manifest/right", "reason": "AlreadyArchived"}]));
    assert_eq!(stage.created("/manifest/right").await, [""; 0]);
}

async fn put_manifest(stage: &Stage, log_group: &str, text: String) {
    let s3 = aws_sdk_s3::Client::new(&stage.local.sdk_config());
    let key = format!("{}/_manifest.json", place("logs", log_group));
    let body = ByteStream::from(text.into_bytes());
    s3.put_object().bucket(&stage.stack.bucket).key(key).body(body).send().await.expect("the object is stored");
}

async fn a_manifest_that_cannot_be_written_fails_the_entry_and_the_next_run_writes_it(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/unwritable").await;
    stage.fault(json!({"operation": "PutObject", "keySuffix": "_manifest.json", "error": "AccessDenied"})).await;
    let failure = stage.run_fails("/unwritable").await;
    assert!(failure.starts_with("AccessDenied: PutObject answered AccessDenied: Access Denied"), "{failure}");
    assert!(failure.contains("s3:PutObject on */_manifest.json"), "{failure}");
    assert!(!stage.in_place("/unwritable").await.contains_key("_manifest.json"));

    stage.run_exports("/unwritable").await;
    assert_eq!(stage.created("/unwritable").await.len(), 1, "the data is there: the task is adopted");
    stage.assert_archived_once("/unwritable").await;
}

async fn a_manifest_that_cannot_be_read_fails_the_entry_before_anything_is_exported(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/unreadable").await;
    stage.fault(json!({"operation": "GetObject", "keySuffix": "_manifest.json", "error": "AccessDenied"})).await;
    let failure = stage.run_fails("/unreadable").await;
    assert!(failure.starts_with("AccessDenied: GetObject answered AccessDenied: Access Denied"), "{failure}");
    assert_eq!(stage.created("/unreadable").await, [""; 0]);
    stage.run_exports("/unreadable").await;
    stage.assert_archived_once("/unreadable").await;
}

async fn objects_that_cannot_be_counted_fail_the_entry_and_the_next_run_counts_them(engine: Engine) {
    let stage = Stage::take(engine).await;
    stage.hello("/uncounted").await;
    stage.fault(json!({"operation": "ListObjectsV2", "error": "AccessDenied"})).await;
    let failure = stage.run_fails("/uncounted").await;
    assert!(failure.starts_with("AccessDenied: ListObjectsV2 answered AccessDenied: Access Denied"), "{failure}");
    assert!(!stage.in_place("/uncounted").await.contains_key("_manifest.json"));
    stage.run_exports("/uncounted").await;
    assert_eq!(stage.created("/uncounted").await.len(), 1, "the data is there: the task is adopted");
    stage.assert_archived_once("/uncounted").await;
}
