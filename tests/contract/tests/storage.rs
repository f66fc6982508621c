//! The storage: contradictory parameters, what the owners of buckets and keys are told, and what no policy permits.

mod intrinsics;

use std::collections::BTreeMap;

use contract::{
    documents::code_blocks,
    path, read,
    template::{ARCHIVE, load},
};
use intrinsics::Template;
use serde_json::{Value, json};

const STORAGE: &str = "infra/archive.yaml";
const CENTRAL_BUCKET: &str = "docs/central-bucket.md";

/// Shortest times that are paid for: in Glacier Instant Retrieval, and in Glacier Deep Archive.
const INSTANT_RETRIEVAL_DAYS: u32 = 90;
const DEEP_ARCHIVE_DAYS: u32 = 180;

fn template(file: &str, values: &[(&str, &str)]) -> Template {
    let pseudo = [("AWS::AccountId", "111122223333"), ("AWS::Region", "ap-northeast-1"), ("AWS::Partition", "aws")];
    let values = pseudo.iter().chain(values).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Template { document: load(file), values: values.collect() }
}

/// The days that a parameter may have.
fn days(template: &Template, parameter: &str) -> Vec<u32> {
    let allowed = template.document["Parameters"][parameter]["AllowedValues"].as_sequence().expect("allowed values");
    allowed.iter().map(|value| value.as_u64().and_then(|days| days.try_into().ok()).expect("a number of days")).collect()
}

#[test]
fn rules_refuse_every_contradiction_and_nothing_else() {
    let mut template = template(ARCHIVE, &[]);
    let [instant_days, deep_days, expiration_days, lock_days] =
        ["DaysToGlacierInstantRetrieval", "DaysToDeepArchive", "DaysToExpiration", "ObjectLockDays"].map(|name| days(&template, name));
    let mut accepted = 0;
    for bucket in ["", "their-bucket"] {
        for owner in ["", "999999999999"] {
            for mode in ["NONE", "GOVERNANCE", "COMPLIANCE"] {
                for &lock in &lock_days {
                    for &instant in &instant_days {
                        for &deep in &deep_days {
                            for &expiration in &expiration_days {
                                template.values.extend(
                                    [
                                        ("ExistingBucketName", bucket.to_owned()),
                                        ("ExistingBucketOwnerAccountId", owner.to_owned()),
                                        ("ObjectLockMode", mode.to_owned()),
                                        ("ObjectLockDays", lock.to_string()),
                                        ("DaysToGlacierInstantRetrieval", instant.to_string()),
                                        ("DaysToDeepArchive", deep.to_string()),
                                        ("DaysToExpiration", expiration.to_string()),
                                    ]
                                    .map(|(name, value)| (name.to_owned(), value)),
                                );
                                let changes_their_bucket =
                                    !bucket.is_empty() && (mode != "NONE" || [instant, deep, expiration].iter().any(|days| *days != 0));
                                let nobodys_owner = !owner.is_empty() && bucket.is_empty();
                                let half_a_lock = (mode == "NONE") != (lock == 0);
                                let deep_too_early = deep != 0 && deep <= instant;
                                let expires_too_early = expiration != 0 && (expiration <= instant.max(deep) || expiration < lock);
                                let contradiction =
                                    changes_their_bucket || nobodys_owner || half_a_lock || deep_too_early || expires_too_early;
                                assert_eq!(template.refusal().is_some(), contradiction, "{:?}: {:?}", template.values, template.refusal());
                                if !contradiction {
                                    accepted += 1;
                                    let pays_for_nothing =
                                        |from: u32, to: u32, shortest: u32| from == 0 || to == 0 || to - from >= shortest;
                                    assert!(pays_for_nothing(instant, deep, INSTANT_RETRIEVAL_DAYS), "{instant} {deep}");
                                    assert!(pays_for_nothing(deep, expiration, DEEP_ARCHIVE_DAYS), "{deep} {expiration}");
                                    assert!(
                                        deep != 0 || pays_for_nothing(instant, expiration, INSTANT_RETRIEVAL_DAYS),
                                        "{instant} {expiration}"
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn by_default_nothing_is_moved_locked_or_expires() {
    let parameters = load(ARCHIVE)["Parameters"].clone();
    for days in ["DaysToGlacierInstantRetrieval", "DaysToDeepArchive", "DaysToExpiration", "ObjectLockDays"] {
        assert_eq!(parameters[days]["Default"].as_u64(), Some(0), "{days}");
    }
    assert_eq!(parameters["ObjectLockMode"]["Default"].as_str(), Some("NONE"));
    for name in ["ExistingBucketName", "ExistingBucketOwnerAccountId", "KmsKeyArn"] {
        assert_eq!(parameters[name]["Default"].as_str(), Some(""), "{name}");
    }
}

/// The bucket that the stack makes, for parameters that differ from the defaults.
fn bucket(changes: &[(&str, &str)]) -> Value {
    let defaults = [
        ("S3PrefixSlash", "cloudwatch-logs/"),
        ("ExistingBucketName", ""),
        ("ExistingBucketOwnerAccountId", ""),
        ("KmsKeyArn", ""),
        ("DaysToGlacierInstantRetrieval", "0"),
        ("DaysToDeepArchive", "0"),
        ("DaysToExpiration", "0"),
        ("ObjectLockMode", "NONE"),
        ("ObjectLockDays", "0"),
    ];
    let values: Vec<_> = defaults.iter().chain(changes).copied().collect();
    let template = template(STORAGE, &values);
    template.json(&template.document["Resources"]["ArchiveBucket"]["Properties"])
}

fn rules(bucket: &Value) -> &[Value] {
    bucket["LifecycleConfiguration"]["Rules"].as_array().expect("rules")
}

/// What the lifecycle always does.
fn rules_of_every_bucket() -> [Value; 2] {
    [
        json!({"Id": "AbortIncompleteMultipartUploads", "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}),
        json!({"Id": "NoncurrentVersionsToGlacier", "Status": "Enabled",
            "NoncurrentVersionTransitions": [{"StorageClass": "GLACIER", "TransitionInDays": 30}]}),
    ]
}

#[test]
fn the_bucket_of_the_defaults() {
    let expected = json!({
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        "VersioningConfiguration": {"Status": "Enabled"},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {"Rules": rules_of_every_bucket()},
    });
    assert_eq!(bucket(&[]), expected);
}

#[test]
fn a_key_encrypts_the_bucket_with_a_bucket_key() {
    let key = "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let bucket = bucket(&[("KmsKeyArn", key)]);
    let by_default = json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key});
    let expected = json!({"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": true}]});
    assert_eq!(bucket["BucketEncryption"], expected);
}

#[test]
fn the_lifecycle_moves_large_exports_only_and_expires_everything() {
    let always = rules_of_every_bucket();
    let moves = |prefix: &str, transitions: Value| {
        json!({"Id": "ExportsToColderClasses", "Status": "Enabled", "Prefix": format!("{prefix}log_group="),
            "ObjectSizeGreaterThan": "131072", "Transitions": transitions})
    };
    let to = |class: &str, days: &str| json!({"StorageClass": class, "TransitionInDays": days});
    let (instant, deep) = (("DaysToGlacierInstantRetrieval", "90"), ("DaysToDeepArchive", "365"));
    for (changes, transitions) in [
        (&[instant][..], json!([to("GLACIER_IR", "90")])),
        (&[deep], json!([to("DEEP_ARCHIVE", "365")])),
        (&[instant, deep], json!([to("GLACIER_IR", "90"), to("DEEP_ARCHIVE", "365")])),
    ] {
        assert_eq!(rules(&bucket(changes)), [&always[..], &[moves("cloudwatch-logs/", transitions)]].concat(), "{changes:?}");
    }
    let at_the_root = bucket(&[("S3PrefixSlash", ""), instant]);
    assert_eq!(rules(&at_the_root)[2], moves("", json!([to("GLACIER_IR", "90")])));

    let expires = [
        json!({"Id": "Expiration", "Status": "Enabled", "ExpirationInDays": "730",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 120}}),
        json!({"Id": "DeleteMarkersWithNothingBehind", "Status": "Enabled", "ExpiredObjectDeleteMarker": true}),
    ];
    let expiration = ("DaysToExpiration", "730");
    assert_eq!(rules(&bucket(&[expiration])), [&always[..], &expires].concat());
    let all = bucket(&[instant, deep, expiration]);
    let transitions = json!([to("GLACIER_IR", "90"), to("DEEP_ARCHIVE", "365")]);
    assert_eq!(rules(&all), [&always[..], &[moves("cloudwatch-logs/", transitions)], &expires].concat());
}

#[test]
fn a_lock_is_a_default_retention_of_every_object() {
    for mode in ["GOVERNANCE", "COMPLIANCE"] {
        let bucket = bucket(&[("ObjectLockMode", mode), ("ObjectLockDays", "365")]);
        assert_eq!(bucket["ObjectLockEnabled"], true);
        let expected = json!({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, "Days": "365"}}});
        assert_eq!(bucket["ObjectLockConfiguration"], expected);
        assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
        assert_eq!(rules(&bucket), rules_of_every_bucket());
    }
}

#[test]
fn a_key_of_another_region_is_refused() {
    let archive = |key: &str| template(ARCHIVE, &[("KmsKeyArn", key)]);
    let parameter =
        |template: &Template| template.document["Resources"]["Archive"]["Properties"]["Parameters"]["KmsKeyAndStackRegion"].clone();
    let pattern = load(STORAGE)["Parameters"]["KmsKeyAndStackRegion"]["AllowedPattern"].as_str().expect("a pattern").to_owned();
    // CloudFormation's patterns are Java's: this one refers back to its first part, which jsonschema's engine can as well.
    let pattern = json!({"type": "string", "pattern": pattern});
    let passes = |value: &str| jsonschema::is_valid(&pattern, &json!(value));
    for (key, value, right) in [
        ("", "ap-northeast-1 ap-northeast-1", true),
        ("arn:aws:kms:ap-northeast-1:999999999999:key/1234", "ap-northeast-1 ap-northeast-1", true),
        ("arn:aws:kms:ap-northeast-3:999999999999:key/1234", "ap-northeast-3 ap-northeast-1", false),
        ("arn:aws:kms:us-east-1:999999999999:key/1234", "us-east-1 ap-northeast-1", false),
    ] {
        let template = archive(key);
        let parameter = parameter(&template);
        assert_eq!(template.text(&parameter), value, "{key}");
        assert_eq!(passes(value), right, "{key}");
        // Both branches: that CloudFormation leaves the other one alone is not said anywhere.
        let serde_norway::Value::Tagged(branches) = &parameter else { panic!("an !If") };
        let of_key = template.text(&branches.value[1]);
        assert!(of_key.ends_with(" ap-northeast-1"), "{of_key}");
    }
    for wrong in ["ap-northeast-1", "ap-northeast-1 ap-northeast-10", "xap-northeast-1 ap-northeast-1", " ", ""] {
        assert!(!passes(wrong), "{wrong}");
    }
}

fn central() -> Template {
    let values = [
        ("S3Prefix", "cloudwatch-logs"),
        ("S3PrefixSlash", "cloudwatch-logs/"),
        ("ExistingBucketName", "central-log-archive"),
        ("ExistingBucketOwnerAccountId", "999999999999"),
        ("KmsKeyArn", "arn:aws:kms:ap-northeast-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
    ];
    template(STORAGE, &values)
}

fn own(bucket: &str) -> Template {
    let values = [
        ("S3Prefix", "logs"),
        ("S3PrefixSlash", "logs/"),
        ("ExistingBucketName", bucket),
        ("ExistingBucketOwnerAccountId", ""),
        ("KmsKeyArn", ""),
        ("ArchiveBucket", "made-bucket"),
        ("ArchiveBucket.Arn", "arn:aws:s3:::made-bucket"),
    ];
    template(STORAGE, &values)
}

fn output(template: &Template, name: &str) -> String {
    template.text(&template.document["Outputs"][name]["Value"])
}

fn statements(template: &Template, name: &str) -> Vec<Value> {
    let text = output(template, name);
    // A parameter's length, in case somebody hands it on.
    assert!(text.len() < 4096, "{name} has {} bytes", text.len());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name} is not JSON: {error}"))
}

#[test]
fn the_document_shows_the_statements_that_the_stack_puts_out() {
    let template = central();
    let document = read(CENTRAL_BUCKET);
    let blocks = code_blocks(&document, "json");
    let [bucket_policy, key_policy] = blocks[..] else { panic!("{} JSON blocks", blocks.len()) };
    for (block, name) in [(bucket_policy, "BucketPolicyStatements"), (key_policy, "KeyPolicyStatements")] {
        let shown: Vec<Value> = serde_json::from_str(block).expect("the block is JSON");
        assert_eq!(shown, statements(&template, name), "{name}");
    }
}

#[test]
fn an_existing_bucket_lets_cloudwatch_logs_in_as_the_stacks_own_does() {
    let mut printed = statements(&own("made-bucket"), "BucketPolicyStatements");
    for statement in &mut printed {
        let sid = statement["Sid"].as_str().and_then(|sid| sid.strip_suffix("111122223333")).expect("a Sid with the account").to_owned();
        statement["Sid"] = sid.into();
    }
    // In a bucket that others use as well, the archive's prefix alone.
    assert_eq!(printed[1]["Resource"], "arn:aws:s3:::made-bucket/logs/*");
    printed[1]["Resource"] = "arn:aws:s3:::made-bucket/*".into();
    let own = own("");
    let policy = own.json(&own.document["Resources"]["ArchiveBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]);
    let Value::Array(policy) = policy else { panic!("no statements: {policy}") };
    assert_eq!(policy[..2], printed);
    assert_eq!(policy[2]["Effect"], "Deny");
    assert_eq!(policy[2]["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
    assert_eq!(policy.len(), 3);
}

#[test]
fn accounts_in_a_central_bucket_have_folders_of_their_own() {
    let central = central();
    assert_eq!(output(&central, "S3Prefix"), "cloudwatch-logs/account=111122223333");
    assert_eq!(output(&central, "S3PrefixSlash"), "cloudwatch-logs/account=111122223333/");
    for statement in statements(&central, "BucketPolicyStatements") {
        let resource = statement["Resource"].as_str().expect("one resource");
        let folder = "arn:aws:s3:::central-log-archive/cloudwatch-logs/account=111122223333/*";
        assert!(resource == "arn:aws:s3:::central-log-archive" || resource == folder, "{resource}");
    }
    // Named although it is this account: nothing is another's.
    let mut same = central;
    same.values.insert("ExistingBucketOwnerAccountId".to_owned(), "111122223333".to_owned());
    assert_eq!(output(&same, "S3Prefix"), "cloudwatch-logs");
    assert_eq!(statements(&same, "BucketPolicyStatements").len(), 2);
    assert_eq!(output(&own(""), "BucketArn"), "arn:aws:s3:::made-bucket");
    assert_eq!(output(&own("their-bucket"), "BucketArn"), "arn:aws:s3:::their-bucket");
}

/// Every template, with its name.
fn templates() -> BTreeMap<String, serde_norway::Value> {
    let entries = std::fs::read_dir(path("infra")).expect("the folder can be read");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let files = names.filter(|name| name.ends_with(".yaml")).map(|name| format!("infra/{name}"));
    files.map(|file| (file.clone(), load(&file))).collect()
}

/// Calls back for every mapping of a document, through CloudFormation's tags.
fn each_mapping(value: &serde_norway::Value, visit: &mut impl FnMut(&serde_norway::Value)) {
    match value {
        serde_norway::Value::Mapping(mapping) => {
            visit(value);
            mapping.values().for_each(|value| each_mapping(value, visit));
        }
        serde_norway::Value::Sequence(items) => items.iter().for_each(|item| each_mapping(item, visit)),
        serde_norway::Value::Tagged(tagged) => each_mapping(&tagged.value, visit),
        _ => {}
    }
}

fn actions(statement: &serde_norway::Value) -> Vec<String> {
    match statement.get("Action") {
        Some(serde_norway::Value::String(action)) => vec![action.clone()],
        Some(serde_norway::Value::Sequence(actions)) => {
            actions.iter().map(|action| action.as_str().expect("an action's name").to_owned()).collect()
        }
        other => panic!("no actions: {other:?}"),
    }
}

#[test]
fn no_policy_permits_to_delete_or_change_a_log_or_an_object() {
    let mut seen = 0;
    for (file, template) in templates() {
        each_mapping(&template, &mut |statement| {
            if statement.get("Effect").and_then(|effect| effect.as_str()) != Some("Allow") {
                return;
            }
            assert!(statement.get("NotAction").is_none() && statement.get("NotResource").is_none(), "{file}: {statement:?}");
            for action in actions(statement) {
                seen += 1;
                assert!(!action.contains('*'), "{file}: {action}");
                let (service, call) = action.split_once(':').expect("service:action");
                // DeleteLogDelivery is the delivery of the workflow's own log.
                let deletes = call.starts_with("Delete") && call != "DeleteLogDelivery" || call.starts_with("Remove");
                assert!(!(deletes && matches!(service, "s3" | "logs" | "kms" | "iam")), "{file}: {action}");
                let forbidden = [
                    "logs:PutRetentionPolicy",
                    "logs:GetLogEvents",
                    "logs:FilterLogEvents",
                    "logs:GetLogRecord",
                    "logs:StartQuery",
                    "logs:GetQueryResults",
                    "logs:StartLiveTail",
                    "logs:PutSubscriptionFilter",
                    "s3:PutLifecycleConfiguration",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketVersioning",
                    "s3:PutBucketObjectLockConfiguration",
                    "s3:BypassGovernanceRetention",
                    "s3:PutObjectRetention",
                ];
                assert!(!forbidden.contains(&action.as_str()), "{file}: {action}");
            }
        });
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn what_is_left_to_checkov_is_given_a_reason() {
    for (file, template) in templates() {
        each_mapping(&template, &mut |mapping| {
            let Some(skips) = mapping.get("checkov").and_then(|checkov| checkov.get("skip")).and_then(|skip| skip.as_sequence()) else {
                return;
            };
            for skip in skips {
                let reason = skip.get("comment").and_then(|comment| comment.as_str()).unwrap_or_default();
                assert!(reason.split_whitespace().count() >= 8, "{file}: {skip:?} gives no reason");
            }
        });
    }
}
