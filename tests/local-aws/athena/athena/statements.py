"""Tells statements apart, and runs those that are no query."""

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from . import ddl, writing
from .catalog import Table, View, encode_view
from .dialect import parse_query
from .errors import InvalidRequest, NotSupportedLocally, QueryError
from .projection import typed
from .storage import folder
from .types import hive, parse_hive, trino

if TYPE_CHECKING:
    from .engine import Answer, Engine, Run, Sink

COMMENTS = re.compile(r"^\s*(--[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)
ENFORCED = (
    "The Create Table As Select query failed because it was submitted with an 'external_location' property to an Athena Workgroup that "
    "enforces a centralized output location for all queries. Please remove the 'external_location' property and resubmit the query."
)
# What Athena has besides, and the words that its statements begin with.
OTHER_STATEMENTS = ("EXPLAIN", "UNLOAD", "MSCK", "DESCRIBE", "DESC", "SHOW", "ALTER", "CREATE", "DROP", "PREPARE", "EXECUTE", "DEALLOCATE")
OTHER_STATEMENTS += ("DELETE", "UPDATE", "MERGE", "OPTIMIZE", "VACUUM", "USING")


def without_comments(sql: str) -> str:
    text = sql
    while match := COMMENTS.match(text):
        text = text[match.end() :]
    return text.strip()


def is_query(text: str) -> bool:
    return re.match(r"(select|with|values|table)\b|\(", text, re.IGNORECASE) is not None


def check(sql: str, database: str, enforced: bool) -> None:
    """What Athena refuses before there is a query execution: syntax, and where a table may not be put."""
    text = without_comments(sql)
    try:
        if is_query(text):
            parse_query(sql)
        elif (statement := _create_table_as(text, database)) is not None:
            if enforced and "external_location" in statement.properties:
                raise InvalidRequest(ENFORCED)
            parse_query(statement.query)
        elif not text.split() or text.split()[0].upper() not in (*OTHER_STATEMENTS, "INSERT"):
            raise ddl.Reader(text).fail()
    except QueryError as error:
        if error.code == "SYNTAX_ERROR":
            raise InvalidRequest(error.message, code="MALFORMED_QUERY") from error
        if not isinstance(error, NotSupportedLocally):
            raise


def _create_table_as(text: str, database: str) -> ddl.CreateTableAs | None:
    reader = ddl.Reader(text)
    return ddl.create_table_as(reader, database) if reader.takes("CREATE TABLE") else None


def statement_type(sql: str) -> str:
    """DDL, DML or UTILITY: what GetQueryExecution reports."""
    first = [word.upper() for word in without_comments(sql).split()[:1]]
    if first == ["SHOW"] or first == ["DESCRIBE"] or first == ["EXPLAIN"]:
        return "UTILITY"
    if first in (["CREATE"], ["ALTER"], ["DROP"], ["MSCK"]):
        return "DDL"
    return "DML"


def run_statement(engine: "Engine", sql: str, run: "Run", sink: "Sink") -> "Answer":
    text = without_comments(sql)
    if is_query(text):
        return engine.select(sql, run, sink)
    try:
        return Statement(engine, text, run, sink).run()
    except ClientError as error:
        details = error.response["Error"]
        raise QueryError("GLUE", f"{details['Code']}: {details['Message']}") from error


class Statement:
    def __init__(self, engine: "Engine", text: str, run: "Run", sink: "Sink") -> None:
        self.engine = engine
        self.execution = run
        self.sink = sink
        self.reader = ddl.Reader(text)

    def run(self) -> "Answer":
        reader, database = self.reader, self.execution.database
        if reader.takes("CREATE EXTERNAL TABLE"):
            return self._create_table(ddl.create_table(reader, database))
        if reader.takes("CREATE TABLE"):
            statement = ddl.create_table_as(reader, database)
            if self.execution.enforced and "external_location" in statement.properties:
                raise InvalidRequest(ENFORCED)
            return self._answer("DDL", "CREATE_TABLE_AS_SELECT", writing.create_table_as(self.engine, statement, self.execution))
        if reader.takes("CREATE OR REPLACE VIEW"):
            return self._create_view(replace=True)
        if reader.takes("CREATE VIEW"):
            return self._create_view(replace=False)
        if reader.takes("DROP TABLE") or reader.takes("DROP VIEW"):
            return self._drop_table()
        if reader.takes("ALTER TABLE"):
            return self._alter_table()
        if reader.takes("INSERT INTO"):
            return self._insert()
        if reader.takes("SHOW TABLES"):
            return self._show_tables()
        if reader.takes("SHOW PARTITIONS"):
            return self._show_partitions()
        raise NotSupportedLocally(f"the statement {' '.join(token.text for token in reader.tokens[:2]).upper()}")

    def _answer(self, type_: str, kind: str, count: int | None = None) -> "Answer":
        from .engine import Answer

        return Answer([], [], type_, kind, update_count=count)

    def _required(self, database: str, name: str) -> Table:
        table = self.engine.catalog.table(database, name)
        if table is None:
            raise QueryError("TABLE_NOT_FOUND", f"Table 'awsdatacatalog.{database}.{name}' does not exist")
        return table

    # Tables and views

    def _create_table(self, statement: ddl.CreateTable) -> "Answer":
        answer = self._answer("DDL", "CREATE_TABLE")
        if self.engine.catalog.table(statement.database, statement.name) is not None:
            if statement.if_not_exists:
                return answer
            raise QueryError("TABLE_ALREADY_EXISTS", f"Table 'awsdatacatalog.{statement.database}.{statement.name}' already exists")
        for _, type_ in statement.columns + statement.partition_keys:
            parse_hive(type_)
        if not statement.location:
            raise QueryError("INVALID_TABLE_PROPERTY", "CREATE EXTERNAL TABLE needs a LOCATION")
        serde = {"SerializationLibrary": statement.serde, "Parameters": {"serialization.format": "1"} | statement.serde_properties}
        self.engine.catalog.create_table(
            statement.database,
            {
                "Name": statement.name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "TRUE"} | statement.properties,
                "PartitionKeys": [{"Name": name, "Type": type_} for name, type_ in statement.partition_keys],
                "StorageDescriptor": {
                    "Columns": [{"Name": name, "Type": type_} for name, type_ in statement.columns],
                    "Location": statement.location,
                    "InputFormat": statement.input_format,
                    "OutputFormat": statement.output_format,
                    "SerdeInfo": serde,
                },
            },
        )
        return answer

    def _create_view(self, replace: bool) -> "Answer":
        database, name = self.reader.table(self.execution.database)
        self.reader.expect("AS")
        query = self.reader.rest().rstrip().rstrip(";").rstrip()
        _, relation = self.engine.plan(query, self.execution.database)
        columns = tuple((output.name.lower(), trino(output.type)) for output in relation.outputs)
        table_input = {
            "Name": name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [{"Name": output.name.lower(), "Type": hive(output.type)} for output in relation.outputs],
                "Location": "",
                "SerdeInfo": {"Name": "-", "SerializationLibrary": "-"},
            },
            "ViewOriginalText": encode_view(View(query, self.execution.database, columns)),
            "ViewExpandedText": "/* Presto View */",
        }
        there = self.engine.catalog.table(database, name)
        if there is not None and (not replace or there.view is None):
            raise QueryError("TABLE_ALREADY_EXISTS", f"line 1:1: Table already exists: 'awsdatacatalog.{database}.{name}'")
        if there is None:
            self.engine.catalog.create_table(database, table_input)
        else:
            self.engine.catalog.replace_table(database, table_input)
        return self._answer("DDL", "CREATE_VIEW")

    def _drop_table(self) -> "Answer":
        if_exists = self.reader.takes("IF EXISTS")
        database, name = self.reader.table(self.execution.database)
        self.reader.end()
        if self.engine.catalog.table(database, name) is not None:
            # The data of an external table stays.
            self.engine.catalog.drop_table(database, name)
        elif not if_exists:
            raise QueryError("FAILED", f"SemanticException [Error 10001]: Table not found {database}.{name}")
        return self._answer("DDL", "DROP_TABLE")

    # Partitions

    def _alter_table(self) -> "Answer":
        reader = self.reader
        table = self._required(*reader.table(self.execution.database))
        if reader.takes("ADD"):
            if_not_exists = reader.takes("IF NOT EXISTS")
            while reader.takes("PARTITION"):
                values = self._values(table, reader.partition())
                location = reader.text() if reader.takes("LOCATION") else self._default_location(table, values)
                if any(partition.values == values for partition in self.engine.catalog.partitions(table)):
                    if if_not_exists:
                        continue
                    message = "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. AlreadyExistsException(message:Partition already exists.)"
                    raise QueryError("FAILED", message)
                self.engine.catalog.add_partition(table, values, location)
            reader.end()
            return self._answer("DDL", "ALTER_TABLE_ADD_PARTITION")
        if reader.takes("DROP"):
            if_exists = reader.takes("IF EXISTS")
            while reader.takes("PARTITION"):
                values = self._values(table, reader.partition())
                reader.takes(",")
                if any(partition.values == values for partition in self.engine.catalog.partitions(table)):
                    self.engine.catalog.drop_partition(table, values)
                elif not if_exists:
                    shown = ", ".join(f"{key.name} = '{value}'" for key, value in zip(table.partition_keys, values, strict=True))
                    raise QueryError("FAILED", f"SemanticException [Error 10006]: Partition not found ({shown})")
            reader.end()
            return self._answer("DDL", "ALTER_TABLE_DROP_PARTITION")
        raise NotSupportedLocally(f"ALTER TABLE ... {reader.peek().text.upper()}")

    @staticmethod
    def _values(table: Table, given: dict[str, str]) -> tuple[str, ...]:
        keys = [key.name for key in table.partition_keys]
        if sorted(given) != sorted(keys):
            raise QueryError(
                "FAILED", f"SemanticException partition spec {given} doesn't contain all (or has other than) partition columns {keys}"
            )
        # A number is kept as Hive writes it.
        return tuple(str(typed(key, given[key.name])) for key in table.partition_keys)

    @staticmethod
    def _default_location(table: Table, values: tuple[str, ...]) -> str:
        return folder(table.location) + "".join(f"{key.name}={value}/" for key, value in zip(table.partition_keys, values, strict=True))

    # Rows and lists

    def _insert(self) -> "Answer":
        table = self._required(*self.reader.table(self.execution.database))
        names = []
        if self.reader.peek().text == "(" and self.reader.tokens[self.reader.index + 1].text.upper() not in ("SELECT", "WITH", "VALUES"):
            self.reader.expect("(")
            while not self.reader.takes(")"):
                names.append(self.reader.name())
                self.reader.takes(",")
        query = self.reader.rest().rstrip().rstrip(";")
        return self._answer("DML", "INSERT", writing.insert(self.engine, table, names, query, self.execution))

    def _show_tables(self) -> "Answer":
        database = self.reader.name() if self.reader.takes("IN") or self.reader.takes("FROM") else self.execution.database
        names = self.engine.catalog.table_names(database)
        if self.reader.takes("LIKE") or not self.reader.ended and self.reader.peek().kind == "string":
            pattern = self.reader.text().replace("*", ".*")
            names = [name for name in names if re.fullmatch(pattern, name)]
        self.reader.end()
        return self._list("tab_name", names, "SHOW_TABLES")

    def _show_partitions(self) -> "Answer":
        table = self._required(*self.reader.table(self.execution.database))
        self.reader.end()
        keys = [key.name for key in table.partition_keys]
        partitions = self.engine.catalog.partitions(table)
        shown = sorted("/".join(f"{key}={value}" for key, value in zip(keys, partition.values, strict=True)) for partition in partitions)
        return self._list("partition", shown, "SHOW_PARTITIONS")

    def _list(self, name: str, texts: list[str], kind: str) -> "Answer":
        answer = self._answer("UTILITY", kind)
        answer.columns = [(name, "varchar")]
        self.sink(answer.columns, iter([text] for text in texts))
        return answer
