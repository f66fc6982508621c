//! The alarms as they are deployed: which ones there are, and that each reaches the topic when it is tried as `docs/monitoring.md` says.

use e2e::Archive;
use hyper::Method;
use local_aws::{DeployOptions, Engine};
use serde_json::{Value, json};

const STACK: &str = "cloudwatch-logs-archive";

/// A call of CloudWatch, for which no SDK is among the dependencies: ministack takes JSON too, at the path of the newer protocol.
async fn cloudwatch(archive: &Archive, operation: &str, request: &Value) -> Value {
    let path = format!("/service/GraniteServiceVersion20100801/operation/{operation}");
    archive.local.call(Method::POST, &path, Some(request)).await.expect("an answer")
}

/// Their names, without the stack's.
async fn alarms(archive: &Archive) -> Vec<String> {
    let answer = cloudwatch(archive, "DescribeAlarms", &json!({"MaxRecords": 100})).await;
    let names = answer["MetricAlarms"].as_array().expect("alarms").iter().map(|alarm| alarm["AlarmName"].as_str().expect("a name"));
    let mut names: Vec<_> = names.map(|name| name.trim_start_matches(STACK).trim_start_matches('-').to_owned()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alarm_of_a_daily_schedule_tells_the_topic_when_it_is_tried() {
    let archive = Archive::deploy(Engine::Ministack, 0.001).await;
    // Nobody promises a run every day while nothing is scheduled.
    assert_eq!(alarms(&archive).await, ["MissingMonths", "RunFailed", "StartFailed"]);
    archive.local.update(&DeployOptions::default().with_parameter("Schedule", "DAILY")).await.expect("the schedule is changed");
    assert_eq!(alarms(&archive).await, ["MissingMonths", "NoRunEnded", "RunFailed", "StartFailed"]);

    let notifications = archive.subscribe().await;
    for name in alarms(&archive).await {
        let set = |state: &str| json!({"AlarmName": format!("{STACK}-{name}"), "StateValue": state, "StateReason": "test"});
        cloudwatch(&archive, "SetAlarmState", &set("ALARM")).await;
        let (subject, message) = notifications.next().await;
        assert!(subject.starts_with(&format!("ALARM: \"{STACK}-{name}\"")), "{subject}");
        assert!(message.contains(&format!("docs/monitoring.md, \\\"{name}\\\"")), "{message}");
        cloudwatch(&archive, "SetAlarmState", &set("OK")).await;
        // It alone says when it is over: the others end with a run, whose notification says so.
        if name == "NoRunEnded" {
            let (subject, _) = notifications.next().await;
            assert!(subject.starts_with(&format!("OK: \"{STACK}-{name}\"")), "{subject}");
        }
    }
}
