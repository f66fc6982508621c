"""Athena's tasks of a state machine: `athena:startQueryExecution`, with and without `.sync`, `getQueryExecution` and `getQueryResults`.

Neither Step Functions engine has them. Both call this module, with a boto3 client of the stack.
"""

import datetime
import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

PREFIX = "arn:aws:states:::athena:"
ACTIONS = {
    "startQueryExecution": "start_query_execution",
    "stopQueryExecution": "stop_query_execution",
    "getQueryExecution": "get_query_execution",
    "getQueryResults": "get_query_results",
}
POLL_SECONDS = 0.05


class TaskFailed(Exception):
    """The error and cause of the failed state."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def run(client: Any, action: str, sync: bool, parameters: dict, is_waiting: Callable[[], bool] = lambda: True) -> dict:
    """The result of the task. `is_waiting` returns whether its state still waits for it."""
    started = _call(client, action, parameters)
    if not sync:
        return started
    request = {"QueryExecutionId": started["QueryExecutionId"]}
    while is_waiting():
        execution = _call(client, "getQueryExecution", request)
        state = execution["QueryExecution"]["Status"]["State"]
        if state == "SUCCEEDED":
            return execution
        if state in ("FAILED", "CANCELLED"):
            raise TaskFailed("States.TaskFailed", json.dumps(execution["QueryExecution"]))
        time.sleep(POLL_SECONDS)
    # The state has timed out, or the execution was stopped.
    _call(client, "stopQueryExecution", request)
    raise TaskFailed("States.TaskFailed", json.dumps(request))


def _call(client: Any, action: str, parameters: dict) -> dict:
    try:
        answer = getattr(client, ACTIONS[action])(**parameters)
    except ClientError as error:
        details = error.response["Error"]
        raise TaskFailed(f"Athena.{details['Code']}", details["Message"]) from error
    except BotoCoreError as error:
        raise TaskFailed("Athena.SdkClientException", str(error)) from error
    return _plain({name: value for name, value in answer.items() if name != "ResponseMetadata"})


def _plain(value: Any) -> Any:
    """Step Functions writes times as milliseconds."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    return value
