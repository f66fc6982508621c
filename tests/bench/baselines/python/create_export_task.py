"""create-export-task of the 2019 design: exports the previous month of one log group.

It makes the same calls as the Rust function: it reads the manifests of the month and its neighbours, the log group, its streams and the
newest tasks, and then creates a task.
"""

import json
import os
from datetime import datetime
from hashlib import sha256
from typing import Any

import boto3
from month import epoch_millis, first_of_next, first_of_previous, previous_month

logs = boto3.client("logs")
s3 = boto3.client("s3")

# A task with one of these statuses is adopted.
ADOPTED = {"PENDING", "RUNNING", "COMPLETED"}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    start, end = previous_month(datetime.fromisoformat(event["scheduledTime"].replace("Z", "+00:00")))
    start_ms, end_ms = epoch_millis(start), epoch_millis(end)
    name = event["logGroupName"]

    folder = f"{event['s3Prefix']}/log_group={name}"
    if any(has_manifest(event["s3BucketName"], folder, name, month) for month in (first_of_previous(start), start, first_of_next(start))):
        return {**event, "status": "SKIPPED"}
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    group = next((group for group in groups if group["logGroupName"] == name), None)
    if group is None or group["creationTime"] >= end_ms:
        return {**event, "status": "SKIPPED"}
    streams = logs.describe_log_streams(logGroupName=name, orderBy="LastEventTime", descending=True, limit=50)["logStreams"]
    if all(stream.get("lastEventTimestamp", end_ms) < start_ms for stream in streams):
        return {**event, "status": "SKIPPED"}

    task_name = f"{name}-{start:%Y-%m}"
    tasks = logs.describe_export_tasks(limit=50)["exportTasks"]
    existing = next((task for task in tasks if task.get("taskName") == task_name and task["status"]["code"] in ADOPTED), None)
    if existing is not None:
        return {**event, "taskId": existing["taskId"], "status": "ADOPTED"}
    created = logs.create_export_task(
        taskName=task_name,
        logGroupName=name,
        fromTime=start_ms,
        to=end_ms - 1,
        destination=event["s3BucketName"],
        destinationPrefix=f"{folder}/year={start:%Y}/month={start:%m}",
    )
    return {**event, "taskId": created["taskId"], "status": "CREATED"}


def has_manifest(bucket: str, folder: str, log_group: str, month: datetime) -> bool:
    place = json.dumps([os.environ["ACCOUNT_ID"], os.environ["AWS_REGION"], bucket, log_group, folder])
    prefix = f"{os.environ['S3_PREFIX']}/manifests/year={month:%Y}/month={month:%m}/{sha256(place.encode()).hexdigest()[:32]}-"
    return s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] > 0
