"""A small archive in memory: the tables and views of infra/athena.yaml in short, and objects as an export writes them."""

import gzip
import json
from typing import Any

from athena.catalog import View, encode_view
from athena.engine import Answer, Engine
from athena.errors import QueryError
from athena.fakes import FakeGlue, FakeS3

REGEX = r"^(?:(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z) )?(.*)$"
ORDERS = "archive/log_group=/aws/lambda/orders/year=2026/month=10/"
MONTH = "log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10"
LOGS = """
SELECT numbered.object, numbered.line, numbered.event_time, numbered.message, numbered.log_group, numbered.year, numbered.month
FROM (
  SELECT "$path" AS object, row_number() OVER (PARTITION BY log_group, year, month, "$path") AS line,
    CAST(from_iso8601_timestamp(event_time) AS timestamp(3)) AS event_time, message, log_group, year, month
  FROM log_lines
) AS numbered
JOIN manifests AS manifest
  ON manifest.log_group = numbered.log_group AND manifest.year = numbered.year AND manifest.month = numbered.month
  AND starts_with(numbered.object, 's3://bucket/archive/log_group=' || manifest.log_group || '/year=2026/month=10/' || manifest.task_id || '/')
"""
LOGS_COLUMNS = (
    ("object", "varchar"),
    ("line", "bigint"),
    ("event_time", "timestamp(3)"),
    ("message", "varchar"),
    ("log_group", "varchar"),
    ("year", "integer"),
    ("month", "integer"),
)


class Archive:
    def __init__(self) -> None:
        self.glue, self.s3 = FakeGlue(), FakeS3()
        self.engine = Engine(self.glue, self.s3)
        integers = {
            "projection.enabled": "true",
            "projection.year.type": "integer",
            "projection.year.range": "2014,2099",
            "projection.month.type": "integer",
            "projection.month.range": "1,12",
            "projection.month.digits": "2",
        }
        template = "s3://bucket/archive/log_group=${log_group}/year=${year}/month=${month}/"
        self.table(
            "log_lines",
            [("event_time", "string"), ("message", "string")],
            [("log_group", "string"), ("year", "int"), ("month", "int")],
            "org.apache.hadoop.hive.serde2.RegexSerDe",
            {"input.regex": REGEX},
            integers | {"projection.log_group.type": "injected", "storage.location.template": template},
        )
        self.table(
            "manifests",
            [
                ("log_group", "string"),
                ("task_id", "string"),
                ("objects", "bigint"),
                ("warnings", "array<struct<name:string,message:string>>"),
            ],
            [("year", "int"), ("month", "int")],
            "org.openx.data.jsonserde.JsonSerDe",
            {},
            integers | {"storage.location.template": "s3://bucket/archive/manifests/year=${year}/month=${month}/"},
        )
        self.glue.create_table(
            "archive",
            {
                "Name": "logs",
                "TableType": "VIRTUAL_VIEW",
                "StorageDescriptor": {"SerdeInfo": {"Name": "-", "SerializationLibrary": "-"}},
                "ViewOriginalText": encode_view(View(LOGS, "archive", LOGS_COLUMNS)),
            },
        )

    def table(self, name: str, columns: list, keys: list, serde: str, parameters: dict, properties: dict) -> None:
        def described(items: list) -> list[dict]:
            return [{"Name": column, "Type": type_} for column, type_ in items]

        self.glue.create_table(
            "archive",
            {
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": properties,
                "PartitionKeys": described(keys),
                "StorageDescriptor": {
                    "Columns": described(columns),
                    "Location": f"s3://bucket/archive/{name}/",
                    "SerdeInfo": {"SerializationLibrary": serde, "Parameters": parameters},
                },
            },
        )

    def put(self, key: str, text: str | bytes) -> int:
        """Its size, as it is stored."""
        body = text.encode() if isinstance(text, str) else text
        if key.endswith(".gz"):
            body = gzip.compress(body, mtime=0)
        self.s3.put_object("bucket", key, body)
        return len(body)

    def manifest(self, **members: Any) -> int:
        line = {"log_group": "/aws/lambda/orders", "task_id": "task", "objects": 1, "warnings": []} | members
        return self.put("archive/manifests/year=2026/month=10/0123.json", json.dumps(line))

    def query(self, sql: str, **options: Any) -> Answer:
        return self.engine.query(sql, "archive", **options)

    def rows(self, sql: str) -> list[list[str | None]]:
        return self.query(sql).rows

    def value(self, expression: str) -> str | None:
        return self.rows(f"SELECT {expression}")[0][0]

    def failure(self, sql: str, **options: Any) -> str:
        try:
            answer = self.query(sql, **options)
        except QueryError as error:
            return str(error)
        raise AssertionError(f"not refused: {sql}: {answer.rows}")
