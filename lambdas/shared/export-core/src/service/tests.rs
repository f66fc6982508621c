use super::*;
use crate::place::stack;

fn bucket() -> BucketName {
    BucketName::parse("my-archive").unwrap()
}

fn answered(code: &str, message: &str) -> ServiceFailure {
    ServiceFailure { operation: "CreateExportTask", code: Some(code.into()), message: message.into(), status: Some(400) }
}

#[track_caller]
fn check(error: ExportError, name: ErrorName, part: &str) {
    assert_eq!(error.name, name, "{error}");
    assert!(error.message.contains(part), "{part} in {}", error.message);
}

#[test]
fn bucket_problems_are_matched_by_message_whatever_the_code() {
    let acl = "GetBucketAcl call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.";
    for code in ["InvalidParameterException", "AccessDeniedException"] {
        let error = create_error(&answered(code, acl), &stack(), &bucket());
        check(error.clone(), ErrorName::DestinationRejected, acl);
        check(
            error.clone(),
            ErrorName::DestinationRejected,
            r#"{"Effect":"Allow","Principal":{"Service":"logs.ap-northeast-1.amazonaws.com"},"Action":"s3:GetBucketAcl","Resource":"arn:aws:s3:::my-archive"}"#,
        );
        check(error, ErrorName::DestinationRejected, r#""Action":"s3:PutObject","Resource":"arn:aws:s3:::my-archive/*""#);
    }
    for (code, message, fix) in [
        (
            "InvalidParameterException",
            "The given bucket does not exist. Please make sure the bucket is valid.",
            "s3BucketName is \"my-archive\": create it in ap-northeast-1, or correct the name.",
        ),
        (
            "AccessDeniedException",
            "Please ensure that the CreateExportTask caller has been granted s3:PutObject access to the bucket.",
            "to the role of create-export-task",
        ),
        ("InvalidParameterException", "The bucket is in another region.", "the bucket must be in ap-northeast-1"),
        ("InvalidParameterException", "Please check the KMS key policy of the bucket.", "\"kms:GenerateDataKey\",\"kms:Decrypt\""),
        ("InvalidParameterException", "PutObject call on the given bucket failed.", "Add to the policy of bucket \"my-archive\""),
    ] {
        check(create_error(&answered(code, message), &stack(), &bucket()), ErrorName::DestinationRejected, fix);
    }
}

#[test]
fn each_failure_of_cloudwatch_logs_has_one_name() {
    for (code, status, name) in [
        ("ThrottlingException", 400, ErrorName::LogsThrottled),
        ("TooManyRequestsException", 429, ErrorName::LogsThrottled),
        ("SomethingNew", 429, ErrorName::LogsThrottled),
        ("ServiceUnavailableException", 503, ErrorName::LogsUnavailable),
        ("OperationAbortedException", 400, ErrorName::LogsUnavailable),
        ("SomethingNew", 500, ErrorName::LogsUnavailable),
        ("AccessDeniedException", 400, ErrorName::AccessDenied),
        ("ExpiredTokenException", 400, ErrorName::LogsUnavailable),
        ("UnrecognizedClientException", 400, ErrorName::AccessDenied),
        ("InvalidParameterException", 400, ErrorName::InvalidInput),
        ("ResourceAlreadyExistsException", 400, ErrorName::Unexpected),
        ("SomethingNew", 400, ErrorName::Unexpected),
    ] {
        let failure = ServiceFailure { status: Some(status), ..answered(code, "m") };
        assert_eq!(logs_error(&failure).name, name, "{code} {status}");
        assert_eq!(create_error(&failure, &stack(), &bucket()).name, name, "{code} {status} of CreateExportTask");
        assert!(logs_error(&failure).message.starts_with(&format!("CreateExportTask answered {code}: m")));
    }
    let silence = ServiceFailure { operation: "DescribeExportTasks", code: None, message: "connection refused".into(), status: None };
    check(logs_error(&silence), ErrorName::LogsUnavailable, "DescribeExportTasks got no answer: connection refused");
}

#[test]
fn words_in_the_name_of_a_log_group_do_not_matter() {
    for name in ["kms-rotate", "bucket-sync", "putobject"] {
        let message = format!(
            "User: arn:aws:sts::1:role/r is not authorized to perform: logs:CreateExportTask on resource: arn:aws:logs:eu-west-1:1:log-group:/aws/lambda/{name}"
        );
        check(
            create_error(&answered("AccessDeniedException", &message), &stack(), &bucket()),
            ErrorName::AccessDenied,
            "Allow logs:CreateExportTask to the caller's role.",
        );
    }
    let s3 = ServiceFailure { operation: "ListObjectsV2", ..answered("AccessDenied", "no access to arn:aws:s3:::kms-archive") };
    check(s3_error(&s3, &stack(), "my-archive", None), ErrorName::AccessDenied, "s3:ListBucket");
}

#[test]
fn throttling_that_mentions_the_bucket_stays_throttling() {
    check(
        create_error(&answered("ThrottlingException", "Rate exceeded for bucket"), &stack(), &bucket()),
        ErrorName::LogsThrottled,
        "Rate exceeded",
    );
}

#[test]
fn each_failure_of_s3_has_one_name() {
    let s3 =
        |code: &str, status| ServiceFailure { operation: "PutObject", code: Some(code.into()), message: "m".into(), status: Some(status) };
    for (code, status, name) in [
        ("SlowDown", 503, ErrorName::DestinationUnavailable),
        ("InternalError", 500, ErrorName::DestinationUnavailable),
        ("NoSuchBucket", 404, ErrorName::DestinationRejected),
        ("ExpiredToken", 400, ErrorName::DestinationUnavailable),
        ("AccessDenied", 403, ErrorName::AccessDenied),
        ("InvalidRequest", 400, ErrorName::Unexpected),
    ] {
        assert_eq!(s3_error(&s3(code, status), &stack(), "my-archive", Some("a/b")).name, name, "{code}");
    }
}

#[test]
fn a_denied_call_of_s3_names_the_permission_that_it_needs() {
    for (operation, key, fix) in [
        ("ListObjectsV2", None, "Allow s3:ListBucket on arn:aws:s3:::my-archive to the caller's role."),
        ("PutObject", Some("a/b"), "Allow s3:PutObject on arn:aws:s3:::my-archive/a/b to the caller's role."),
        ("DeleteObject", Some("a/b"), "Allow s3:DeleteObject on arn:aws:s3:::my-archive/a/b to the caller's role."),
        (
            "GetObject",
            Some("a/b"),
            "Allow s3:GetObject on arn:aws:s3:::my-archive/a/b, and s3:ListBucket on arn:aws:s3:::my-archive, to the caller's role.",
        ),
    ] {
        let denied = ServiceFailure { operation, ..answered("AccessDenied", "no") };
        check(s3_error(&denied, &stack(), "my-archive", key), ErrorName::AccessDenied, fix);
    }
}

#[test]
fn a_busy_slot_and_too_many_requests_share_a_code() {
    let busy = answered("LimitExceededException", "Resource limit exceeded.");
    let throttled = answered("LimitExceededException", "Rate exceeded");
    assert!(busy.is_slot_busy() && !throttled.is_slot_busy());
    check(create_error(&throttled, &stack(), &bucket()), ErrorName::LogsThrottled, "LimitExceededException: Rate exceeded");
}

#[test]
fn every_statement_has_the_partition_of_the_stack() {
    let china = Stack { partition: "aws-cn".into(), region: "cn-north-1".into(), ..stack() };
    let error = create_error(&answered("InvalidParameterException", "GetBucketAcl call on the given bucket failed."), &china, &bucket());
    check(error.clone(), ErrorName::DestinationRejected, "arn:aws-cn:s3:::my-archive");
    assert!(!error.message.contains("arn:aws:"), "{error}");
}
