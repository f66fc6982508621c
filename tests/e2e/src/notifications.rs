//! What the stack's topic publishes.

use serde_json::Value;

use crate::Archive;

impl Archive {
    /// A queue that receives what the stack's topic publishes from now on.
    pub async fn subscribe(&self) -> Notifications {
        let config = self.local.sdk_config();
        let sqs = aws_sdk_sqs::Client::new(&config);
        let sns = aws_sdk_sns::Client::new(&config);
        let subscribed = sns.list_subscriptions_by_topic().topic_arn(&self.stack.topic_arn).send().await.expect("the topic is there");
        let name = format!("notifications-{}", subscribed.subscriptions().len());
        let queue_url = sqs.create_queue().queue_name(&name).send().await.expect("a queue").queue_url.expect("its URL");
        let queue_arn = format!("arn:aws:sqs:{}:{}:{name}", self.local.region(), self.local.account_id());
        sns.subscribe().topic_arn(&self.stack.topic_arn).protocol("sqs").endpoint(queue_arn).send().await.expect("a subscription");
        Notifications { sqs, queue_url }
    }
}

pub struct Notifications {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
}

impl Notifications {
    /// Subject and text of the next notification.
    pub async fn next(&self) -> (String, String) {
        let answer = self.sqs.receive_message().queue_url(&self.queue_url).wait_time_seconds(10).send().await.expect("the queue answers");
        let [message] = answer.messages() else { panic!("one notification, not {:?}", answer.messages()) };
        self.sqs
            .delete_message()
            .queue_url(&self.queue_url)
            .receipt_handle(message.receipt_handle().expect("a receipt"))
            .send()
            .await
            .expect("the message is taken from the queue");
        let envelope: Value = serde_json::from_str(message.body().expect("a body")).expect("SNS's envelope is JSON");
        let text = |field: &str| envelope[field].as_str().unwrap_or_default().to_owned();
        (text("Subject"), text("Message"))
    }
}
