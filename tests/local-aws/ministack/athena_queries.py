"""Puts the local Athena into ministack's Athena, which keeps the protocol: work groups, executions, results and their pages."""

import asyncio
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor

from ministack.core.responses import AccountRegionScopedDict, error_response_json
from ministack.services import athena as service

from athena_integration import client

POOL = ThreadPoolExecutor(8, thread_name_prefix="query")  # Of its own: queries wait for answers of Glue and S3, which threads of ministack give.


def install() -> None:
    service._parse_ddl = lambda query: None
    service._execute_query = _execute
    start, started = service._start_query_execution, AccountRegionScopedDict()

    def start_query_execution(data: dict) -> tuple:
        token, asked = data.get("ClientRequestToken"), dict(data)
        first, answer = started.get(token, (asked, None))
        refusal = _refusal(data) if first == asked else "Idempotent parameters do not match"
        if refusal:
            return error_response_json("InvalidRequestException", refusal, 400)
        answer = answer or start(data)
        if token and answer[0] == 200:
            started[token] = asked, answer
        return answer

    service._start_query_execution = start_query_execution


def _refusal(data: dict) -> str | None:
    # Not imported with the others: every start of a stack would wait for it.
    import athena

    group = service._workgroups.get(data.get("WorkGroup", "primary"))
    if group is None:
        return f"WorkGroup {data['WorkGroup']} is not found."
    # CloudFormation can have left a text.
    if str(group["Configuration"].get("EnforceWorkGroupConfiguration")).lower() == "true":
        data.pop("ResultConfiguration", None)
    try:
        athena.parse(data["QueryString"])
    except athena.QueryError as error:
        # Whatever else is wrong fails the execution.
        return str(error) if error.code == "SYNTAX_ERROR" else None
    return None


async def _execute(query_id: str, query: str, database: str, ddl: None, catalog: str) -> None:
    execution, began = service._executions[query_id], time.time()
    status, statistics, ended = execution["Status"], execution["Statistics"], {"State": "SUCCEEDED"}
    status["State"] = "RUNNING"
    try:
        run = contextvars.copy_context().run
        answer = await asyncio.get_running_loop().run_in_executor(POOL, run, _run, query, database, execution["ResultConfiguration"])
        execution["_results"] = {"columns": [name for name, _ in answer.columns], "rows": answer.rows}
        execution["_column_types"] = [type_.split("(")[0] for _, type_ in answer.columns]
        statistics["DataScannedInBytes"] = answer.scanned
    except Exception as error:
        ended = {"State": "FAILED", "StateChangeReason": (str(error) if type(error).__name__ == "QueryError" else repr(error))[:2000]}
    statistics["EngineExecutionTimeInMillis"] = statistics["TotalExecutionTimeInMillis"] = int((time.time() - began) * 1000)
    # It may have been stopped meanwhile.
    if status["State"] == "RUNNING":
        status |= ended | {"CompletionDateTime": int(time.time())}


def _run(query: str, database: str, results: dict):
    import athena

    answer = athena.run(client("glue"), client("s3"), query, database)
    if answer.columns:
        rows = [[name for name, _ in answer.columns], *answer.rows]
        quoted = [["" if value is None else '"' + value.replace('"', '""') + '"' for value in row] for row in rows]
        bucket, key = results["OutputLocation"].removeprefix("s3://").split("/", 1)
        client("s3").put_object(Bucket=bucket, Key=key, Body="".join(f"{','.join(row)}\n" for row in quoted).encode())
    return answer
