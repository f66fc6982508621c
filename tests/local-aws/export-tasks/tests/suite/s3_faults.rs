//! Injected faults of S3 calls.

use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::json;

use crate::stand_in::{FROM, StandIn, error, error_of};

#[tokio::test]
async fn each_s3_operation_can_fail_with_the_errors_of_s3() {
    let stand_in = StandIn::start().await;
    let bucket = stand_in.bucket().await;
    stand_in.put_object(&bucket, "a/ロ b", b"body".to_vec()).await;
    let s3 = stand_in.s3();
    for (name, text, status) in [
        ("SlowDown", "Please reduce your request rate.", 503),
        ("InternalError", "We encountered an internal error. Please try again.", 500),
        ("AccessDenied", "Access Denied", 403),
        ("NoSuchKey", "The specified key does not exist.", 404),
        ("RequestTimeout", "A fault injected by a test.", 400),
    ] {
        for operation in ["PutObject", "GetObject", "ListObjectsV2", "HeadObject", "GetBucketLifecycleConfiguration", "HeadBucket"] {
            stand_in.inject_fault(&json!({ "operation": operation, "error": name })).await;
        }
        let put = s3.put_object().bucket(&bucket).key("a/ロ b").body(ByteStream::from_static(b"other")).send().await;
        assert_eq!(put.as_ref().unwrap_err().raw_response().unwrap().status().as_u16(), status);
        assert_eq!(error_of(put), error(name, text));
        assert_eq!(error_of(s3.get_object().bucket(&bucket).key("a/ロ b").send().await), error(name, text));
        assert_eq!(error_of(s3.list_objects_v2().bucket(&bucket).send().await), error(name, text));
        assert_eq!(error_of(s3.get_bucket_lifecycle_configuration().bucket(&bucket).send().await), error(name, text));
        // HEAD has no body, and so no error name.
        let head = s3.head_bucket().bucket(&bucket).send().await.unwrap_err();
        assert_eq!(head.raw_response().unwrap().status().as_u16(), status);
        let head = s3.head_object().bucket(&bucket).key("a/ロ b").send().await.unwrap_err();
        assert_eq!(head.raw_response().unwrap().status().as_u16(), status);
    }
    assert_eq!(stand_in.objects(&bucket).await["a/ロ b"], "body", "a refused write writes nothing");
    s3.head_object().bucket(&bucket).key("a/ロ b").send().await.unwrap();
}

#[tokio::test]
async fn an_s3_fault_can_apply_to_keys_with_a_suffix() {
    let stand_in = StandIn::start().await;
    let bucket = stand_in.bucket().await;
    let fault =
        json!({ "operation": "PutObject", "keySuffix": "_manifest.json", "error": "Odd&<>", "message": "a < b", "httpStatus": 418 });
    stand_in.inject_fault(&fault).await;
    stand_in.put_object(&bucket, "a/b.json", Vec::new()).await;
    let mut left = fault;
    left["times"] = 1.into();
    assert_eq!(stand_in.inspect().await["faults"], json!([left]));
    let put = stand_in.s3().put_object().bucket(&bucket).key("a/_manifest.json").send().await.unwrap_err();
    assert_eq!((put.code(), put.message(), put.raw_response().unwrap().status().as_u16()), (Some("Odd&<>"), Some("a < b"), 418));
    stand_in.put_object(&bucket, "a/_manifest.json", Vec::new()).await;
    assert_eq!(stand_in.keys(&bucket).await, ["a/_manifest.json", "a/b.json"]);
}

#[tokio::test]
async fn an_s3_response_can_be_dropped() {
    let stand_in = StandIn::start().await;
    let bucket = stand_in.bucket().await;
    stand_in.inject_fault(&json!({ "operation": "PutObject", "dropResponse": true })).await;
    let lost = stand_in.s3().put_object().bucket(&bucket).key("k").body(ByteStream::from_static(b"there")).send().await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "the call has no response: {lost:?}");
    assert_eq!(stand_in.objects(&bucket).await["k"], "there");
}

#[tokio::test]
async fn faults_do_not_apply_to_the_objects_that_a_task_writes() {
    let (stand_in, group, bucket) = StandIn::with_log_group_and_bucket().await;
    stand_in.put(&group, "web", &[(FROM, "hello")]).await;
    stand_in.inject_fault(&json!({ "operation": "PutObject", "error": "SlowDown", "times": 100 })).await;
    let task_id = stand_in.export_and_wait(&group, &bucket).await;
    assert_eq!(stand_in.files(&bucket, &task_id).await.len(), 1);
    assert_eq!(stand_in.inspect().await["faults"][0]["times"], 100);
}
