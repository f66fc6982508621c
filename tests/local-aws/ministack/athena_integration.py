"""Teaches ministack's Step Functions the tasks of Athena. They call the stack's endpoint, like everybody."""

import functools
import os
import threading
from typing import Any

import boto3
from botocore.config import Config

import athena_tasks


def install() -> None:
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import stepfunctions

    lock = threading.Lock()

    @functools.cache
    def client(account_id: str, region: str) -> Any:
        return boto3.session.Session().client(
            "athena",
            endpoint_url=os.environ["AWS_ENDPOINT_URL"],
            region_name=region,
            # It tells the account.
            aws_access_key_id=account_id,
            aws_secret_access_key="local",
            # Retries are the state machine's.
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=100),
        )

    def invoke(resource: str, parameters: dict) -> dict:
        action, _, pattern = resource.removeprefix(athena_tasks.PREFIX).partition(".")
        # Making clients is not safe in several threads at a time.
        with lock:
            athena = client(get_account_id(), get_region())
        try:
            return athena_tasks.run(athena, action, pattern == "sync", parameters)
        except athena_tasks.TaskFailed as failed:
            raise stepfunctions._ExecutionError(failed.error, failed.cause) from failed

    for action in athena_tasks.ACTIONS:
        stepfunctions._SERVICE_DISPATCH[athena_tasks.PREFIX + action] = invoke
