"""What moto's Step Functions interpreter needs to run this project's workflow against the local AWS, and to show what AWS would show.

moto carries LocalStack's interpreter, which expects a JVM for JSONata, services in its own process, and real time. Here
- tasks call the stack's endpoint;
- JSONata is evaluated by jsonata-python, the port of the reference implementation;
- Wait and Retry delays are scaled;
- Athena's queries are run (athena_integration.py), which moto does not know;
- each child of a Distributed Map is an execution of its own (children.py), as in AWS, where moto throws its history away, and
  knows nothing of its parent's variables, as in AWS, where moto hands them on;
- a Distributed Map's results are written to S3 (map_runs.py), as in AWS;
- an execution can be asked about from its start on, and has ended only when all of its end can be read.
"""

import datetime
import functools
import hashlib
import json
import random
import re
import threading
import time
import uuid
from types import SimpleNamespace
from typing import Any

import boto3
import athena_integration
import children
import map_runs
from botocore.config import Config
from jsonata import Jsonata
from jsonata.utils import Utils
from moto.stepfunctions.parser.asl.utils import boto_client

NULL = Utils.NULL_VALUE


def adapt(endpoint_url: str, account_id: str, wait_scale: float) -> None:
    # First: the modules that call AWS take the function by name when they are imported.
    boto_client.boto_client_for = client_of(endpoint_url, account_id)
    take_whole_percentages()
    name_refused_definitions()
    name_services_as_aws()
    case_members_as_aws()
    name_nested_executions()
    assign_at_the_end_of_a_state()
    evaluate_jsonata_in_python()
    scale_delays(wait_scale)
    tell_of_executions_as_aws()
    athena_integration.install()
    executions = children.ChildExecutions()
    executions.install()
    map_runs.install(executions)


# The definition


def take_whole_percentages() -> None:
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser as Parser

    parse = Parser.parse

    # moto's grammar has a ToleratedFailurePercentage of 100.0, and not one of 100.
    def parse_definition(definition: str):
        return parse(re.sub(r'("ToleratedFailurePercentage"\s*:\s*\d+)(?=\s*[,}])', r"\1.0", definition))

    Parser.parse = staticmethod(parse_definition)


def name_refused_definitions() -> None:
    from moto.core.exceptions import JsonRESTError
    from moto.stepfunctions.parser.api import InvalidDefinition
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend as Backend

    validate = Backend._validate_definition

    # moto's answer would have no error code.
    def validate_definition(definition: str) -> None:
        try:
            validate(definition=definition)
        except InvalidDefinition as error:
            raise JsonRESTError("InvalidDefinition", error.message) from error

    Backend._validate_definition = staticmethod(validate_definition)


# Calls to AWS


def client_of(endpoint_url: str, account_id: str):
    session = boto3.session.Session()
    lock = threading.Lock()

    # A client takes tens of milliseconds to make, and serves any number of threads.
    @functools.cache
    def client(service: str, region: str):
        return session.client(
            service,
            endpoint_url=endpoint_url,
            region_name=region,
            # Tells the account.
            aws_access_key_id=account_id,
            aws_secret_access_key="local",
            # Retries are the state machine's; the time limit of a task ends its state, not its call.
            config=Config(
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                connect_timeout=60,
                read_timeout=900,
                max_pool_connections=100,
            ),
        )

    def client_for(region: str, service: str, state_credentials: Any = None):
        # Making clients is not safe in several threads at a time.
        with lock:
            return client(service, region)

    return client_for


def name_services_as_aws() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service, state_task_service_aws_sdk

    # moto takes the service's name in a resource for boto's, and for the one in error names.
    state_task_service.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES["cloudwatchlogs"] = "logs"
    state_task_service_aws_sdk._SERVICE_ERROR_NAMES["cloudwatchlogs"] = "CloudWatchLogs"


def case_members_as_aws() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import StateTaskServiceAwsSdk
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import StateTaskServiceSfn

    def operation(task, action):
        client = boto_client.boto_client_for(region="us-east-1", service=task._get_boto_service_name())
        model = client.meta.service_model
        return model.operation_model(client.meta.method_to_api_mapping[action or task._get_boto_service_action()])

    # A workflow writes every member's name in PascalCase, whatever the service does; moto leaves that to its own services.
    def to_service(normalise):
        def normalise_and_case(self, parameters: dict, boto_service_name=None, service_action_name=None) -> None:
            normalise(self, parameters, boto_service_name, service_action_name)
            self._to_boto_request(parameters, operation(self, service_action_name).input_shape)

        return normalise_and_case

    def from_service(self, response: Any, boto_service_name=None, service_action_name=None) -> None:
        if shape := operation(self, service_action_name).output_shape:
            self._from_boto_response(response, shape)

    for task in (StateTaskServiceAwsSdk, StateTaskServiceSfn):
        task._normalise_parameters, task._normalise_response = to_service(task._normalise_parameters), from_service


def name_nested_executions() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import StateTaskServiceSfn

    normalise = StateTaskServiceSfn._normalise_parameters

    # moto would name all those without a name alike, and refuse the second.
    def normalise_and_name(self, parameters: dict, boto_service_name=None, service_action_name=None) -> None:
        if service_action_name is None and self._get_boto_service_action() == "start_execution":
            parameters.setdefault("Name", str(uuid.uuid4()))
        normalise(self, parameters, boto_service_name, service_action_name)

    StateTaskServiceSfn._normalise_parameters = normalise_and_name


# Variables


def assign_at_the_end_of_a_state() -> None:
    from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
    from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    # moto assigns before it evaluates Output, which then sees the new values; in AWS both see the old ones.
    def evaluate_declarations(self, env) -> None:
        declarations = {}
        for binding in self.declaration_bindings:
            binding.eval(env=env)
            declarations.update(env.stack.pop())
        env.variable_store.declared = declarations

    def assigning(set_next):
        def assign_and_set_next(self, env) -> None:
            store = env.variable_store
            for name, value in getattr(store, "declared", {}).items():
                store.set(variable_identifier=name, variable_value=value)
            store.declared = {}
            set_next(self, env)

        return assign_and_set_next

    AssignDecl._eval_body = evaluate_declarations
    for state in (CommonStateField, StateChoice):
        state._set_next = assigning(state._set_next)


# JSONata


class Undefined(Exception):
    """An expression had no result."""


def evaluate(expression: str, bindings: dict[str, Any]) -> Any:
    compiled = Jsonata.jsonata(expression)
    compiled.set_output_convert_nulls(False)
    for name, function in FUNCTIONS.items():
        compiled.register_lambda(name, function)
    result = compiled.evaluate(None, {name: with_nulls(value) for name, value in bindings.items()})
    if result is None:
        raise Undefined
    return without_nulls(result)


def with_nulls(value: Any) -> Any:
    """A JSON value as jsonata-python takes it: its None is JSONata's undefined."""
    if value is None:
        return NULL
    if isinstance(value, dict):
        return {key: with_nulls(member) for key, member in value.items()}
    if isinstance(value, list):
        return [with_nulls(item) for item in value]
    if isinstance(value, datetime.datetime):
        # Of the context object.
        return value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def without_nulls(value: Any) -> Any:
    """The JSON value of a result."""
    if value is NULL:
        return None
    if isinstance(value, dict):
        return {key: without_nulls(member) for key, member in value.items()}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"{type(value).__name__} is no JSON value")


def partition(array: list, size: int) -> list:
    return [array[start : start + int(size)] for start in range(0, len(array), int(size))]


# What Step Functions adds to JSONata.
FUNCTIONS = {
    "parse": lambda text: with_nulls(json.loads(text)),
    "partition": partition,
    "range": lambda first, last, step: list(range(int(first), int(last) + (1 if step > 0 else -1), int(step))),
    "hash": lambda text, algorithm: hashlib.new(algorithm.replace("-", ""), text.encode()).hexdigest(),
    "random": lambda seed=None: random.Random(seed).random(),
    "uuid": lambda: str(uuid.uuid4()),
}


def evaluate_jsonata_in_python() -> None:
    from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
    from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    def fail(env, cause: str):
        error = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
        details = EventDetails(
            evaluationFailedEventDetails=EvaluationFailedEventDetails(
                error=error.error_name, cause=cause, state=env.next_state_name or ""
            )
        )
        event = FailureEvent(env=env, error_name=error, event_type=HistoryEventType.EvaluationFailed, event_details=details)
        raise FailureEventException(failure_event=event)

    # Instead of moto's, which writes every value into the text of the expression, unescaped.
    def evaluate_in(self, env) -> None:
        store = env.variable_store
        states = dict(env.states._states_data)
        for name in ("result", "errorOutput"):
            if states.get(name) is None:
                states.pop(name, None)
        bindings = {**store._outer_scope, **store._inner_scope, "states": states}
        try:
            env.stack.append(evaluate(self.expression, bindings))
        except Undefined:
            fail(env, f"The JSONata expression '{self.expression}' returned nothing (undefined).")
        except Exception as error:
            fail(env, f"The JSONata expression '{self.expression}' could not be evaluated: {getattr(error, 'error', None) or ''} {error}")

    StringJSONata._eval_body = evaluate_in


# Time


def scale_delays(scale: float) -> None:
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

    # The only use of `time` there is the delay before the next attempt.
    retrier_decl.time = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds * scale))

    # Instead of moto's, which counts whole seconds and would never reach the end of a fraction of one.
    def wait(self, env, wait_seconds: float) -> None:
        deadline = time.monotonic() + wait_seconds * scale
        while env.is_running() and (left := deadline - time.monotonic()) > 0:
            env.program_state_event.wait(left)

    WaitFunction._wait_interval = wait


# What is told of an execution


def tell_of_executions_as_aws() -> None:
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication as Communication
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend as Backend

    reflect, list_map_runs = Communication._reflect_execution_status, Backend.list_map_runs

    # moto shows the end before what belongs to it.
    def reflect_as_a_whole(self) -> None:
        ended = SimpleNamespace(exec_worker=self.execution.exec_worker)
        reflect(SimpleNamespace(execution=ended))
        status = ended.__dict__.pop("exec_status")
        self.execution.__dict__.update(ended.__dict__)
        self.execution.exec_status = status

    # moto answers 500 until it has read the definition.
    def list_map_runs_of_any(self, execution_arn: str) -> dict:
        worker = self.describe_execution(execution_arn=execution_arn).exec_worker
        if worker is None or worker.env is None:
            return {"mapRuns": []}
        return list_map_runs(self, execution_arn)

    Communication._reflect_execution_status, Backend.list_map_runs = reflect_as_a_whole, list_map_runs_of_any
