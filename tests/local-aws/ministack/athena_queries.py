"""Puts the local Athena into ministack's Athena, which keeps the protocol: work groups, executions, results and their pages.

Executions carry on in a pool of their own: they call the stack's Glue and S3, whose answers must not wait for them.
"""

import asyncio
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor

from ministack.core.responses import error_response_json
from ministack.services import athena as service

from athena_integration import client

POOL = ThreadPoolExecutor(8, thread_name_prefix="query")
ENFORCED = "The Create Table As Select query failed because it was submitted with an 'external_location' property to an Athena Workgroup that enforces a centralized output location for all queries."


def install() -> None:
    service._parse_ddl = lambda query: None
    start, tokens = service._start_query_execution, {}

    def start_query_execution(data: dict) -> tuple:
        # Not with the others: every start of a stack would wait for it.
        import athena

        group = service._workgroups.get(data.get("WorkGroup", "primary"))
        if group is None:
            return _refused(f"WorkGroup {data['WorkGroup']} is not found.")
        token = data.get("ClientRequestToken")
        if token in tokens:
            return tokens[token]
        try:
            tree = athena.parse(data["QueryString"])
        except athena.QueryError as error:
            # Whatever else is wrong fails the execution.
            if error.code == "SYNTAX_ERROR":
                return _refused(str(error))
            tree = None
        # CloudFormation can have left a text.
        if str(group["Configuration"].get("EnforceWorkGroupConfiguration")).lower() == "true":
            data.pop("ResultConfiguration", None)
            if tree is not None and tree.key == "create" and "external_location" in data["QueryString"]:
                return _refused(ENFORCED)
        answer = start(data)
        if token:
            tokens[token] = answer
        return answer

    service._start_query_execution = start_query_execution
    service._execute_query = _execute


def _refused(message: str) -> tuple:
    return error_response_json("InvalidRequestException", message, 400)


async def _execute(query_id: str, query: str, database: str, ddl: None, catalog: str) -> None:
    execution = service._executions[query_id]
    status, statistics, started = execution["Status"], execution["Statistics"], time.time()
    status["State"] = "RUNNING"
    ended = {"State": "SUCCEEDED"}
    try:
        context = contextvars.copy_context()
        answer = await asyncio.get_running_loop().run_in_executor(POOL, context.run, _run, query, database, execution["ResultConfiguration"])
        execution["_results"] = {"columns": [name for name, _ in answer.columns], "rows": answer.rows}
        execution["_column_types"] = [type_.split("(")[0] for _, type_ in answer.columns]
        statistics["DataScannedInBytes"] = answer.scanned
    except Exception as error:
        service.logger.exception("query %s failed", query_id)
        ended = {"State": "FAILED", "StateChangeReason": str(error)[:2000]}
    statistics["EngineExecutionTimeInMillis"] = statistics["TotalExecutionTimeInMillis"] = int((time.time() - started) * 1000)
    # It may have been stopped meanwhile.
    if status["State"] == "RUNNING":
        status |= ended | {"CompletionDateTime": int(time.time())}


def _run(query: str, database: str, results: dict):
    import athena

    answer = athena.Engine(client("glue"), client("s3")).query(query, database)
    if answer.columns:
        lines = [[name for name, _ in answer.columns], *answer.rows]
        # NULL is nothing, and an empty text is "".
        quoted = [["" if value is None else '"' + value.replace('"', '""') + '"' for value in line] for line in lines]
        bucket, key = results["OutputLocation"].removeprefix("s3://").split("/", 1)
        client("s3").put_object(Bucket=bucket, Key=key, Body="".join(f"{','.join(line)}\n" for line in quoted).encode())
    return answer
