"""Teaches ministack's Step Functions the tasks of Athena. They call the stack's endpoint, like everybody."""

import functools
import os
import threading
from typing import Any

import boto3
from botocore.config import Config
from ministack.core.responses import get_account_id, get_region

import athena_tasks

LOCK = threading.Lock()


def client(service: str) -> Any:
    """A client of the request's account and Region."""
    # Making clients is not safe in several threads at a time.
    with LOCK:
        return _client(service, get_account_id(), get_region())


@functools.cache
def _client(service: str, account_id: str, region: str) -> Any:
    return boto3.session.Session().client(
        service,
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        region_name=region,
        # It tells the account.
        aws_access_key_id=account_id,
        aws_secret_access_key="local",
        # Retries are the state machine's.
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=100),
    )


def install() -> None:
    from ministack.services import stepfunctions

    def invoke(resource: str, parameters: dict) -> dict:
        action, _, pattern = resource.removeprefix(athena_tasks.PREFIX).partition(".")
        try:
            return athena_tasks.run(client("athena"), action, pattern == "sync", parameters)
        except athena_tasks.TaskFailed as failed:
            raise stepfunctions._ExecutionError(failed.error, failed.cause) from failed

    for action in athena_tasks.ACTIONS:
        stepfunctions._SERVICE_DISPATCH[athena_tasks.PREFIX + action] = invoke
