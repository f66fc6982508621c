"""Lists a subscription that nobody has confirmed as AWS does: without an ARN of its own."""


def correct() -> None:
    from ministack.services import sns

    listed = sns._list_subscriptions_by_topic

    def list_subscriptions_by_topic(params: dict) -> tuple:
        status, headers, body = listed(params)
        topic, error = sns._get_topic(sns._p(params, "TopicArn"))
        if error is not None:
            return status, headers, body
        text = body.decode() if isinstance(body, bytes) else body
        for subscription in topic["subscriptions"]:
            if not subscription["confirmed"]:
                text = text.replace(f"<SubscriptionArn>{subscription['arn']}<", "<SubscriptionArn>PendingConfirmation<")
        return status, headers, text.encode() if isinstance(body, bytes) else text

    sns._list_subscriptions_by_topic = list_subscriptions_by_topic
