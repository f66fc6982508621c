//! The functions' roles as they are deployed, against what the functions ask of AWS: nothing is lacking, nothing is left over.
//!
//! Runs take every way through the functions; the stand-in's journal has their requests. Local AWS evaluates no policy of a
//! role, so a permission that is lacking would show on AWS only. What the workflows do is in their definitions, and compared
//! with their roles by `tests/contract/tests/roles.rs`.

use bytes::Bytes;
use contract::policy::{Need, Statement, lacking, statements, superfluous};
use e2e::{Archive, DAY, FROM, TO, assert_counts};
use hyper::Method;
use local_aws::{Engine, http};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// Statements that no request of a function uses, and who does. One that a request uses after all is out of place here.
const USED_BY_OTHERS: [(&str, &str); 2] = [
    ("WriteTraces", "Lambda sends the trace of an invocation, with the function's role"),
    ("WriteOwnLog", "Lambda writes what the function prints, with the function's role"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_role_permits_what_its_function_does_and_nothing_else() {
    // Not one of those that are shared: the journal must have everything.
    let archive = Archive::deploy(Engine::Ministack, 0.001).await;
    every_outcome(&archive).await;
    let requests = requests(&archive).await;
    let stack = &archive.stack;
    for (function, name) in [
        ("plan-exports", &stack.plan_function_name),
        ("create-export-task", &stack.create_function_name),
        ("check-export-task", &stack.check_function_name),
        ("report-archive", &stack.report_function_name),
    ] {
        let of_function = requests.iter().filter(|request| request["app"] == function);
        let mut needs: Vec<Need> = of_function.flat_map(|request| needs_of(&archive, request)).collect();
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
        assert!(left_over.is_empty(), "{function} was never seen to use\n{}", lines(&left_over));
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
/// | DescribeLogStreams, FilterLogEvents | the same | the log group, `log-group:<name>:log-stream:` |
/// | CreateExportTask | `logs:CreateExportTask` | the log group |
/// | | `s3:PutObject` | what is below the destination's prefix: CloudWatch Logs refuses a caller who could not write there |
/// | DescribeExportTasks, CancelExportTask | the same | these know none |
/// | GetObject | `s3:GetObject` | the object |
/// | | `s3:ListBucket` | the bucket: without it, an object that is not there is AccessDenied |
/// | PutObject, DeleteObject | the same | the object |
/// | ListObjectsV2 | `s3:ListBucket` | the bucket |
/// | Publish | `sns:Publish` | the topic |
/// | GetSchedule | the same | the schedule, when the stack is deployed |
fn needs_of(archive: &Archive, request: &Value) -> Vec<Need> {
    let named = |field: &str| request["resource"][field].as_str().unwrap_or_else(|| panic!("no {field}: {request}"));
    let log_group = |name: &str| format!("arn:aws:logs:{}:{}:log-group:{name}", archive.local.region(), archive.local.account_id());
    let bucket = || format!("arn:aws:s3:::{}", named("bucket"));
    let object = || format!("{}/{}", bucket(), named("key"));
    match (request["service"].as_str(), request["operation"].as_str()) {
        (Some("logs"), Some("DescribeLogGroups")) => vec![Need::new("logs:DescribeLogGroups", log_group(":log-stream:"))],
        (Some("logs"), Some(operation @ ("DescribeLogStreams" | "FilterLogEvents"))) => {
            vec![Need::new(&format!("logs:{operation}"), format!("{}:log-stream:", log_group(named("logGroupName"))))]
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
        // The journal names no operation but those that faults can strike.
        (Some("s3"), None) if request["method"] == "DELETE" => vec![Need::new("s3:DeleteObject", object())],
        (Some("scheduler"), None) if request["method"] == "GET" => {
            let name = request["path"].as_str().and_then(|path| path.strip_prefix("/schedules/")?.split('?').next()).expect("a schedule");
            let (region, account) = (archive.local.region(), archive.local.account_id());
            vec![Need::new("scheduler:GetSchedule", format!("arn:aws:scheduler:{region}:{account}:schedule/default/{name}"))]
        }
        (Some("sns"), None) => vec![Need::new("sns:Publish", &archive.stack.topic_arn)],
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

async fn every_outcome(archive: &Archive) {
    exports_in_every_place(archive).await;
    what_is_archived_already(archive).await;
    skips(archive).await;
    tasks_of_other_ends(archive).await;
}

/// With data and without, by name and by prefix, in the run's place and in places of their own.
async fn exports_in_every_place(archive: &Archive) {
    for name in ["/exported", "/prefix/1", "/prefix/2", "/streams", "/own/place", "/own/layout"] {
        archive.hello(name).await;
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
    assert_counts(&archive.run_well(&input).await, json!({"exported": 6, "empty": 1}));
}

/// Found again; exported anew because that is asked for, because its objects are gone, and because its manifest is none.
async fn what_is_archived_already(archive: &Archive) {
    let mut input = archive.input(json!(["/exported"]));
    assert_counts(&archive.run_well(&input).await, json!({"alreadyArchived": 1}));
    input["force"] = json!(true);
    assert_counts(&archive.run_well(&input).await, json!({"exported": 1}));
    archive.delete(&archive.data_keys("/prefix/1").await).await;
    archive.run_exports(&["/prefix/1"]).await;
    put_a_manifest_that_is_none(archive, "/prefix/2").await;
    archive.run_exports(&["/prefix/2"]).await;
    archive.manifest("/prefix/2").await;
}

async fn skips(archive: &Archive) {
    archive.log_group("/made-late", &[(TO + 15 * DAY, "x")]).await;
    archive.overlay("/made-late", |overlay| overlay.creation_time = Some(TO + 14 * DAY + 1)).await;
    archive.hello("/infrequent").await;
    archive.overlay("/infrequent", |overlay| overlay.log_group_class = Some("INFREQUENT_ACCESS".to_owned())).await;
    archive.log_group("/quiet", &[(FROM - 16 * DAY, "x")]).await;
    // A scheduled run reads the reports of those before.
    let input = json!({"scheduledTime": "2024-11-01T04:00:00Z", "logGroups": ["/made-late", "/infrequent", "/quiet", "/gone"]});
    assert_counts(&archive.run_well(&input).await, json!({"skipped": 2, "warned": 2}));
    put_a_manifest_that_is_none(archive, "/quiet").await;
    assert_counts(&archive.run_well(&input).await, json!({"skipped": 1, "alreadyArchived": 1, "warned": 2}));
}

/// In the place of the one that is there, under a key of another window.
async fn put_a_manifest_that_is_none(archive: &Archive, log_group: &str) {
    let (key, _) = archive.manifest(log_group).await;
    archive.put(&key.replace(&TO.to_string(), &(TO - 1).to_string()), "none").await;
    archive.delete(&[key]).await;
}

/// A lost answer, one that failed, one that is never done, one that left events out, one that another tool holds the slot with.
async fn tasks_of_other_ends(archive: &Archive) {
    for name in ["/answer-lost", "/failed", "/stuck", "/left-out", "/theirs", "/mine"] {
        archive.hello(name).await;
    }
    archive.fault(json!({"operation": "CreateExportTask", "dropResponse": true})).await;
    archive.run_exports(&["/answer-lost"]).await;
    archive.fault(json!({"logGroupName": "/failed", "status": "FAILED"})).await;
    archive.run_exports(&["/failed"]).await;
    archive.fault(json!({"logGroupName": "/stuck", "status": "RUNNING", "ageMs": 27 * 3_600_000})).await;
    // In halves; the second has no event.
    assert_counts(&archive.run_well(&archive.input(json!(["/stuck"]))).await, json!({"exported": 1, "skipped": 1}));
    // The window that the run left open is closed again.
    archive.fault(json!({"logGroupName": "/left-out", "status": "COMPLETED"})).await;
    let failure = archive.run_fails("/left-out").await;
    assert!(failure.starts_with("ExportIncomplete: "), "{failure}");
    archive.run_exports(&["/left-out"]).await;
    archive.hold_tasks().await;
    archive.foreign_task("/theirs").await;
    let arn = archive.start(json!(["/mine"])).await;
    archive.wait_for_refusals("/mine", 1).await;
    archive.let_tasks_go().await;
    assert_counts(&archive.wait_well(&arn).await, json!({"exported": 1}));
}
