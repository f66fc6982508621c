"""Query executions: started once, run in threads, stopped, and remembered as long as the server runs."""

import json
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from . import statements, workgroup
from .engine import Answer, Engine, Run
from .errors import InvalidRequest, QueryCancelled, QueryError
from .results import Results
from .scan import Budget
from .storage import split

# As many run at a time; the others are QUEUED.
AT_A_TIME = 8
FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
# Of AthenaError.ErrorCategory.
SYSTEM, USER = 1, 2


class Execution:
    def __init__(self, request: dict, group: workgroup.WorkGroup, results: dict, directory: Path) -> None:
        self.id = str(uuid.uuid4())
        self.sql: str = request["QueryString"]
        self.context: dict = dict(request.get("QueryExecutionContext") or {})
        self.group = group
        self.configuration = results
        self.statement_type = statements.statement_type(self.sql)
        self.state = "QUEUED"
        self.reason: str | None = None
        self.error: dict | None = None
        self.submitted = time.time()
        self.started: float | None = None
        self.completed: float | None = None
        self.answer: Answer | None = None
        self.run = Run(
            database=str(self.context.get("Database") or "default").lower(),
            budget=Budget(group.bytes_scanned_cutoff),
            query_id=self.id,
            output_location=results["OutputLocation"],
            enforced=group.enforced,
        )
        is_query = statements.is_query(statements.without_comments(self.sql))
        self.results = Results(directory / f"{self.id}.rows", directory / f"{self.id}.text", is_query)

    @property
    def result_path(self) -> str:
        base = f"{self.configuration['OutputLocation']}{self.id}"
        if self.results.is_query:
            return f"{base}.csv"
        if self.answer is not None and self.answer.kind == "CREATE_TABLE_AS_SELECT":
            return f"{self.configuration['OutputLocation']}tables/{self.id}"
        return base if self.statement_type == "DML" else f"{base}.txt"

    def described(self) -> dict:
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.reason is not None:
            status["StateChangeReason"] = self.reason
        if self.completed is not None:
            status["CompletionDateTime"] = self.completed
        if self.error is not None:
            status["AthenaError"] = self.error
        described = {
            "QueryExecutionId": self.id,
            "Query": self.sql,
            "StatementType": self.statement_type,
            "ResultConfiguration": self.configuration | {"OutputLocation": self.result_path},
            "QueryExecutionContext": self.context,
            "Status": status,
            "Statistics": self._statistics(),
            "WorkGroup": self.group.name,
            "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
        }
        return described | ({"SubstatementType": self.answer.kind} if self.answer is not None else {})

    def _statistics(self) -> dict:
        end = self.completed or time.time()
        started = self.started or end
        return {
            "EngineExecutionTimeInMillis": round((end - started) * 1000),
            "DataScannedInBytes": self.run.budget.scanned,
            "TotalExecutionTimeInMillis": round((end - self.submitted) * 1000),
            "QueryQueueTimeInMillis": round((started - self.submitted) * 1000),
            "ServiceProcessingTimeInMillis": 0,
        }


class Executions:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._by_id: dict[str, Execution] = {}
        self._by_token: dict[str, tuple[str, str]] = {}
        self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="query")

    def start(self, request: dict, athena: Any, s3: Any, engine: Callable[[], Engine]) -> str:
        if not str(request.get("QueryString") or "").strip():
            raise InvalidRequest("queryString is null or empty.")
        token = request.get("ClientRequestToken")
        with self._lock:
            if token is not None and (known := self._by_token.get(token)) is not None:
                return self._same(known, request)
        group = workgroup.read(athena, request.get("WorkGroup") or "primary")
        configuration = group.result_configuration(request.get("ResultConfiguration") or {})
        bucket, _ = split(configuration["OutputLocation"])
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            raise InvalidRequest(f"Unable to verify/create output bucket {bucket}") from error
        execution = Execution(request, group, configuration, self.directory)
        statements.check(execution.sql, execution.run.database, group.enforced)
        with self._lock:
            if token is not None:
                # Of two requests at the same time, one begins.
                known = self._by_token.setdefault(token, (_fingerprint(request), execution.id))
                if known[1] != execution.id:
                    return self._same(known, request)
            self._by_id[execution.id] = execution
        self._pool.submit(self._execute, execution, engine)
        return execution.id

    @staticmethod
    def _same(known: tuple[str, str], request: dict) -> str:
        fingerprint, execution_id = known
        if fingerprint != _fingerprint(request):
            raise InvalidRequest("Idempotent parameters do not match")
        return execution_id

    def find(self, execution_id: str | None) -> Execution:
        with self._lock:
            execution = self._by_id.get(execution_id or "")
        if execution is None:
            raise InvalidRequest(f"QueryExecution {execution_id} was not found")
        return execution

    def stop(self, execution_id: str | None) -> None:
        execution = self.find(execution_id)
        if execution.state not in FINAL:
            execution.run.cancel()

    def _execute(self, execution: Execution, engine: Callable[[], Engine]) -> None:
        execution.started = time.time()
        try:
            execution.run.budget.check()
            execution.state = "RUNNING"
            executor = engine()
            execution.answer = executor.run(execution.sql, execution.run, execution.results.write)
            if not execution.results.rows.exists():
                # A statement without rows has empty results.
                execution.results.write([], iter(()))
            # What INSERT and CREATE TABLE AS write is the table itself.
            if execution.answer.update_count is None:
                with execution.results.text.open("rb") as body:
                    executor.storage.write(execution.result_path, body)
            execution.results.text.unlink()
            execution.run.budget.check()
            self._end(execution, "SUCCEEDED")
        except QueryCancelled as cancelled:
            self._end(execution, "CANCELLED", str(cancelled))
        except QueryError as error:
            self._end(execution, "FAILED", str(error), USER)
        except InvalidRequest as error:
            self._end(execution, "FAILED", error.message, USER)
        except Exception as error:  # noqa: BLE001 - whatever it is, the query must not stay RUNNING
            traceback.print_exc(file=sys.stderr)
            self._end(execution, "FAILED", f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}", SYSTEM)

    @staticmethod
    def _end(execution: Execution, state: str, reason: str | None = None, category: int | None = None) -> None:
        execution.completed = time.time()
        execution.reason = reason
        if category is not None:
            execution.error = {"ErrorCategory": category, "ErrorType": 1000 * category, "Retryable": False, "ErrorMessage": reason}
        execution.state = state


def _fingerprint(request: dict) -> str:
    return json.dumps({key: value for key, value in request.items() if key != "ClientRequestToken"}, sort_keys=True)
