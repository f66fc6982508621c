"""check-export-task of the 2019 design: fails while the task is pending, so that the state machine's Retry is the polling."""

from typing import Any

import boto3

logs = boto3.client("logs")


class ExportTaskPending(Exception):
    pass


class ExportTaskRunning(Exception):
    pass


PENDING = {"PENDING": ExportTaskPending, "RUNNING": ExportTaskRunning}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    task_id = event["taskId"]
    [task] = logs.describe_export_tasks(taskId=task_id)["exportTasks"]
    code = task["status"]["code"]
    if code in PENDING:
        raise PENDING[code](f"export task {task_id} is {code}")
    return {**event, "status": code}
