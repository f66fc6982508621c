"""Teaches moto's interpreter the tasks of Athena, which LocalStack's has not."""

from typing import Any

import athena_tasks


def install() -> None:
    from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
    from moto.stepfunctions.parser.asl.utils import boto_client

    class StateTaskServiceAthena(StateTaskService):
        def _get_supported_parameters(self) -> set[str] | None:
            # Any: Athena itself refuses what it does not know. None at all would refuse the action.
            return set() if self.resource.api_action in athena_tasks.ACTIONS else None

        def _get_sfn_resource(self) -> str:
            return f"{self.resource.api_action}.sync" if self._is_sync() else self.resource.api_action

        def _is_sync(self) -> bool:
            return self.resource.condition is ResourceCondition.Sync

        def _eval_service_task(self, env: Any, resource_runtime_part: Any, normalised_parameters: dict, state_credentials: Any) -> None:
            client = boto_client.boto_client_for(region=resource_runtime_part.region, service="athena", state_credentials=state_credentials)
            try:
                result = athena_tasks.run(client, self.resource.api_action, self._is_sync(), normalised_parameters, env.is_running)
            except athena_tasks.TaskFailed as failed:
                raise FailureEventException(self._failure(env, failed)) from failed
            env.stack.append(result)

        def _failure(self, env: Any, failed: athena_tasks.TaskFailed) -> FailureEvent:
            task_failed = StatesErrorNameType.StatesTaskFailed
            name = StatesErrorName(typ=task_failed) if failed.error == task_failed.to_name() else CustomErrorName(failed.error)
            details = TaskFailedEventDetails(
                resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type(), error=failed.error, cause=failed.cause
            )
            return FailureEvent(
                env=env, error_name=name, event_type=HistoryEventType.TaskFailed, event_details=EventDetails(taskFailedEventDetails=details)
            )

    service_for = state_task_factory.state_task_service_for
    state_task_factory.state_task_service_for = lambda service_name: (
        StateTaskServiceAthena() if service_name == "athena" else service_for(service_name)
    )
