"""The loop of `logs-archive fetch --source` in boto3: one line per event of a log group in a period."""

import sys
from datetime import datetime, timezone

import boto3


def main() -> None:
    endpoint, log_group, begin, end = sys.argv[1:]
    logs = boto3.client("logs", endpoint_url=endpoint)
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=log_group, startTime=int(begin), endTime=int(end)):
        for event in page["events"]:
            time = datetime.fromtimestamp(event["timestamp"] / 1000, timezone.utc)
            print(f"{time:%Y-%m-%dT%H:%M:%S}.{event['timestamp'] % 1000:03}Z {event['logStreamName']} {event['message']}")


main()
