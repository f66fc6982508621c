"""The loop of `logs-archive verify` in boto3: reads every event of each log stream in the window, and every line of its archived objects."""

import gzip
import hashlib
import sys
from datetime import datetime, timezone

import boto3
from botocore.config import Config

STREAMS_PER_PAGE = 50


def digests_of_source(logs, log_group: str, window: tuple[int, int]) -> dict[str, tuple[int, int]]:
    digests = {}
    for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=log_group, limit=STREAMS_PER_PAGE):
        for stream in page["logStreams"]:
            digests[stream["logStreamName"]] = digest(events_of(logs, log_group, stream["logStreamName"], window))
    return digests


def events_of(logs, log_group: str, stream: str, window: tuple[int, int]):
    request = {"logGroupName": log_group, "logStreamName": stream, "startTime": window[0], "endTime": window[1] + 1, "startFromHead": True}
    token = None
    while True:
        page = logs.get_log_events(**request)
        for event in page["events"]:
            time = datetime.fromtimestamp(event["timestamp"] / 1000, timezone.utc)
            yield f"{time:%Y-%m-%dT%H:%M:%S}.{event['timestamp'] % 1000:03}Z {event['message']}".encode()
        if page["nextForwardToken"] == token:
            return
        token = request["nextToken"] = page["nextForwardToken"]


def digests_of_archive(s3, bucket: str, prefix: str) -> dict[str, tuple[int, int]]:
    digests = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for listed in page.get("Contents", []):
            if not listed["Key"].endswith(".gz"):
                continue
            stream = listed["Key"].split("/")[-2]
            body = s3.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read()
            count, total = digests.get(stream, (0, 0))
            more, added = digest(gzip.decompress(body).splitlines())
            digests[stream] = (count + more, (total + added) % 2**64)
    return digests


def digest(lines) -> tuple[int, int]:
    """The number of lines, and a digest that does not depend on their order."""
    count = total = 0
    for line in lines:
        count += 1
        total = (total + int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "big")) % 2**64
    return count, total


def main() -> None:
    endpoint, log_group, begin, end, bucket, prefix = sys.argv[1:]
    config = Config(s3={"addressing_style": "path"})
    logs, s3 = (boto3.client(service, endpoint_url=endpoint, config=config) for service in ("logs", "s3"))
    source = digests_of_source(logs, log_group, (int(begin), int(end)))
    archive = digests_of_archive(s3, bucket, prefix)
    if source != archive:
        sys.exit(f"the source and the archive differ: {source}, {archive}")
    print(sum(count for count, _ in source.values()))


main()
