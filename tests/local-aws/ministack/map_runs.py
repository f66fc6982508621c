"""Corrects two things that ministack does with a Distributed Map.

It passes over the ResultWriter: the state's output is the array of results, null for a child that failed. Results go to the stack's
endpoint, so that a fault of S3 can strike them.

After StopExecution it goes on with the children, which would export what the next run exports.
"""

from botocore.exceptions import ClientError

import athena_integration
import map_results

SHAPING = ("ResultSelector", "ResultPath", "OutputPath")


class Stopped(Exception):
    """No error of the workflow: nothing retries or catches it."""


def correct() -> None:
    from ministack.services import stepfunctions as engine

    engine._run_distributed_map = _writing_results(engine, engine._run_distributed_map)
    engine._add_event = _stopping_children(engine, engine._add_event)


def _writing_results(engine, run_map):
    def run_and_write(state: dict, raw_input: object, effective: object, iterator: dict, execution: dict, ctx: dict) -> tuple:
        writer, state = state.get("ResultWriter"), {"Label": engine.new_uuid()} | state
        if not writer:
            answer = run_map(state, raw_input, effective, iterator, execution, ctx)
            _end_stopped(engine, state, execution)
            return answer
        # Resolved first: the children leave their State in the context.
        parameters = engine._resolve_params_obj(writer["Parameters"], effective, ctx)
        plain = {name: value for name, value in state.items() if name not in SHAPING}
        try:
            _, following = run_map(plain, raw_input, effective, iterator, execution, ctx)
        except engine._ExecutionError as error:
            if error.error == "States.ExceedToleratedFailureThreshold":
                _write(engine, parameters, state, execution)
            raise
        _end_stopped(engine, state, execution)
        if execution["status"] != "RUNNING":
            return raw_input, following
        result = engine._apply_result_selector(state, _write(engine, parameters, state, execution))
        output = engine._apply_result_path(state, raw_input, result)
        return engine._apply_output_path(state, output, ctx), following

    return run_and_write


def _map_run(engine, state: dict, execution: dict) -> tuple[dict, list[dict]]:
    """The newest map run of a state, and its children."""
    runs = [run for run in engine._map_runs.values() if run["executionArn"] == execution["executionArn"]]
    run = [run for run in runs if run["_stateMachineArn"].endswith(f"/{state['Label']}")][-1]
    return run, [child for child in list(engine._executions.values()) if child.get("mapRunArn") == run["mapRunArn"]]


def _write(engine, parameters: dict, state: dict, execution: dict) -> dict:
    run, children = _map_run(engine, state, execution)
    s3 = athena_integration.client("s3")

    def put(key: str, body: bytes) -> None:
        try:
            s3.put_object(Bucket=parameters["Bucket"], Key=key, Body=body)
        except ClientError as error:
            raise engine._ExecutionError("States.ResultWriterFailed", f"{parameters['Bucket']}/{key}: {error}") from error

    return map_results.write(put, parameters, run["mapRunArn"], children)


def _stopping_children(engine, add_event):
    def add(execution: dict, event_type: str, details: dict) -> None:
        run = engine._map_runs.get(execution.get("mapRunArn"))
        if run and event_type == "TaskScheduled" and engine._executions[run["executionArn"]]["status"] == "ABORTED":
            raise Stopped
        add_event(execution, event_type, details)

    return add


def _end_stopped(engine, state: dict, execution: dict) -> None:
    """A child that ran has the status ABORTED; one that would have begun afterwards never was."""
    if execution["status"] != "ABORTED":
        return
    _, children = _map_run(engine, state, execution)
    for child in children:
        if not child["events"]:
            del engine._executions[child["executionArn"]]
        elif child["status"] == "FAILED" and child["stopDate"] >= execution["stopDate"]:
            child |= {"status": "ABORTED", "error": None, "cause": None}
