"""Lets ministack's CloudFormation make alarms on metric math, which it refuses. They are described, and can be set by hand; nothing evaluates
their expressions."""


def correct() -> None:
    from ministack.services.cloudformation import provisioners

    record = provisioners._cw_metric_alarm_record

    def with_metric_math(name: str, properties: dict) -> dict:
        if not properties.get("Metrics"):
            return record(name, properties)
        simple = {key: value for key, value in properties.items() if key != "Metrics"}
        alarm = record(name, simple | {"Namespace": "metric", "MetricName": "math"})
        # Without a metric, no evaluation.
        return alarm | {"Namespace": "", "MetricName": "", "Metrics": properties["Metrics"]}

    provisioners._cw_metric_alarm_record = with_metric_math
