//! The alarms: whether they exist, whether they tell anybody, and whether one is red.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use serde_json::Value;

use super::{
    deployment::Deployment,
    finding::{Call, Findings, Name},
};
use crate::{context::Context, failure::Failure, shell::quoted, stack::DeployedStack};

const KIND: &str = "AWS::CloudWatch::Alarm";

pub async fn check(context: &Context, stack: &DeployedStack, deployment: &Deployment, findings: &mut Findings) -> Result<(), Failure> {
    let Some(template) = &deployment.monitoring else { return Ok(()) };
    let expected: Vec<Value> = template.resources(KIND).into_iter().filter_map(|name| template.properties(name)).collect();
    let names = expected.iter().filter_map(|alarm| alarm["AlarmName"].as_str());
    let call = Call { operation: "DescribeAlarms", action: "cloudwatch:DescribeAlarms", resource: "*", absent: &[] };
    let described = context.cloudwatch().describe_alarms().set_alarm_names(Some(names.map(str::to_owned).collect())).send().await;
    let Some(described) = findings.ask(call, described)?.known() else { return Ok(()) };
    let found: BTreeMap<&str, &MetricAlarm> =
        described.metric_alarms().iter().filter_map(|alarm| Some((alarm.alarm_name()?, alarm))).collect();
    let topic = stack.output("NotificationTopicArn");
    for alarm in &expected {
        let name = alarm["AlarmName"].as_str().unwrap_or_default();
        let create = || format!("aws cloudwatch put-metric-alarm --cli-input-json {}", quoted(&alarm.to_string()));
        let Some(found) = found.get(name) else {
            findings.add(Name::AlarmNotFound, name, "The alarm does not exist.", create());
            continue;
        };
        if !found.alarm_actions().iter().any(|action| action == topic) {
            findings.add(Name::AlarmActionsOff, name, format!("The alarm does not notify {topic}."), create());
        } else if found.actions_enabled() == Some(false) {
            let fix = format!("aws cloudwatch enable-alarm-actions --alarm-names {name}");
            findings.add(Name::AlarmActionsOff, name, "The alarm's actions are switched off.", fix);
        }
        if found.state_value() == Some(&StateValue::Alarm) {
            findings.add(Name::AlarmInAlarm, name, red(alarm, found), next_step(stack, name));
        }
    }
    Ok(())
}

fn red(alarm: &Value, found: &MetricAlarm) -> String {
    let since =
        found.state_transitioned_timestamp().or(found.state_updated_timestamp()).map(|at| format!(" since {at}")).unwrap_or_default();
    format!("The alarm is red{since}. {}", alarm["AlarmDescription"].as_str().unwrap_or_default().trim())
}

/// The command after which the alarm ends, once its cause is put right.
fn next_step(stack: &DeployedStack, alarm: &str) -> String {
    match alarm.rsplit('-').next() {
        Some("StartFailed") => format!("aws sqs purge-queue --queue-url {}", stack.output("DeadLetterQueueUrl")),
        // Of the whole list and every open window: its success ends the alarms.
        _ => "logs-archive run".to_owned(),
    }
}
