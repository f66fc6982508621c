//! The functions' roles as they are deployed, against what the functions ask of AWS: nothing is lacking, nothing is left over.
//!
//! Runs take every way through the functions; the stand-in's journal has their requests. Local AWS evaluates no policy of a
//! role, so a permission that is lacking would show on AWS only. What the workflows do is in their definitions, and compared
//! with their roles by `tests/contract/tests/roles.rs`.

use std::time::Duration;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use contract::policy::{Need, Statement, lacking, statements, superfluous};
use e2e::{Archive, FROM, TO, place};
use hyper::Method;
use local_aws::{Engine, LogGroupOverlay, http, wait_for};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

const CREATE: &str = "create-export-task";
const CHECK: &str = "check-export-task";

/// Statements that no request of a function uses, and who does. One that a request uses after all is out of place here.
const USED_BY_OTHERS: [(&str, &str); 2] = [
    ("WriteTraces", "Lambda sends the trace of an invocation, with the function's role"),
    ("WriteOwnLog", "Lambda writes what the function prints, with the function's role"),
];

const DAY: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_role_permits_what_its_function_does_and_nothing_else() {
    let (archive, stuck) = tokio::join!(every_outcome(), a_task_that_is_never_done());
    for (function, name) in [(CREATE, &archive.stack.create_function_name), (CHECK, &archive.stack.check_function_name)] {
        let mut needs = Vec::new();
        for archive in [&archive, &stuck] {
            let requests = requests(archive).await;
            needs.extend(requests.iter().filter(|request| request["app"] == function).flat_map(|request| needs_of(archive, request)));
        }
        // In the terms of one stack: their buckets have different names.
        for need in &mut needs {
            need.resource = need.resource.replace(&stuck.stack.bucket, &archive.stack.bucket);
        }
        needs.sort();
        needs.dedup();
        let policy = deployed_policy(&archive, name).await;
        let lacking = lacking(&policy, &needs);
        assert!(lacking.is_empty(), "the role of {function} lacks\n{}", lines(&lacking));

        let superfluous = superfluous(&policy, &needs);
        for (sid, who) in USED_BY_OTHERS {
            let statement = policy.iter().find(|statement| statement.sid == sid).unwrap_or_else(|| panic!("{function} has no {sid}"));
            let unused = superfluous.iter().filter(|grant| grant.sid == sid).count();
            assert_eq!(unused, statement.actions.len() * statement.resources.len(), "{function} uses {sid} itself, not only: {who}");
        }
        let left_over: Vec<_> = superfluous.iter().filter(|grant| !USED_BY_OTHERS.iter().any(|(sid, _)| *sid == grant.sid)).collect();
        assert!(left_over.is_empty(), "{function} was never seen to use\n{}\nof all it did:\n{}", lines(&left_over), lines(&needs));
    }
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

// ---- what a request needs -------------------------------------------------------------------------------------------

/// The permissions that AWS asks for, by its documentation of each call:
///
/// | Call | Action | Resource |
/// |---|---|---|
/// | DescribeLogGroups | `logs:DescribeLogGroups` | `log-group::log-stream:`, whatever prefix is asked for |
/// | DescribeLogStreams | `logs:DescribeLogStreams` | the log group, `log-group:<name>:log-stream:` |
/// | CreateExportTask | `logs:CreateExportTask` | the log group |
/// | | `s3:PutObject` | what is below the destination's prefix: CloudWatch Logs refuses a caller who could not write there |
/// | DescribeExportTasks, CancelExportTask | the same | these know none |
/// | GetObject | `s3:GetObject` | the object |
/// | | `s3:ListBucket` | the bucket: without it, an object that is not there is AccessDenied |
/// | PutObject | `s3:PutObject` | the object |
/// | ListObjectsV2 | `s3:ListBucket` | the bucket |
fn needs_of(archive: &Archive, request: &Value) -> Vec<Need> {
    let named = |field: &str| request["resource"][field].as_str().unwrap_or_else(|| panic!("no {field}: {request}"));
    let log_group = |name: &str| format!("arn:aws:logs:{}:{}:log-group:{name}", archive.local.region(), archive.local.account_id());
    let bucket = || format!("arn:aws:s3:::{}", named("bucket"));
    let object = || format!("{}/{}", bucket(), named("key"));
    match (request["service"].as_str(), request["operation"].as_str()) {
        (Some("logs"), Some("DescribeLogGroups")) => vec![Need::new("logs:DescribeLogGroups", log_group(":log-stream:"))],
        (Some("logs"), Some("DescribeLogStreams")) => {
            vec![Need::new("logs:DescribeLogStreams", format!("{}:log-stream:", log_group(named("logGroupName"))))]
        }
        (Some("logs"), Some("CreateExportTask")) => vec![
            Need::new("logs:CreateExportTask", log_group(named("logGroupName"))),
            Need::new("s3:PutObject", format!("{}/{}/aws-logs-write-test", bucket(), named("prefix"))),
        ],
        (Some("logs"), Some(operation @ ("DescribeExportTasks" | "CancelExportTask"))) => {
            vec![Need::new(&format!("logs:{operation}"), "*")]
        }
        (Some("s3"), Some("GetObject")) => vec![Need::new("s3:GetObject", object()), Need::new("s3:ListBucket", bucket())],
        (Some("s3"), Some("PutObject")) => vec![Need::new("s3:PutObject", object())],
        (Some("s3"), Some("ListObjectsV2")) => vec![Need::new("s3:ListBucket", bucket())],
        _ => panic!("which permission does this need? {request}"),
    }
}

async fn requests(archive: &Archive) -> Vec<Value> {
    let journal = archive.local.call(Method::GET, "/_local/requests", None).await.expect("the stand-in's journal");
    assert_eq!(journal["forgotten"], 0, "the journal is too short for these runs");
    journal["requests"].as_array().expect("a list").clone()
}

// ---- what a role permits --------------------------------------------------------------------------------------------

/// All statements of a function's role, as IAM has them.
async fn deployed_policy(archive: &Archive, function: &str) -> Vec<Statement> {
    let configuration =
        archive.local.call(Method::GET, &format!("/2015-03-31/functions/{function}/configuration"), None).await.expect("a configuration");
    let role = configuration["Role"].as_str().and_then(|arn| arn.rsplit('/').next()).expect("the function has a role").to_owned();
    assert_eq!(iam(archive, &format!("ListAttachedRolePolicies&RoleName={role}"), "PolicyArn").await, [""; 0], "its policies are its own");
    let mut policy = Vec::new();
    for name in iam(archive, &format!("ListRolePolicies&RoleName={role}"), "member").await {
        let documents = iam(archive, &format!("GetRolePolicy&RoleName={role}&PolicyName={name}"), "PolicyDocument").await;
        let [document] = &documents[..] else { panic!("{} documents of {name}", documents.len()) };
        policy.extend(statements(
            &serde_json::from_str(&percent_decode_str(document).decode_utf8().expect("a policy is UTF-8")).expect("a policy is JSON"),
        ));
    }
    policy
}

/// Asks IAM, and returns the texts of all elements of a name in its XML.
async fn iam(archive: &Archive, request: &str, element: &str) -> Vec<String> {
    let path = format!("/?Version=2010-05-08&Action={request}");
    let (status, body) = http::request(archive.local.addr(), Method::GET, &path, Bytes::new()).await.expect("IAM answers");
    let answer = String::from_utf8(body.to_vec()).expect("IAM answers in UTF-8");
    assert!(status.is_success(), "{request}: {answer}");
    let (begin, end) = (format!("<{element}>"), format!("</{element}>"));
    let texts = answer.split(&begin).skip(1).map(|rest| rest.split_once(&end).expect("the element ends").0);
    texts.map(str::to_owned).collect()
}

// ---- everything the functions can do --------------------------------------------------------------------------------

async fn every_outcome() -> Archive {
    let archive = Archive::deploy_scaled(Engine::Ministack, 0.001).await;
    archive.local.set_task_timing(Duration::ZERO, Duration::ZERO).await.expect("the stand-in takes its timing");
    exports_in_every_place(&archive).await;
    months_that_are_archived(&archive).await;
    skips(&archive).await;
    adoptions(&archive).await;
    a_busy_slot(&archive).await;
    tasks_that_fail(&archive).await;
    archive
}

/// With data and without, by name and by prefix, in the run's place and in places of their own.
async fn exports_in_every_place(archive: &Archive) {
    for name in ["/exported", "/prefix/1", "/prefix/2", "/streams", "/own/place", "/own/layout"] {
        archive.log_group(name, &[(FROM, name)]).await;
    }
    archive.log_group("/empty", &[(FROM - 1, "before"), (TO + 1, "after")]).await;
    let input = archive.input(json!([
        "/exported",
        "/empty",
        {"logGroupNamePrefix": "/prefix/"},
        {"logGroupName": "/streams", "logStreamNamePrefix": "ma"},
        {"logGroupName": "/own/place", "s3Prefix": "elsewhere"},
        {"logGroupName": "/own/layout", "s3Prefix": "old", "destinationPrefix": "{year}/{month}/{s3Prefix}"},
    ]));
    let output = archive.run_well(&input).await;
    assert_eq!(output["counts"], json!({"exported": 6, "empty": 1, "skipped": 0, "failed": 0}), "{output}");
}

/// Found again; exported anew because that is asked for, and because their objects are gone.
async fn months_that_are_archived(archive: &Archive) {
    let mut input = archive.input(json!(["/exported"]));
    assert_eq!(archive.run_well(&input).await["skips"], json!([{"logGroupName": "/exported", "reason": "AlreadyArchived"}]));
    input["force"] = json!(true);
    assert_eq!(archive.run_well(&input).await["counts"]["exported"], 1);

    let s3 = aws_sdk_s3::Client::new(&archive.local.sdk_config());
    let place = place("logs", "/prefix/1");
    let stored = archive.stored(&archive.stack.bucket).await;
    let exported = stored.keys().filter(|key| key.starts_with(&place) && key.ends_with(".gz"));
    let objects = exported.map(|key| ObjectIdentifier::builder().key(key).build().expect("a key")).collect();
    let delete = Delete::builder().set_objects(Some(objects)).build().expect("objects");
    s3.delete_objects().bucket(&archive.stack.bucket).delete(delete).send().await.expect("the objects go");
    let output = archive.run_well(&archive.input(json!(["/prefix/1"]))).await;
    assert_eq!(output["warnings"][0]["name"], "ManifestReplaced", "{output}");
}

async fn skips(archive: &Archive) {
    archive.log_group("/made-late", &[(TO + 15 * DAY, "x")]).await;
    archive.log_group("/infrequent", &[(FROM, "x")]).await;
    archive.log_group("/quiet", &[(FROM - 16 * DAY, "x")]).await;
    let late = LogGroupOverlay::created_at("/made-late", TO + 14 * DAY + 1);
    let mut infrequent = LogGroupOverlay::created_at("/infrequent", FROM);
    infrequent.log_group_class = Some("INFREQUENT_ACCESS".to_owned());
    for overlay in [late, infrequent] {
        archive.local.set_log_group(&overlay).await.expect("the stand-in takes it");
    }
    let output = archive.run_well(&archive.input(json!(["/made-late", "/infrequent", "/quiet", "/gone"]))).await;
    let reasons: Vec<_> = output["skips"].as_array().expect("a list").iter().map(|skip| skip["reason"].clone()).collect();
    assert_eq!(reasons, ["CreatedAfterMonth", "LogClassNotExportable", "NoEventsInMonth", "LogGroupNotFound"]);
}

/// Of a task whose answer was lost, and of one that has ended without a manifest.
async fn adoptions(archive: &Archive) {
    for name in ["/answer-lost", "/manifest-lost"] {
        archive.log_group(name, &[(FROM, name)]).await;
    }
    fault(archive, json!({"operation": "CreateExportTask", "dropResponse": true})).await;
    assert_eq!(archive.run_well(&archive.input(json!(["/answer-lost"]))).await["counts"]["exported"], 1);

    fault(archive, json!({"operation": "PutObject", "keySuffix": "_manifest.json", "error": "AccessDenied"})).await;
    let input = archive.input(json!(["/manifest-lost"]));
    assert_eq!(archive.run_badly(&input).await.0, "ExportsFailed");
    assert_eq!(archive.run_well(&input).await["counts"]["exported"], 1);
    for name in ["/answer-lost", "/manifest-lost"] {
        let tasks = archive.local.export_tasks().await.expect("the tasks can be listed");
        assert_eq!(tasks.iter().filter(|task| task.log_group_name == name).count(), 1, "{name}");
    }
}

async fn a_busy_slot(archive: &Archive) {
    for name in ["/theirs", "/mine"] {
        archive.log_group(name, &[(FROM, name)]).await;
    }
    let logs = aws_sdk_cloudwatchlogs::Client::new(&archive.local.sdk_config());
    fault(archive, json!({"logGroupName": "/theirs", "status": "RUNNING"})).await;
    let theirs = logs.create_export_task().log_group_name("/theirs").from(FROM).to(TO).destination(&archive.stack.bucket);
    let theirs = theirs.destination_prefix("theirs").send().await.expect("a task").task_id.expect("its id");
    let input = archive.input(json!(["/mine"]));
    let execution = archive.local.start_execution(&archive.stack, &input).await.expect("the execution starts");
    wait_for("a refusal", async || {
        archive.calls("CreateExportTask").await.iter().find(|call| call["outcome"]["error"] == "LimitExceededException").map(drop)
    })
    .await;
    logs.cancel_export_task().task_id(theirs).send().await.expect("the slot becomes free");
    let execution = archive.wait(&execution).await;
    assert_eq!(execution.error, None, "{:?}", execution.cause);
}

/// One that is created again, one that is given up.
async fn tasks_that_fail(archive: &Archive) {
    for (name, times) in [("/failed/once", 1), ("/failed/always", 3)] {
        archive.log_group(name, &[(FROM, name)]).await;
        fault(archive, json!({"logGroupName": name, "status": "FAILED", "times": times})).await;
    }
    let (error, cause) = archive.run_badly(&archive.input(json!(["/failed/once", "/failed/always"]))).await;
    assert_eq!(error, "ExportsFailed");
    assert!(cause.starts_with("1 of 2 log groups failed: /failed/always: ExportTaskFailed: "), "{cause}");
}

/// Until the polling is used up, and the task cancelled.
async fn a_task_that_is_never_done() -> Archive {
    let archive = Archive::deploy_scaled(Engine::Ministack, 0.0).await;
    archive.log_group("/stuck", &[(FROM, "hello")]).await;
    fault(&archive, json!({"logGroupName": "/stuck", "status": "RUNNING"})).await;
    let (_, cause) = archive.run_badly(&archive.input(json!(["/stuck"]))).await;
    assert!(cause.starts_with("1 of 1 log groups failed: /stuck: ExportTaskTimedOut: "), "{cause}");
    archive
}

async fn fault(archive: &Archive, fault: Value) {
    archive.local.add_fault(&fault).await.expect("the stand-in takes the fault");
}
