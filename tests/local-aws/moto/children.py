"""The children of a Distributed Map as executions of their own, which moto runs as parts of their parent.

Each has a history, a context object and variables of its own, as in AWS, and ListExecutions, DescribeExecution and GetExecutionHistory
know it.
"""

import datetime
import json
import threading
import uuid


class Child:
    def __init__(self, map_run) -> None:
        self.name = str(uuid.uuid4())
        self.map_run_arn = map_run.map_run_arn
        self.state_machine_arn = map_run.map_state_machine_arn
        self.arn = f"{self.state_machine_arn.replace(':stateMachine:', ':execution:')}:{self.name}"
        self.started = datetime.datetime.now(tz=datetime.timezone.utc)
        self.stopped = None
        self.status = "RUNNING"
        self.input = None
        self.output = None
        self.failure = {}
        self.events = None

    def listed(self) -> dict:
        item = {
            "executionArn": self.arn,
            "stateMachineArn": self.state_machine_arn,
            "mapRunArn": self.map_run_arn,
            "name": self.name,
            "status": self.status,
            "startDate": self.started,
        }
        return item | ({"stopDate": self.stopped} if self.stopped else {})

    def described(self) -> dict:
        item = self.listed() | {"input": json.dumps(self.input)} | self.failure
        return item | ({"output": json.dumps(self.output)} if self.status == "SUCCEEDED" else {})


class ChildExecutions:
    """Every child of every Distributed Map, for ListExecutions, DescribeExecution and GetExecutionHistory."""

    def __init__(self) -> None:
        self.by_arn: dict[str, Child] = {}
        self.of_frame = threading.local()

    def install(self) -> None:
        self.record()
        self.answer()

    def record(self) -> None:
        from moto.stepfunctions.parser.api import (
            ExecutionFailedEventDetails,
            ExecutionStartedEventDetails,
            ExecutionSucceededEventDetails,
            HistoryEventType,
        )
        from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.distributed_item_processor_worker import (
            DistributedItemProcessorWorker as Worker,
        )
        from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
        from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext, EventManager
        from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped, ProgramTimedOut
        from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

        select_item, evaluate_job = Worker._eval_input, Worker._eval_job

        def begin(worker, env_frame) -> None:
            # The parent's ItemSelector still sees the parent's variables and context.
            select_item(worker, env_frame)
            env = env_frame
            child = Child(worker._map_run_record)
            child.input = env.states.get_input()
            env.event_manager = EventManager()
            env.event_history_context = EventHistoryContext.of_program_start()
            env.variable_store = VariableStore()
            context = env.states.context_object.context_object_data
            context["Execution"] = context["Execution"] | {
                "Id": child.arn,
                "Name": child.name,
                "Input": child.input,
                "StartTime": child.started,
            }
            details = ExecutionStartedEventDetails(input=json.dumps(child.input), roleArn=env.aws_execution_details.role_arn)
            env.event_manager.add_event(
                context=env.event_history_context,
                event_type=HistoryEventType.ExecutionStarted,
                event_details=EventDetails(executionStartedEventDetails=details),
                update_source_event_id=False,
            )
            child.events = env.event_manager
            self.of_frame.child = child
            self.by_arn[child.arn] = child

        def run(worker, env, job) -> None:
            if isinstance(env.program_state(), ProgramStopped):
                # moto goes on to the remaining items of a stopped execution.
                job.job_output = None
                return
            self.of_frame.child = None
            evaluate_job(worker, env, job)
            child = self.of_frame.child
            if child is None:
                return
            child.stopped = datetime.datetime.now(tz=datetime.timezone.utc)
            state = env.program_state()
            # A task that a stop interrupts ends its child with an error of moto's own, so that the parent's state counts.
            if isinstance(worker._env.program_state(), ProgramStopped):
                status, event, details = "ABORTED", HistoryEventType.ExecutionAborted, None
            elif isinstance(state, ProgramError):
                child.failure = {key: text for key in ("error", "cause") if (text := state.error.get(key)) is not None}
                status, event = "FAILED", HistoryEventType.ExecutionFailed
                details = EventDetails(executionFailedEventDetails=ExecutionFailedEventDetails(**child.failure))
            elif isinstance(state, ProgramTimedOut):
                status, event, details = "TIMED_OUT", HistoryEventType.ExecutionTimedOut, None
            else:
                child.output = job.job_output
                status, event = "SUCCEEDED", HistoryEventType.ExecutionSucceeded
                output = ExecutionSucceededEventDetails(output=json.dumps(child.output))
                details = EventDetails(executionSucceededEventDetails=output)
            env.event_manager.add_event(context=env.event_history_context, event_type=event, event_details=details)
            # Last: whoever sees that it has ended finds all of its end.
            child.status = status

        Worker._eval_input, Worker._eval_job = begin, run

    def answer(self) -> None:
        from moto.core.responses import ActionResult
        from moto.stepfunctions.responses import StepFunctionResponse as Response

        list_executions, describe, history = Response.list_executions, Response.describe_execution, Response.get_execution_history

        def list_children(response):
            map_run_arn, status = response._get_param("mapRunArn"), response._get_param("statusFilter")
            if map_run_arn is None:
                return list_executions(response)
            of_run = [child for child in list(self.by_arn.values()) if child.map_run_arn == map_run_arn]
            return ActionResult({"executions": [child.listed() for child in of_run if status in (None, child.status)]})

        def describe_child(response):
            child = self.by_arn.get(response._get_param("executionArn"))
            return describe(response) if child is None else ActionResult(child.described())

        def history_of_child(response):
            child = self.by_arn.get(response._get_param("executionArn"))
            return history(response) if child is None else ActionResult({"events": child.events.get_event_history()})

        Response.list_executions, Response.describe_execution, Response.get_execution_history = list_children, describe_child, history_of_child
