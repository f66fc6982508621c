//! Checks the alarms: whether they exist, whether they notify the topic, and whether one is in alarm.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use serde_json::Value;

use super::{
    deployment::Deployment,
    finding::{Call, FindingName, Findings},
};
use crate::{context::Context, failure::Failure, shell::quoted, stack::DeployedStack};

const ALARM: &str = "AWS::CloudWatch::Alarm";

pub async fn check(context: &Context, stack: &DeployedStack, deployment: &Deployment, findings: &mut Findings) -> Result<(), Failure> {
    let Some(template) = &deployment.monitoring else { return Ok(()) };
    let expected: Vec<Value> = template.resources(ALARM).into_iter().filter_map(|name| template.properties(name)).collect();
    let names = expected.iter().filter_map(|alarm| alarm["AlarmName"].as_str());
    let call = Call { operation: "DescribeAlarms", action: "cloudwatch:DescribeAlarms", resource: "*", absent: &[] };
    let description = context.cloudwatch().describe_alarms().set_alarm_names(Some(names.map(str::to_owned).collect())).send().await;
    let Some(description) = findings.answer_of(call, description)?.found() else { return Ok(()) };
    let found: BTreeMap<&str, &MetricAlarm> =
        description.metric_alarms().iter().filter_map(|alarm| Some((alarm.alarm_name()?, alarm))).collect();
    let topic = stack.output("NotificationTopicArn");
    for alarm in &expected {
        let name = alarm["AlarmName"].as_str().unwrap_or_default();
        let create_command = || format!("aws cloudwatch put-metric-alarm --cli-input-json {}", quoted(&alarm.to_string()));
        let Some(found) = found.get(name) else {
            findings.add(FindingName::AlarmNotFound, name, "The alarm does not exist.", create_command());
            continue;
        };
        if !found.alarm_actions().iter().any(|action| action == topic) {
            findings.add(FindingName::AlarmActionsOff, name, format!("The alarm does not notify {topic}."), create_command());
        } else if found.actions_enabled() == Some(false) {
            let fix = format!("aws cloudwatch enable-alarm-actions --alarm-names {name}");
            findings.add(FindingName::AlarmActionsOff, name, "The alarm's actions are switched off.", fix);
        }
        if found.state_value() == Some(&StateValue::Alarm) {
            findings.add(FindingName::AlarmInAlarm, name, describe_alarm(alarm, found), fix_command(stack, name));
        }
    }
    Ok(())
}

fn describe_alarm(alarm: &Value, found: &MetricAlarm) -> String {
    let since =
        found.state_transitioned_timestamp().or(found.state_updated_timestamp()).map(|at| format!(" since {at}")).unwrap_or_default();
    format!("The alarm is red{since}. {}", alarm["AlarmDescription"].as_str().unwrap_or_default().trim())
}

/// The command that ends the alarm, after its cause was fixed.
fn fix_command(stack: &DeployedStack, alarm: &str) -> String {
    match alarm.rsplit('-').next() {
        Some("StartFailed") => format!("aws sqs purge-queue --queue-url {}", stack.output("DeadLetterQueueUrl")),
        // This run covers the whole list and every open window, so its success ends the alarm.
        _ => "logs-archive run".to_owned(),
    }
}
