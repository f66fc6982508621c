//! The storage: presets, contradictory parameters, the policy statements for owners of buckets and keys, and forbidden permissions.

use std::sync::LazyLock;

use contract::{
    documents::code_blocks,
    read,
    template::{ARCHIVE, Template, each_mapping, files, keys, load},
};
use serde_json::{Value, json};

const STORAGE: &str = "infra/archive.yaml";

/// AWS bills an object in these classes for at least this number of days.
const INSTANT_RETRIEVAL_DAYS: f64 = 90.0;
const DEEP_ARCHIVE_DAYS: f64 = 180.0;

fn template(file: &str, values: &[(&str, &str)]) -> Template {
    let pseudo = [("AWS::AccountId", "111122223333"), ("AWS::Region", "ap-northeast-1"), ("AWS::Partition", "aws")];
    Template::new(file, pseudo.iter().chain(values).copied())
}

/// The parameters of the storage with their allowed values. A free text is empty or a bucket with its owner.
fn choices() -> [(&'static str, Vec<String>); 3] {
    let document = load(ARCHIVE);
    let allowed = |name: &str| -> Vec<String> {
        let values = document["Parameters"][name]["AllowedValues"].as_sequence().expect("allowed values").iter();
        values.map(|value| value.as_str().expect("a text").to_owned()).collect()
    };
    [
        ("ExistingBucket", vec![String::new(), "their-bucket:999999999999".to_owned()]),
        ("Storage", allowed("Storage")),
        ("ObjectLock", allowed("ObjectLock")),
    ]
}

/// An entry of the template's mappings.
fn preset(parameter: &str, value: &str, name: &str) -> String {
    static MAPPINGS: LazyLock<serde_norway::Value> = LazyLock::new(|| load(STORAGE)["Mappings"].clone());
    MAPPINGS[parameter][value][name].as_str().unwrap_or_else(|| panic!("{parameter} has no preset {value}")).to_owned()
}

fn days(parameter: &str, value: &str, name: &str) -> f64 {
    preset(parameter, value, name).parse().expect("days")
}

/// No preset moves an object before the billed days of its class have passed.
#[test]
fn a_preset_matches_its_name() {
    let [.., (_, storages), (_, locks)] = choices();
    let years = |value: &str| {
        let (_, rest) = value.trim_end_matches('S').strip_suffix("-YEAR")?.rsplit_once('-')?;
        rest.parse::<f64>().ok()
    };
    let as_days = |years: Option<f64>| years.map_or(0.0, |years| (years * 365.25).ceil());
    for value in &storages {
        let [instant, deep, expiration] = ["InstantRetrieval", "DeepArchive", "Expiration"].map(|name| days("Storage", value, name));
        assert_eq!(instant > 0.0, !value.starts_with("STANDARD"), "{value}");
        assert_eq!(deep > 0.0, value.starts_with("DEEP-ARCHIVE"), "{value}");
        assert_eq!(expiration, as_days(years(value)), "{value}");
        let fits = |days: f64, next: f64, billed: f64| days == 0.0 || next == 0.0 || next >= days + billed;
        assert!(fits(instant, if deep == 0.0 { expiration } else { deep }, INSTANT_RETRIEVAL_DAYS), "{value}");
        assert!(fits(deep, expiration, DEEP_ARCHIVE_DAYS), "{value}");
    }
    for value in &locks {
        assert_eq!(days("ObjectLock", value, "Days"), as_days(years(value)), "{value}");
        assert!(value.starts_with(&preset("ObjectLock", value, "Mode")), "{value}");
    }
    let presets = |name: &str| keys(&load(STORAGE)["Mappings"][name]);
    assert_eq!((presets("Storage"), presets("ObjectLock")), (storages, locks));
}

fn is_contradiction([bucket, storage, lock]: [&str; 3]) -> bool {
    let changes_existing_bucket = !bucket.is_empty() && (storage != "STANDARD" || lock != "NONE");
    let expiration = days("Storage", storage, "Expiration");
    changes_existing_bucket || (expiration != 0.0 && expiration < days("ObjectLock", lock, "Days"))
}

#[test]
fn rules_refuse_exactly_the_contradictions() {
    let choices = choices();
    let mut template = template(ARCHIVE, &[]);
    let combinations: usize = choices.iter().map(|(_, values)| values.len()).product();
    for combination in 0..combinations {
        let mut rest = combination;
        let chosen = choices.each_ref().map(|(_, values)| {
            let value = values[rest % values.len()].as_str();
            rest /= values.len();
            value
        });
        template.values.extend(choices.iter().zip(chosen).map(|((name, _), value)| ((*name).to_owned(), value.to_owned())));
        let failed = template.failed_assertion();
        assert_eq!(failed.is_some(), is_contradiction(chosen), "{:?}: {failed:?}", template.values);
    }
}

/// Of the stack, and what the nested stack of the archive gets for `ExistingBucket`.
const DEFAULTS: [(&str, &str); 4] = [("ExistingBucket", ""), ("KmsKeyArn", ""), ("Storage", "STANDARD"), ("ObjectLock", "NONE")];
const NO_BUCKET: [(&str, &str); 2] = [("ExistingBucketName", ""), ("ExistingBucketOwnerAccountId", "")];

#[test]
fn the_defaults_move_lock_and_delete_nothing() {
    let document = load(ARCHIVE);
    for (name, value) in DEFAULTS {
        assert_eq!(document["Parameters"][name]["Default"].as_str(), Some(value), "{name}");
    }
}

/// The stack's bucket, with changes to the default parameters.
fn bucket(changes: &[(&str, &str)]) -> Value {
    let values = [&[("S3PrefixSlash", "cloudwatch-logs/")], &NO_BUCKET[..], &DEFAULTS[..], changes].concat();
    let template = template(STORAGE, &values);
    template.json(&template.document["Resources"]["ArchiveBucket"]["Properties"])
}

/// Only large exports change their class. Only exports and Parquet expire: no rule deletes a current object of `manifests/`, `missing/` or
/// `runs/`.
#[test]
fn the_bucket_has_the_rules_of_its_parameters() {
    let rules = |bucket: &Value| bucket["LifecycleConfiguration"]["Rules"].as_array().expect("rules").clone();
    let by_default = bucket(&[]);
    let encryption = |bucket: &Value| bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0].clone();
    assert_eq!(encryption(&by_default), json!({"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}));
    assert_eq!(by_default["OwnershipControls"]["Rules"], json!([{"ObjectOwnership": "BucketOwnerEnforced"}]));
    // Daily runs replace these objects. The current versions stay.
    let expire_open_windows = |prefix: &str| {
        json!({"Id": "ExpireOldOpenWindows", "Status": "Enabled", "Prefix": format!("{prefix}missing/"),
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30}, "ExpiredObjectDeleteMarker": true})
    };
    let always = [
        json!({"Id": "AbortIncompleteMultipartUploads", "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}),
        json!({"Id": "NoncurrentVersionsToGlacier", "Status": "Enabled",
            "NoncurrentVersionTransitions": [{"StorageClass": "GLACIER", "TransitionInDays": 30}]}),
        expire_open_windows("cloudwatch-logs/"),
    ];
    assert_eq!(rules(&by_default), always);
    let moves = |prefix: &str, transitions: Value| {
        json!({"Id": "ExportsToColderClasses", "Status": "Enabled", "Prefix": format!("{prefix}log_group="),
            "ObjectSizeGreaterThan": "131072", "Transitions": transitions})
    };
    let to = |class: &str, days: &str| json!({"StorageClass": class, "TransitionInDays": days});
    let expires = |days: &str| {
        let expire = |id: &str, prefix: &str| {
            json!({"Id": id, "Status": "Enabled", "Prefix": prefix, "ExpirationInDays": days,
                "NoncurrentVersionExpiration": {"NoncurrentDays": 120}})
        };
        [
            expire("ExpireExports", "cloudwatch-logs/log_group="),
            expire("ExpireParquet", "cloudwatch-logs/parquet/"),
            json!({"Id": "DeleteMarkersWithNothingBehind", "Status": "Enabled", "ExpiredObjectDeleteMarker": true}),
        ]
    };
    let instant = |prefix: &str| moves(prefix, json!([to("GLACIER_IR", "90")]));
    let deep = moves("cloudwatch-logs/", json!([to("GLACIER_IR", "90"), to("DEEP_ARCHIVE", "365")]));
    for (storage, added) in [
        ("STANDARD-DELETE-AFTER-1-YEAR", expires("366").to_vec()),
        ("INSTANT-RETRIEVAL", vec![instant("cloudwatch-logs/")]),
        ("DEEP-ARCHIVE", vec![deep.clone()]),
        ("DEEP-ARCHIVE-DELETE-AFTER-7-YEARS", [&[deep][..], &expires("2557")].concat()),
    ] {
        assert_eq!(rules(&bucket(&[("Storage", storage)])), [&always[..], &added].concat(), "{storage}");
    }
    let at_the_root = bucket(&[("S3PrefixSlash", ""), ("Storage", "INSTANT-RETRIEVAL")]);
    assert_eq!(rules(&at_the_root)[2..], [expire_open_windows(""), instant("")]);
    for mode in ["GOVERNANCE", "COMPLIANCE"] {
        let locked = bucket(&[("ObjectLock", &format!("{mode}-1-YEAR"))]);
        assert_eq!(locked["ObjectLockEnabled"], true);
        assert_eq!(locked["ObjectLockConfiguration"]["Rule"]["DefaultRetention"], json!({"Mode": mode, "Days": "366"}));
    }
    let kms = json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:key"});
    let expected = json!({"ServerSideEncryptionByDefault": kms, "BucketKeyEnabled": true});
    assert_eq!(encryption(&bucket(&[("KmsKeyArn", "arn:key")])), expected);
}

/// The work bucket does not use `KmsKeyArn`, because Step Functions has no permission to use that key.
#[test]
fn all_objects_of_the_work_bucket_expire_and_use_no_key() {
    let template = template(STORAGE, &[("KmsKeyArn", "arn:key")]);
    let bucket = template.json(&template.document["Resources"]["WorkBucket"]["Properties"]);
    let rules = json!([{"Id": "ExpireEverything", "Status": "Enabled", "ExpirationInDays": 30,
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]);
    assert_eq!(bucket["LifecycleConfiguration"]["Rules"], rules);
    let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"];
    assert_eq!(encryption, &json!([{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]));
}

#[test]
fn a_key_in_another_region_is_refused() {
    let pattern = load(STORAGE)["Parameters"]["KmsKeyAndStackRegion"]["AllowedPattern"].as_str().expect("a pattern").to_owned();
    // CloudFormation uses Java's patterns. This one has a back reference, which jsonschema's engine supports too.
    let passes = |value: &str| jsonschema::is_valid(&json!({"type": "string", "pattern": pattern}), &json!(value));
    for (key, accepted) in [
        ("", true),
        ("arn:aws:kms:ap-northeast-1:999999999999:key/1234", true),
        ("arn:aws:kms:ap-northeast-3:999999999999:key/1234", false),
        ("arn:aws:kms:us-east-1:999999999999:key/1234", false),
    ] {
        let template = template(ARCHIVE, &[("KmsKeyArn", key)]);
        let parameter = &template.document["Resources"]["Archive"]["Properties"]["Parameters"]["KmsKeyAndStackRegion"];
        let value = template.text(parameter);
        assert_eq!(passes(&value), accepted, "{key}: {value}");
        // AWS does not document that CloudFormation ignores the other branch, so that branch is valid too.
        assert!(template.text(&parameter[1]).ends_with(" ap-northeast-1"), "{key}");
    }
    assert!(!passes("ap-northeast-1 ap-northeast-10") && !passes(" "));
}

// ---- statements for owners -------------------------------------------------------------------------------------------

fn storage(bucket: &str, owner: &str) -> Template {
    let values = [
        ("S3Prefix", "cloudwatch-logs"),
        ("S3PrefixSlash", "cloudwatch-logs/"),
        ("ExistingBucketName", bucket),
        ("ExistingBucketOwnerAccountId", owner),
        ("KmsKeyArn", "arn:aws:kms:ap-northeast-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("ArchiveBucket", "made-bucket"),
        ("ArchiveBucket.Arn", "arn:aws:s3:::made-bucket"),
    ];
    template(STORAGE, &values)
}

fn output(template: &Template, name: &str) -> String {
    template.text(&template.document["Outputs"][name]["Value"])
}

fn statements(template: &Template, name: &str) -> Vec<Value> {
    serde_json::from_str(&output(template, name)).unwrap_or_else(|error| panic!("{name} is not JSON: {error}"))
}

#[test]
fn the_document_shows_the_statements_of_the_stacks_outputs() {
    let template = storage("central-log-archive", "999999999999");
    let document = read("docs/central-bucket.md");
    let [bucket_policy, key_policy] = code_blocks(&document, "json")[..] else { panic!("two JSON blocks") };
    for (block, name) in [(bucket_policy, "BucketPolicyStatements"), (key_policy, "KeyPolicyStatements")] {
        let documented: Vec<Value> = serde_json::from_str(block).expect("the block is JSON");
        assert_eq!(documented, statements(&template, name), "{name}");
    }
}

/// The statements for an existing bucket are limited to the archive's prefix, because others can use the bucket.
#[test]
fn an_existing_bucket_needs_the_statements_of_the_stacks_bucket() {
    let template = storage("", "");
    let policy = template.json(&template.document["Resources"]["ArchiveBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]);
    assert_eq!(policy.as_array().map(Vec::len), Some(3));
    let mut expected = policy.as_array().expect("statements")[..2].to_vec();
    for statement in &mut expected {
        statement["Sid"] = format!("{}111122223333", statement["Sid"].as_str().expect("a Sid")).into();
    }
    assert_eq!(expected[1]["Resource"], "arn:aws:s3:::made-bucket/*");
    expected[1]["Resource"] = "arn:aws:s3:::made-bucket/cloudwatch-logs/*".into();
    assert_eq!(statements(&storage("made-bucket", ""), "BucketPolicyStatements"), expected);
    assert_eq!(policy[2]["Effect"], "Deny");
    assert_eq!(policy[2]["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
}

/// An archive in another account's bucket has a folder for its account.
#[test]
fn only_an_account_that_does_not_own_the_bucket_has_its_own_folder() {
    for (existing, bucket, prefix) in [
        ("central-log-archive:999999999999", "central-log-archive", "cloudwatch-logs/account=111122223333"),
        ("central-log-archive:111122223333", "central-log-archive", "cloudwatch-logs"),
        ("their-bucket", "their-bucket", "cloudwatch-logs"),
        ("", "made-bucket", "cloudwatch-logs"),
    ] {
        let stack = template(ARCHIVE, &[("ExistingBucket", existing)]);
        let given = &stack.document["Resources"]["Archive"]["Properties"]["Parameters"];
        let [name, owner] = NO_BUCKET.map(|(parameter, _)| stack.text(&given[parameter]));
        let template = storage(&name, &owner);
        assert_eq!(output(&template, "S3Prefix"), prefix, "{existing}");
        assert_eq!(output(&template, "S3PrefixSlash"), format!("{prefix}/"), "{existing}");
        assert_eq!(output(&template, "BucketArn"), format!("arn:aws:s3:::{bucket}"), "{existing}");
    }
}

// ---- forbidden permissions -----------------------------------------------------------------------------------------

/// Actions that delete or read logs, or weaken the bucket's protection. `tests/e2e` proves that only check-export-task calls FilterLogEvents.
const FORBIDDEN: [&str; 13] = [
    "logs:PutRetentionPolicy",
    "logs:GetLogEvents",
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

/// Functions may delete replaced manifests and closed windows. The bucket is versioned, and no role may delete a version.
fn deletes_only_from_memory(action: &str, statement: &serde_norway::Value) -> bool {
    let resource = &statement["Resource"];
    let resources = resource.as_sequence().cloned().unwrap_or_else(|| vec![resource.clone()]);
    let folders = ["manifests", "missing"].map(|folder| format!("${{BucketArn}}/${{S3PrefixSlash}}{folder}/*"));
    let is_in_memory =
        |resource: &serde_norway::Value| resource.as_str().is_some_and(|resource| folders.iter().any(|folder| folder == resource));
    action == "s3:DeleteObject" && resources.iter().all(is_in_memory)
}

#[test]
fn no_policy_allows_to_delete_or_change_a_log_or_an_object() {
    for file in files() {
        each_mapping(&load(&file), &mut |statement| {
            if statement.get("Effect").and_then(|effect| effect.as_str()) != Some("Allow") {
                return;
            }
            assert!(statement.get("NotAction").is_none() && statement.get("NotResource").is_none(), "{file}: {statement:?}");
            let actions = statement["Action"].as_sequence().cloned().unwrap_or_else(|| vec![statement["Action"].clone()]);
            for action in actions.iter().map(|action| action.as_str().expect("an action's name")) {
                let (service, call) = action.split_once(':').expect("service:action");
                // DeleteLogDelivery is for the workflow's log.
                let deletes = call.starts_with("Delete") && call != "DeleteLogDelivery" || call.starts_with("Remove");
                let deletes = deletes && !deletes_only_from_memory(action, statement);
                assert!(!(deletes && ["s3", "logs", "kms", "iam"].contains(&service)), "{file}: {action}");
                assert!(!action.contains('*') && !FORBIDDEN.contains(&action), "{file}: {action}");
            }
        });
    }
}

/// The partitions of China and GovCloud have other ARNs. Only the functions' tests may name a partition.
#[test]
fn no_deployed_file_names_a_partition() {
    let sources = contract::files("lambdas", "rs")
        .into_iter()
        .filter(|file| !["/tests/", "/tests.rs", "/benches/"].iter().any(|part| file.contains(part)));
    let deployed = [("infra", "yaml"), ("infra", "sql"), ("statemachine", "yaml"), ("statemachine", "json")];
    let deployed: Vec<String> = deployed.iter().flat_map(|(folder, extension)| contract::files(folder, extension)).chain(sources).collect();
    for file in ["infra/template.yaml", "statemachine/export-logs.asl.json", "lambdas/shared/export-core/src/service.rs"] {
        assert!(deployed.iter().any(|other| other == file), "{file} is not among the deployed files");
    }
    for file in deployed {
        let text = read(&file);
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        assert!(!product.contains("arn:aws:"), "{file}");
    }
}
