"""Corrects how startExecution.sync fails: in AWS with States.TaskFailed and the execution's description as the cause, in ministack with the
execution's own error."""

import json


def correct() -> None:
    from ministack.services import stepfunctions

    def failure(description: dict) -> tuple[str, str]:
        return "States.TaskFailed", json.dumps({name[0].upper() + name[1:]: value for name, value in description.items()})

    stepfunctions._nested_execution_failure = failure
