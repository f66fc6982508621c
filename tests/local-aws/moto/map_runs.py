"""Corrects what moto does with the reader and the writer of a Distributed Map.

Its ResultWriter takes its Parameters from the Map's results instead of its input, and writes an empty manifest. Neither has an error of its
own, so that no catcher can name it.
"""

import map_results


def install(children) -> None:
    write_results(children)
    name_errors()


def write_results(children) -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
        DistributedIterationComponent as DistributedMap,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.result_writer_decl import ResultWriter
    from moto.stepfunctions.parser.asl.utils import boto_client

    evaluate = DistributedMap._eval_body

    # The writer itself would take the execution's newest map run, which may be that of a parallel branch.
    def run_map(self, env) -> None:
        env.written_map_run = env.stack[-1].map_run_record
        evaluate(self, env)

    def write(self, env) -> None:
        env.stack.pop()  # The results; below them is what the state had before.
        env.stack.append(env.states.get_input())
        self.parargs.eval(env=env)
        parameters = env.stack.pop()
        env.stack.pop()
        run = env.written_map_run
        of_run = [described(child) for child in list(children.by_arn.values()) if child.map_run_arn == run.map_run_arn]
        s3 = boto_client.boto_client_for(region=run.map_run_arn.split(":")[3], service="s3")

        def put(key: str, body: bytes) -> None:
            s3.put_object(Bucket=parameters["Bucket"], Key=key, Body=body)

        env.stack.append(map_results.write(put, parameters, run.map_run_arn, of_run))

    DistributedMap._eval_body, ResultWriter._eval_body = run_map, write


def described(child) -> dict:
    times = {"startDate": child.started, "stopDate": child.stopped}
    texts = {name: time.isoformat(timespec="milliseconds").replace("+00:00", "Z") for name, time in times.items()}
    return child.described() | texts


def name_errors() -> None:
    from botocore.exceptions import ClientError
    from moto.stepfunctions.parser.api import HistoryEventType, MapRunFailedEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType as Names
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import ItemReader
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.result_writer_decl import ResultWriter
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    def naming(evaluate, name):
        def evaluate_and_name(self, env) -> None:
            try:
                evaluate(self, env)
            except ClientError as error:
                failed = StatesErrorName(typ=name)
                details = EventDetails(mapRunFailedEventDetails=MapRunFailedEventDetails(error=failed.error_name, cause=str(error)))
                event = FailureEvent(env=env, error_name=failed, event_type=HistoryEventType.MapRunFailed, event_details=details)
                raise FailureEventException(failure_event=event) from error

        return evaluate_and_name

    ItemReader._eval_body = naming(ItemReader._eval_body, Names.StatesItemReaderFailed)
    ResultWriter._eval_body = naming(ResultWriter._eval_body, Names.StatesResultWriterFailed)
