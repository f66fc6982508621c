"""The Glue Data Catalog as Athena reads and changes it. Nothing is known here but what Glue and the stack's template say."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from .errors import NotSupportedLocally, QueryError
from .types import HiveType, parse_hive

VIEW_BEGIN, VIEW_END = "/* Presto View: ", " */"


@dataclass(frozen=True)
class Column:
    name: str
    type: HiveType


@dataclass(frozen=True)
class View:
    sql: str
    database: str
    # Names and types in Trino's words.
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Partition:
    values: tuple[str, ...]
    location: str


@dataclass(frozen=True)
class Table:
    database: str
    name: str
    columns: tuple[Column, ...]
    partition_keys: tuple[Column, ...]
    location: str
    serde: str
    serde_parameters: dict[str, str] = field(hash=False, default_factory=dict)
    parameters: dict[str, str] = field(hash=False, default_factory=dict)
    view: View | None = None

    @property
    def projected(self) -> bool:
        return self.parameters.get("projection.enabled", "").lower() == "true"


class Catalog:
    """`glue` is a boto3 client, or anything that has the methods of one that are called here."""

    def __init__(self, glue: Any) -> None:
        self.glue = glue

    def table(self, database: str, name: str) -> Table | None:
        try:
            answer = self.glue.get_table(DatabaseName=database, Name=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "EntityNotFoundException":
                return None
            raise
        return _table(database, answer["Table"])

    def require_database(self, database: str) -> None:
        try:
            self.glue.get_database(Name=database)
        except ClientError as error:
            if error.response["Error"]["Code"] == "EntityNotFoundException":
                raise QueryError("SCHEMA_NOT_FOUND", f"Schema {database} does not exist") from error
            raise

    def table_names(self, database: str) -> list[str]:
        tables = self._pages(self.glue.get_tables, "TableList", DatabaseName=database)
        return sorted(table["Name"].lower() for table in tables)

    def partitions(self, table: Table) -> list[Partition]:
        pages = self._pages(self.glue.get_partitions, "Partitions", DatabaseName=table.database, TableName=table.name)
        return [Partition(tuple(item["Values"]), item["StorageDescriptor"]["Location"]) for item in pages]

    def create_table(self, database: str, table_input: dict) -> None:
        self.glue.create_table(DatabaseName=database, TableInput=table_input)

    def replace_table(self, database: str, table_input: dict) -> None:
        self.glue.update_table(DatabaseName=database, TableInput=table_input)

    def drop_table(self, database: str, name: str) -> None:
        self.glue.delete_table(DatabaseName=database, Name=name)

    def add_partition(self, table: Table, values: tuple[str, ...], location: str) -> None:
        described = self.glue.get_table(DatabaseName=table.database, Name=table.name)["Table"]["StorageDescriptor"]
        descriptor = {key: value for key, value in described.items() if value is not None} | {"Location": location}
        self.glue.create_partition(
            DatabaseName=table.database,
            TableName=table.name,
            PartitionInput={"Values": list(values), "StorageDescriptor": descriptor},
        )

    def drop_partition(self, table: Table, values: tuple[str, ...]) -> None:
        self.glue.delete_partition(DatabaseName=table.database, TableName=table.name, PartitionValues=list(values))

    @staticmethod
    def _pages(operation: Any, member: str, **request: Any) -> list[dict]:
        items: list[dict] = []
        while True:
            answer = operation(**request)
            items += answer[member]
            if not answer.get("NextToken"):
                return items
            request["NextToken"] = answer["NextToken"]


def _table(database: str, described: dict) -> Table:
    name = described["Name"].lower()
    storage = described.get("StorageDescriptor") or {}
    # Views too, which have no use for it.
    serde = storage.get("SerdeInfo")
    if serde is None:
        raise QueryError("HIVE_METASTORE_ERROR", "Table storage descriptor is missing SerDe info")
    if described.get("TableType") == "VIRTUAL_VIEW":
        return Table(database, name, (), (), "", "", view=decode_view(described.get("ViewOriginalText") or ""))
    return Table(
        database=database,
        name=name,
        columns=_columns(storage.get("Columns") or []),
        partition_keys=_columns(described.get("PartitionKeys") or []),
        location=storage.get("Location") or "",
        serde=serde.get("SerializationLibrary") or "",
        serde_parameters=dict(serde.get("Parameters") or {}),
        parameters=dict(described.get("Parameters") or {}),
    )


def _columns(described: list[dict]) -> tuple[Column, ...]:
    return tuple(Column(column["Name"].lower(), parse_hive(column["Type"])) for column in described)


def decode_view(text: str) -> View:
    if not (text.startswith(VIEW_BEGIN) and text.endswith(VIEW_END)):
        raise NotSupportedLocally("a view that Athena did not make (its text is no Presto View)")
    decoded = json.loads(base64.b64decode(text[len(VIEW_BEGIN) : -len(VIEW_END)]))
    columns = tuple((column["name"].lower(), column["type"]) for column in decoded["columns"])
    return View(decoded["originalSql"], decoded["schema"], columns)


def encode_view(view: View) -> str:
    decoded = {
        "originalSql": view.sql,
        "catalog": "awsdatacatalog",
        "schema": view.database,
        "columns": [{"name": name, "type": type_} for name, type_ in view.columns],
    }
    return VIEW_BEGIN + base64.b64encode(json.dumps(decoded).encode()).decode() + VIEW_END
