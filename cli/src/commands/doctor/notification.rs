//! Checks the topic: whether anybody is notified of alarms and runs.

use aws_sdk_sns::types::Subscription;

use super::finding::{Call, FindingName, Findings};
use crate::{context::Context, failure::Failure, shell::quoted, stack::DeployedStack};

/// Amazon SNS lists this text instead of an ARN until a subscription is confirmed.
const PENDING: &str = "PendingConfirmation";
/// Amazon SNS lists this text for some days after an address has unsubscribed.
const DELETED: &str = "Deleted";

pub async fn check(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let topic = stack.output("NotificationTopicArn");
    let call = Call {
        operation: "ListSubscriptionsByTopic",
        action: "sns:ListSubscriptionsByTopic",
        resource: topic,
        absent: &["NotFound", "NotFoundException"],
    };
    let pages: Result<Vec<Subscription>, _> =
        context.sns().list_subscriptions_by_topic().topic_arn(topic).into_paginator().items().send().collect().await;
    let Some(subscriptions) = findings.answer_of(call, pages)?.unless_refused() else { return Ok(()) };
    let Some(mut subscriptions) = subscriptions else {
        let name = topic.rsplit(':').next().unwrap_or_default();
        findings.add(FindingName::TopicNotFound, topic, "The stack's topic does not exist.", format!("aws sns create-topic --name {name}"));
        return Ok(());
    };
    subscriptions.retain(|subscription| subscription.subscription_arn() != Some(DELETED));
    let subscribe = |protocol: &str, endpoint: &str| {
        format!("aws sns subscribe --topic-arn {topic} --protocol {protocol} --notification-endpoint {}", quoted(endpoint))
    };
    for pending in subscriptions.iter().filter(|subscription| subscription.subscription_arn() == Some(PENDING)) {
        let (protocol, endpoint) = (pending.protocol().unwrap_or_default(), pending.endpoint().unwrap_or_default());
        let what = format!("{endpoint} has not confirmed its subscription. Follow the link in the message that the command sends again.");
        findings.add(FindingName::SubscriptionPending, topic, what, subscribe(protocol, endpoint));
    }
    match stack.parameters.get("NotificationEmail") {
        Some(address) if address != "NONE" && subscriptions.is_empty() => {
            let what = format!("{address} is not subscribed to the topic. Follow the link in the message that the command sends.");
            findings.add(FindingName::NobodySubscribed, topic, what, subscribe("email", address));
        }
        _ => {}
    }
    Ok(())
}
