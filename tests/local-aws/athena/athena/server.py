"""Athena's protocol, AWS JSON 1.1, for the operations about query executions. Everything else of Athena is the stack's."""

import functools
import json
import re
import socket
import sys
import threading
import traceback
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from .engine import Engine
from .errors import InvalidRequest
from .executions import FINAL, Executions

TARGET = "AmazonAthena."
CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/")


class Service:
    """`endpoint_url` is the stack's, whose Glue catalog, S3 and workgroups these are."""

    def __init__(self, endpoint_url: str, directory: Path) -> None:
        self.endpoint_url = endpoint_url
        self.directory = directory
        self.executions = Executions(directory)
        self._lock = threading.Lock()
        self._session = boto3.session.Session()

    @functools.lru_cache(maxsize=64)  # noqa: B019 - one service lives as long as its process
    def _client(self, service: str, key: str, token: str | None, region: str) -> Any:
        return self._session.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=region,
            # It tells the account; nobody verifies the signature.
            aws_access_key_id=key,
            aws_secret_access_key="local",
            aws_session_token=token,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=100, retries={"mode": "standard", "total_max_attempts": 3}),
        )

    def client(self, service: str, caller: tuple[str, str | None, str]) -> Any:
        # Making clients is not safe in several threads at a time.
        with self._lock:
            return self._client(service, *caller)

    @functools.lru_cache(maxsize=64)  # noqa: B019
    def _engine(self, caller: tuple[str, str | None, str]) -> Engine:
        return Engine(self.client("glue", caller), self.client("s3", caller), str(self.directory))

    def call(self, operation: str, request: dict, caller: tuple[str, str | None, str]) -> dict:
        if operation == "StartQueryExecution":
            clients = self.client("athena", caller), self.client("s3", caller)
            return {"QueryExecutionId": self.executions.start(request, *clients, lambda: self._engine(caller))}
        if operation == "GetQueryExecution":
            return {"QueryExecution": self.executions.find(request.get("QueryExecutionId")).described()}
        if operation == "BatchGetQueryExecution":
            return self._batch(request)
        if operation == "StopQueryExecution":
            self.executions.stop(request.get("QueryExecutionId"))
            return {}
        if operation == "GetQueryResults":
            return self._results(request)
        raise InvalidRequest(f"The operation {operation} is not served here", error="UnknownOperationException")

    def _batch(self, request: dict) -> dict:
        found, unprocessed = [], []
        for execution_id in request.get("QueryExecutionIds") or []:
            try:
                found.append(self.executions.find(execution_id).described())
            except InvalidRequest as error:
                unprocessed.append({"QueryExecutionId": execution_id, "ErrorCode": error.code, "ErrorMessage": error.message})
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": unprocessed}

    def _results(self, request: dict) -> dict:
        execution = self.executions.find(request.get("QueryExecutionId"))
        state = execution.state
        if state not in FINAL:
            raise InvalidRequest(f"Query has not yet finished. Current state: {state}")
        if state != "SUCCEEDED":
            raise InvalidRequest(f"Query did not finish successfully. Final query state: {state}")
        page = execution.results.page(request.get("NextToken"), request.get("MaxResults"))
        count = execution.answer.update_count if execution.answer else None
        return {"UpdateCount": count or 0} | page


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet for each answer, at once.
    wbufsize = -1
    disable_nagle_algorithm = True
    service: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, answer = 200, self._answer(body)
        except InvalidRequest as error:
            status, answer = 400, {"__type": error.error, "AthenaErrorCode": error.code, "Message": error.message}
        except Exception as error:  # noqa: BLE001 - answered, and told in the log
            traceback.print_exc(file=sys.stderr)
            status, answer = 500, {"__type": "InternalServerException", "Message": f"{type(error).__name__}: {error}"}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.end_headers()
        self.wfile.write(text)

    def _answer(self, body: bytes) -> dict:
        target = self.headers.get("X-Amz-Target") or ""
        credential = CREDENTIAL.search(self.headers.get("Authorization") or "")
        if credential is None:
            raise InvalidRequest("Missing Authentication Token", error="MissingAuthenticationTokenException")
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise InvalidRequest(f"{error}", error="SerializationException") from error
        caller = (credential[1], self.headers.get("X-Amz-Security-Token"), credential[2])
        return self.service.call(target.removeprefix(TARGET), request, caller)

    def log_message(self, *_: Any) -> None:
        """A line for each request would bury what goes wrong."""


def serve(listener: socket.socket, endpoint_url: str, directory: Path) -> None:
    """Until the process ends."""
    server = ThreadingHTTPServer(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    Handler.service = Service(endpoint_url, directory)
    server.serve_forever()
