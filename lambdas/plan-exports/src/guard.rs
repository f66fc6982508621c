//! The guard of the schedule, a custom resource of the template. Before CloudFormation changes the schedule, it refuses an input that
//! no run takes, and a list that lacks an entry which somebody has added to the schedule's own.

use std::time::Duration;

use archive::service_failure;
use aws_config::SdkConfig;
use aws_sdk_scheduler::Client;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use export_core::{
    ErrorName, ExportError,
    place::Stack,
    schedule::{check_time_zone, digest, entries, meaning, parameter_of, parse, sam_override},
    warning::WarningName,
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::info;

/// CloudFormation takes an answer of 4,096 bytes, and shows about a thousand characters of a reason.
const LONGEST_REASON: usize = 2500;
/// A longer list is not quoted, and no more entries are named.
const LONGEST_LIST: usize = 600;
const MOST_NAMES: usize = 5;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// A permission that the same deployment gives takes some seconds until IAM knows it everywhere.
const PATIENCE: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_secs(5);

/// Whether CloudFormation sends this event for a custom resource.
pub fn is_request(event: &Value) -> bool {
    event["RequestType"].is_string() && event["ResponseURL"].is_string()
}

/// Answers CloudFormation, which waits for it. Its URL is a secret: whoever has it can answer.
pub async fn answer(event: &Value, stack: &Stack, config: &SdkConfig, connector: &SharedHttpConnector) -> Result<Value, ExportError> {
    let properties = &event["ResourceProperties"]["Schedule"];
    let accepted = json!(format!("{}-{}", text(&properties["Name"]), digest(properties)));
    let verdict = judge(event, &accepted, stack, config).await;
    let mut answer = json!({"Status": "SUCCESS", "PhysicalResourceId": accepted});
    if let Err(reason) = &verdict {
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        // The id of what was accepted last stays.
        let id = Some(&event["PhysicalResourceId"]).filter(|id| id.is_string()).unwrap_or(&accepted);
        answer = json!({"Status": "FAILED", "Reason": reason, "PhysicalResourceId": id});
    }
    for name in ["StackId", "RequestId", "LogicalResourceId"] {
        answer[name] = event[name].clone();
    }
    info!(request = text(&event["RequestType"]), refused = verdict.err(), "judged a deployment of the schedule");
    send(answer, text(&event["ResponseURL"]), connector).await?;
    Ok(Value::Null)
}

/// `Err`: why the deployment is refused, and what to do.
async fn judge(event: &Value, accepted: &Value, stack: &Stack, config: &SdkConfig) -> Result<(), String> {
    // A deletion changes no list. The properties that were accepted last come back when CloudFormation takes back what was refused:
    // that must not fail.
    if event["RequestType"] == "Delete" || event["PhysicalResourceId"] == *accepted {
        return Ok(());
    }
    let properties = &event["ResourceProperties"]["Schedule"];
    let new = text(&properties["Target"]["Input"]);
    check_time_zone(text(&properties["ScheduleExpressionTimezone"]))?;
    let run = parse(new, stack).map_err(|error| error.message)?;
    if let Some(repeated) = run.warnings.iter().find(|warning| warning.name == WarningName::EntryRepeated) {
        return Err(format!("{}: leave it out", repeated.message));
    }
    let name = text(&properties["Name"]);
    let Some(live) = input_of(name, config).await? else { return Ok(()) };
    let old = text(&event["OldResourceProperties"]["Schedule"]["Target"]["Input"]);
    keeps_what_was_added(&live, new, old, stack)
}

/// The input of the schedule as it is now. `None`: there is no such schedule.
async fn input_of(schedule: &str, config: &SdkConfig) -> Result<Option<String>, String> {
    let client = Client::new(config);
    let began = Instant::now();
    loop {
        let failure = match client.get_schedule().name(schedule).send().await {
            Ok(described) => return Ok(described.target.and_then(|target| target.input)),
            Err(error) => service_failure("GetSchedule", &error),
        };
        if failure.has_code("ResourceNotFoundException") {
            return Ok(None);
        }
        if began.elapsed() >= PATIENCE {
            return Err(format!("the list of schedule {schedule} could not be read ({}): deploy again", failure.message));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn keeps_what_was_added(live: &str, new: &str, old: &str, stack: &Stack) -> Result<(), String> {
    let mut kept = entries(new);
    let known: Vec<_> = kept.iter().chain(&entries(old)).map(|entry| meaning(entry, stack)).collect();
    let lost: Vec<Value> = entries(live).into_iter().filter(|entry| !known.contains(&meaning(entry, stack))).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let mut names: Vec<String> = lost.iter().take(MOST_NAMES).map(Value::to_string).collect();
    if lost.len() > MOST_NAMES {
        names.push(format!("and {} more", lost.len() - MOST_NAMES));
    }
    kept.extend(lost);
    let keep = match parameter_of(&kept).filter(|value| value.len() <= LONGEST_LIST) {
        Some(value) => format!("deploy with {}", sam_override(&value)),
        None => "deploy with LogGroups as `logs-archive groups list --output json` shows the list".to_owned(),
    };
    Err(format!(
        "the schedule's list has what LogGroups has not, and this deployment would drop it: {}. To keep it, {keep}. To drop it, \
         `logs-archive groups remove` it first.",
        names.join(", ")
    ))
}

async fn send(answer: Value, url: &str, connector: &SharedHttpConnector) -> Result<(), ExportError> {
    let failed = |problem: &str| ExportError::new(ErrorName::Unexpected, format!("CloudFormation did not take the answer: {problem}"));
    let mut request = HttpRequest::new(SdkBody::from(answer.to_string()));
    request.set_method("PUT").map_err(|_| failed("no such method"))?;
    request.set_uri(url.to_owned()).map_err(|_| failed("its URL is none"))?;
    let response = tokio::time::timeout(ANSWER_TIMEOUT, connector.call(request)).await;
    // The connector's own words may have the URL.
    let response = response.map_err(|_| failed("it took too long"))?.map_err(|_| failed("it cannot be reached"))?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(failed(&format!("status {}", response.status().as_u16()))),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
