"""The workflow compact-logs over the local Athena: its definition, walked state by state, with its own SQL.

It knows as much of the States Language as the definition uses. The engines themselves run it in tests/e2e/tests/suite/athena.
"""

import json
import uuid
from pathlib import Path

from jsonata.jsonata import Jsonata

import sample_archive
from local import DATABASE, ROOT, QueryError

DEFINITION = ROOT / "statemachine/compact-logs.asl.json"


class Failed(Exception):
    """An execution, or a child, that failed: the error's name and its cause."""

    def __init__(self, error, cause):
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


class Compaction:
    """Each statement passes through `changed` before it is made."""

    def __init__(self, athena, changed=lambda sql: sql):
        prefix = f"{athena.prefix}/" if athena.prefix else ""
        values = {"ArchiveBucketName": sample_archive.BUCKET, "S3PrefixSlash": prefix, "DatabaseName": DATABASE}
        text = DEFINITION.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value)
        self.definition = json.loads(text)
        self.athena, self.changed = athena, changed
        self.answers, self.failures = {}, []

    def run(self, *months):
        """The output, or Failed."""
        self.failures = []
        return self.walk(self.definition, {"months": list(months)})

    def walk(self, machine, data):
        variables, name = {}, machine["StartAt"]
        while True:
            state = machine["States"][name]
            states = {"input": data}
            if state["Type"] == "Succeed":
                return data
            if state["Type"] == "Fail":
                raise Failed(*(evaluate(state[field], variables, states) for field in ("Error", "Cause")))
            rule = state
            if state["Type"] == "Choice":
                matches = (choice for choice in state["Choices"] if evaluate(choice["Condition"], variables, states) is True)
                rule = next(matches, {"Next": state["Default"]})
            elif state["Type"] == "Map":
                data = data | {"map": self.children(state["ItemProcessor"], self.answers[Path(data["key"]).stem])}
            elif state["Type"] == "Task":
                try:
                    states["result"] = self.task(state["Resource"], evaluate(state["Arguments"], variables, states))
                except QueryError as error:
                    if "Catch" not in state:
                        raise Failed("States.TaskFailed", str(error)) from error
                    rule, states["errorOutput"] = state["Catch"][0], {"Error": "States.TaskFailed", "Cause": str(error)}
            assigned = evaluate(rule.get("Assign", {}), variables, states)
            data = evaluate(rule["Output"], variables, states) if "Output" in rule else data
            variables |= assigned
            if rule.get("End"):
                return data
            name = rule["Next"]

    def task(self, resource, arguments):
        if resource.endswith(":getQueryResults"):
            answer = self.answers[arguments["QueryExecutionId"]]
            rows = [[name for name, _ in answer.columns], *answer.rows][: arguments.get("MaxResults", 1000)]
            cells = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
            return {"ResultSet": {"Rows": cells}}
        query_id = str(uuid.uuid4())
        self.answers[query_id] = self.athena.query(self.changed(arguments["QueryString"]))
        place = {"OutputLocation": f"s3://work/compaction/{query_id}.csv"}
        return {"QueryExecution": {"QueryExecutionId": query_id, "ResultConfiguration": place}}

    def children(self, machine, listed):
        for row in listed.rows:
            item = {name: value or "" for (name, _), value in zip(listed.columns, row)}
            try:
                self.walk(machine, item)
            except Failed as failed:
                self.failures.append((item["log_group"], failed.error, failed.cause))
        return {"MapRunArn": "a-map-run"}


def evaluate(template, variables, states):
    if isinstance(template, list):
        return [evaluate(item, variables, states) for item in template]
    if isinstance(template, dict):
        return {key: evaluate(value, variables, states) for key, value in template.items()}
    if not isinstance(template, str) or not template.startswith("{%"):
        return template
    compiled = Jsonata(template[2:-2])
    compiled.register_lambda("uuid", lambda: str(uuid.uuid4()))
    value = compiled.evaluate(None, variables | {"states": states})
    assert value is not None, f"Step Functions fails on an undefined value: {template}"
    return value
