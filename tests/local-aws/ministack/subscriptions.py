"""Lists subscriptions as AWS does: one that nobody has confirmed has no ARN of its own, and one that has ended stays for some days."""


def correct() -> None:
    from ministack.services import sns

    listed = sns._list_subscriptions_by_topic
    unsubscribe = sns._unsubscribe
    ended: dict[str, list[dict]] = {}

    def list_subscriptions_by_topic(params: dict) -> tuple:
        status, headers, body = listed(params)
        topic, error = sns._get_topic(sns._p(params, "TopicArn"))
        if error is not None:
            return status, headers, body
        text = body.decode() if isinstance(body, bytes) else body
        for subscription in topic["subscriptions"]:
            if not subscription["confirmed"]:
                text = text.replace(f"<SubscriptionArn>{subscription['arn']}<", "<SubscriptionArn>PendingConfirmation<")
        members = "".join(
            f"<member><SubscriptionArn>Deleted</SubscriptionArn><Owner>{subscription['owner']}</Owner><TopicArn>{topic['arn']}</TopicArn>"
            f"<Protocol>{subscription['protocol']}</Protocol><Endpoint>{subscription['endpoint']}</Endpoint></member>"
            for subscription in ended.get(topic["arn"], [])
        )
        text = text.replace("</Subscriptions>", f"{members}</Subscriptions>")
        return status, headers, text.encode() if isinstance(body, bytes) else text

    def unsubscribe_and_keep(params: dict) -> tuple:
        arn = sns._p(params, "SubscriptionArn")
        topic, _ = sns._get_topic(sns._sub_arn_to_topic.get(arn, ""))
        if topic is not None:
            ended.setdefault(topic["arn"], []).extend(each for each in topic["subscriptions"] if each["arn"] == arn)
        return unsubscribe(params)

    sns._list_subscriptions_by_topic = list_subscriptions_by_topic
    sns._unsubscribe = unsubscribe_and_keep
