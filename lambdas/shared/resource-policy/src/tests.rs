use serde_json::{Value, json};

use super::{Access, Context, Ruling, allows, judge, wildcard};

const BUCKET: &str = "arn:aws:s3:::archive";
const OBJECT: &str = "arn:aws:s3:::archive/logs/web/000000.gz";

/// Whether `policy` lets the service write an object for `/ecs/web` of 111122223333 in ap-northeast-1.
fn may_put(statements: Value) -> bool {
    let context = Context::new("111122223333", "ap-northeast-1", "/ecs/web", true);
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    allows(&policy, &Access { action: "s3:PutObject", resource: OBJECT, context: &context })
}

/// The statement that AWS documents, with changes.
fn statement(changes: Value) -> Value {
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": { "Service": "logs.ap-northeast-1.amazonaws.com" },
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::archive/*",
        "Condition": {
            "StringEquals": { "s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceAccount": ["111122223333"] },
            "ArnLike": { "aws:SourceArn": ["arn:aws:logs:ap-northeast-1:111122223333:log-group:*"] },
        },
    });
    for (name, value) in changes.as_object().expect("changes are an object") {
        statement[name] = value.clone();
    }
    statement
}

fn allow_if(condition: Value) -> bool {
    may_put(json!([statement(json!({ "Condition": condition }))]))
}

fn deny_if(condition: Value) -> bool {
    let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition });
    !may_put(json!([statement(json!({})), deny]))
}

#[test]
fn the_documented_statement_allows_the_service() {
    assert!(may_put(json!([statement(json!({}))])));
    assert!(may_put(statement(json!({}))), "a statement need not be in a list");
}

#[test]
fn each_element_of_a_statement_can_exclude_the_service() {
    for changes in [
        json!({ "Effect": "Nothing" }),
        json!({ "Principal": { "Service": "logs.eu-west-1.amazonaws.com" } }),
        json!({ "Principal": { "Service": "logs.amazonaws.com" } }),
        json!({ "Principal": { "AWS": "arn:aws:iam::111122223333:root" } }),
        json!({ "Action": "s3:GetObject" }),
        json!({ "Resource": BUCKET }),
        json!({ "Resource": "arn:aws:s3:::archive/other/*" }),
        json!({ "Resource": "arn:aws:s3:::Archive/*" }),
    ] {
        assert!(!may_put(json!([statement(changes.clone())])), "{changes}");
    }
    assert!(!may_put(json!([])));
}

#[test]
fn lists_wildcards_and_negations_match() {
    for changes in [
        json!({ "Principal": "*" }),
        json!({ "Principal": { "AWS": "*" } }),
        json!({ "Principal": { "Service": ["ec2.amazonaws.com", "logs.ap-northeast-1.amazonaws.com"] } }),
        json!({ "Action": ["s3:GetBucketAcl", "S3:putobject"] }),
        json!({ "Action": "s3:Put*" }),
        json!({ "Action": "*" }),
        json!({ "Resource": [BUCKET, "arn:aws:s3:::archive/logs/*/00000?.gz"] }),
    ] {
        assert!(may_put(json!([statement(changes.clone())])), "{changes}");
    }
    let mut not_action = statement(json!({ "NotAction": "s3:Delete*" }));
    not_action.as_object_mut().expect("an object").remove("Action");
    assert!(may_put(json!([not_action])));
    let mut not_resource = statement(json!({ "NotResource": "arn:aws:s3:::archive/logs/*" }));
    not_resource.as_object_mut().expect("an object").remove("Resource");
    assert!(!may_put(json!([not_resource])));
}

#[test]
fn an_explicit_deny_wins() {
    for principal in [json!("*"), json!({ "Service": "logs.ap-northeast-1.amazonaws.com" })] {
        let deny = json!({ "Effect": "Deny", "Principal": principal, "Action": "s3:PutObject", "Resource": "*" });
        assert!(!may_put(json!([deny, statement(json!({}))])));
        assert!(!may_put(json!([statement(json!({})), deny])));
    }
    let others =
        json!({ "Effect": "Deny", "NotPrincipal": { "Service": "logs.ap-northeast-1.amazonaws.com" }, "Action": "*", "Resource": "*" });
    assert!(may_put(json!([statement(json!({})), others])));
}

#[test]
fn conditions_are_judged_by_operator_and_key() {
    for (condition, holds) in [
        (json!({ "StringEquals": { "aws:SourceAccount": "111122223333" } }), true),
        (json!({ "StringEquals": { "AWS:sourceaccount": ["9", "111122223333"] } }), true),
        (json!({ "StringEquals": { "aws:SourceAccount": "999999999999" } }), false),
        (json!({ "StringNotEquals": { "aws:SourceAccount": ["9", "111122223333"] } }), false),
        (json!({ "StringLike": { "aws:SourceAccount": "1111*" } }), true),
        (json!({ "StringNotLike": { "aws:SourceAccount": "1111*" } }), false),
        (json!({ "StringEquals": { "s3:x-amz-acl": "private" } }), false),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:logs:*:111122223333:log-group:/ecs/*" } }), true),
        (json!({ "ArnEquals": { "aws:SourceArn": "arn:aws:logs:ap-northeast-1:111122223333:log-group:/ecs/web:*" } }), true),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:logs:ap-northeast-1:111122223333:log-group:/ecs/api:*" } }), false),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:*" } }), false),
        (json!({ "Bool": { "aws:SecureTransport": "true" } }), true),
        (json!({ "Bool": { "aws:SecureTransport": false } }), false),
        (json!({ "Bool": { "aws:PrincipalIsAWSService": true } }), true),
        (json!({ "NumericLessThan": { "s3:TlsVersion": 1.2 } }), false),
        (json!({ "Null": { "s3:x-amz-server-side-encryption": "true" } }), true),
        (json!({ "StringEqualsIfExists": { "s3:x-amz-server-side-encryption": "aws:kms" } }), true),
        (json!({ "StringEquals": { "s3:x-amz-server-side-encryption": "aws:kms" } }), false),
        (json!({ "StringNotEquals": { "s3:x-amz-server-side-encryption": "aws:kms" } }), true),
    ] {
        assert_eq!(allow_if(condition.clone()), holds, "Allow if {condition}");
        assert_eq!(deny_if(condition.clone()), holds, "Deny if {condition}");
    }
}

#[test]
fn an_unknown_condition_fails_an_allow_and_satisfies_a_deny() {
    for condition in [
        json!({ "StringEquals": { "aws:SourceOrgID": "o-1" } }),
        json!({ "DateGreaterThan": { "aws:SourceAccount": "2026" } }),
        json!({ "ForAnyValue:StringEquals": { "aws:SourceAccount": "111122223333" } }),
        json!({ "StringEquals": { "aws:SourceAccount": "${aws:PrincipalAccount}" } }),
        json!({ "NumericLessThan": { "aws:SourceArn": 1 } }),
        json!({ "StringEquals": "aws:SourceAccount" }),
        json!({ "StringEquals": { "aws:SourceAccount": [] } }),
        json!("always"),
    ] {
        assert!(!allow_if(condition.clone()), "Allow if {condition}");
        assert!(deny_if(condition.clone()), "Deny if {condition}");
    }
    let surely_false = json!({ "StringEquals": { "aws:SourceOrgID": "o-1", "aws:SourceAccount": "9" } });
    assert!(!deny_if(surely_false), "one condition that surely fails decides");
}

/// A function's role in its own account, whose policies allow the access.
#[test]
fn only_a_deny_that_certainly_applies_denies_a_role() {
    const ROLE: &str = "arn:aws:iam::111122223333:role/cloudwatch-logs-archive/plan";
    let context = Context::of_role(ROLE);
    let ruling = |statement: Value| {
        let policy = json!({ "Statement": [statement] }).to_string();
        judge(&policy, &Access { action: "s3:GetObject", resource: OBJECT, context: &context })
    };
    let statement = |effect: &str, principal: (&str, Value), condition: Value| json!({ "Effect": effect, principal.0: principal.1, "Action": "s3:*", "Resource": "*", "Condition": condition });
    let principals =
        [json!("*"), json!({ "AWS": [ROLE] }), json!({ "AWS": "111122223333" }), json!({ "AWS": "arn:aws:iam::111122223333:root" })];
    for principal in principals {
        assert_eq!(ruling(statement("Allow", ("Principal", principal.clone()), json!({}))), Ruling::Allowed, "{principal}");
        assert_eq!(ruling(statement("Deny", ("Principal", principal), json!({}))), Ruling::Denied { index: 0, sid: None });
    }
    let others = [json!({ "Service": "logs.ap-northeast-1.amazonaws.com" }), json!({ "AWS": "arn:aws:iam::111122223333:role/other" })];
    for principal in others {
        assert_eq!(ruling(statement("Deny", ("Principal", principal.clone()), json!({}))), Ruling::NotAllowed, "{principal}");
        assert_eq!(ruling(statement("Deny", ("NotPrincipal", principal), json!({}))), Ruling::Denied { index: 0, sid: None });
    }
    for (condition, denies) in [
        (json!({ "StringNotEquals": { "aws:SourceVpce": "vpce-1" } }), true),
        (json!({ "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/cloudwatch-logs-archive/*" } }), false),
        (json!({ "Bool": { "aws:SecureTransport": "false" } }), false),
        // An organization and an address are not known.
        (json!({ "StringNotEquals": { "aws:PrincipalOrgID": "o-1" } }), false),
        (json!({ "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), false),
    ] {
        let found = ruling(statement("Deny", ("Principal", json!("*")), condition.clone()));
        assert_eq!(found != Ruling::NotAllowed, denies, "{condition}");
    }
}

#[test]
fn a_document_that_is_not_a_policy_allows_nothing() {
    let context = Context::new("111122223333", "ap-northeast-1", "/ecs/web", false);
    for text in ["", "[]", "{}", "{\"Statement\":7}", "null"] {
        let access = Access { action: "s3:GetBucketAcl", resource: BUCKET, context: &context };
        assert!(!allows(text, &access), "{text}");
    }
}

#[test]
fn wildcards_match_like_iams() {
    for (pattern, text, matches) in [
        ("", "", true),
        ("*", "", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-b-b", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*abc", "ababc", true),
        ("a**", "a", true),
    ] {
        assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
    }
}
