//! The archive bucket: what lies in the place already, and S3 failing while the manifest is written.

use aws_sdk_s3::primitives::ByteStream;
use e2e::{FROM, MONTH, TO, place};
use local_aws::Engine;
use serde_json::{Value, json};

use crate::faults::stage::Stage;

e2e::on_both_engines! {
    a_manifest_that_is_not_of_this_export_is_replaced,
    an_archive_that_denies_a_call_fails_the_entry_and_the_next_run_goes_on,
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

async fn an_archive_that_denies_a_call_fails_the_entry_and_the_next_run_goes_on(engine: Engine) {
    let stage = Stage::take(engine).await;
    for (log_group, fault, failure, created) in [
        // The data is there: the next run adopts the task.
        ("/unwritable", json!({"operation": "PutObject", "keySuffix": "_manifest.json", "error": "AccessDenied"}), "PutObject", 1),
        ("/uncounted", json!({"operation": "ListObjectsV2", "error": "AccessDenied"}), "ListObjectsV2", 1),
        ("/unreadable", json!({"operation": "GetObject", "keySuffix": "_manifest.json", "error": "AccessDenied"}), "GetObject", 0),
    ] {
        stage.hello(log_group).await;
        stage.fault(fault).await;
        let text = stage.run_fails(log_group).await;
        assert!(text.starts_with(&format!("AccessDenied: {failure} answered AccessDenied: Access Denied")), "{text}");
        assert!(log_group != "/unwritable" || text.contains("s3:PutObject on */_manifest.json"), "{text}");
        assert!(!stage.in_place(log_group).await.contains_key("_manifest.json"));
        assert_eq!(stage.created(log_group).await.len(), created, "{log_group}");

        stage.run_exports(log_group).await;
        assert_eq!(stage.created(log_group).await.len(), 1, "{log_group}");
        stage.assert_archived_once(log_group).await;
    }
}
