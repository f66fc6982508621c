"""Runs Athena's SQL: what is asked is planned against the Glue catalog, what it needs is read from S3, and DuckDB executes it.

Usable without any server:

    from athena.engine import Engine
    engine = Engine(glue, s3)                      # boto3 clients, or athena.fakes.FakeGlue() and FakeS3()
    answer = engine.query("SELECT ...", "database")
    answer.columns                                 # [("event_time", "timestamp(3)"), ...]
    answer.rows                                    # [["2026-10-05 00:00:00.123", None, ...], ...], as text, as Athena gives them
    answer.scanned                                 # DataScannedInBytes

`query` runs any statement, CREATE TABLE ... AS and ALTER TABLE included. A query that fails raises `errors.QueryError`.
"""

import datetime
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from .catalog import Catalog
from .constraints import Constraints
from .errors import NotSupportedLocally, QueryCancelled, QueryError
from .expressions import Translator
from .plan import Relation, Select
from .planner import Planner
from .projection import partitions
from .pruning import prune
from .rendering import column, rendered
from .scan import Budget, Reader
from .scope import Scope
from .storage import Storage
from .typed import TypeOracle
from .types import trino
from .udfs import failure_of, register

ROWS_AT_A_TIME = 10_000


@dataclass
class Run:
    """One execution of a query: its limits, and where its results go."""

    database: str = "default"
    budget: Budget = field(default_factory=Budget)
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    # Where CREATE TABLE AS puts a table that names no place, and whether it may name one.
    output_location: str | None = None
    enforced: bool = False
    _connection: duckdb.DuckDBPyConnection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def executes_on(self, connection: duckdb.DuckDBPyConnection | None) -> None:
        with self._lock:
            self._connection = connection

    def cancel(self) -> None:
        self.budget.cancelled = True
        threading.Thread(target=self._interrupt_until_it_ends, daemon=True).start()

    def _interrupt_until_it_ends(self) -> None:
        # DuckDB forgets an interrupt that comes just before it executes something.
        while True:
            with self._lock:
                if self._connection is None:
                    return
                self._connection.interrupt()
            time.sleep(0.01)


@dataclass
class Answer:
    """What a statement answered. `rows` are texts; a statement that answers no table has no columns."""

    columns: list[tuple[str, str]]
    rows: list[list[str | None]]
    # DML, DDL or UTILITY, and its kind: SELECT, CREATE_TABLE_AS_SELECT, ...
    statement_type: str
    kind: str
    scanned: int = 0
    update_count: int | None = None


# Takes the columns and then the rows, so that a large result need not be held.
Sink = Callable[[list[tuple[str, str]], Iterator[list[str | None]]], None]


class Prepared:
    """A planned query whose scans DuckDB can read."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, relation: Relation) -> None:
        self.connection = connection
        self.relation = relation

    def stream(self) -> Iterator[list[str | None]]:
        names = [f"c{index}" for index in range(len(self.relation.outputs))]
        texts = [
            rendered(column("result", name, output.type, output.zone)) for name, output in zip(names, self.relation.outputs, strict=True)
        ]
        # Names need not be different in a result; here they must.
        sql = f'SELECT {", ".join(texts)} FROM {self.relation.sql()} AS "result"({", ".join(names)})'
        cursor = self.execute(sql)
        while rows := self._fetch(cursor):
            yield from (list(row) for row in rows)

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        with translated_errors():
            return self.connection.execute(sql)

    @staticmethod
    def _fetch(cursor: duckdb.DuckDBPyConnection) -> list[tuple]:
        with translated_errors():
            return cursor.fetchmany(ROWS_AT_A_TIME)


class translated_errors:  # noqa: N801 - used like a function
    """DuckDB's errors as Trino's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if not isinstance(error, duckdb.Error):
            return
        if isinstance(error, duckdb.InterruptException):
            raise QueryCancelled("Query cancelled by user") from error
        if (failure := failure_of(error)) is not None:
            raise failure from error
        text = str(error).splitlines()[0]
        if isinstance(error, duckdb.ConversionException):
            raise QueryError("INVALID_CAST_ARGUMENT", text) from error
        if isinstance(error, duckdb.OutOfRangeException):
            raise QueryError("NUMERIC_VALUE_OUT_OF_RANGE", text) from error
        if isinstance(error, duckdb.InvalidInputException):
            raise QueryError("INVALID_FUNCTION_ARGUMENT", text) from error
        if isinstance(error, duckdb.BinderException):
            raise QueryError("SYNTAX_ERROR", text) from error
        raise NotSupportedLocally(f"this query, at which DuckDB stops with {text!r},") from error


class Engine:
    def __init__(self, glue: Any, s3: Any, directory: str | None = None) -> None:
        self.catalog = Catalog(glue)
        self.storage = Storage(s3)
        self.directory = directory
        self.oracle = TypeOracle()

    def query(self, sql: str, database: str = "default", **options: Any) -> Answer:
        """Runs a statement and holds its whole answer."""
        held: list[list[str | None]] = []

        def hold(_columns: list[tuple[str, str]], rows: Iterable[list[str | None]]) -> None:
            held.extend(rows)

        answer = self.run(sql, Run(database=database, **options), hold)
        answer.rows = held
        return answer

    def run(self, sql: str, run: Run, sink: Sink) -> Answer:
        """Runs a statement; its rows go into the sink."""
        # A statement can need a query, and a query's engine runs statements.
        from .statements import run_statement

        run.budget.check()
        answer = run_statement(self, sql, run, sink)
        answer.scanned = run.budget.scanned
        return answer

    def select(self, sql: str, run: Run, sink: Sink) -> Answer:
        with self.prepared(sql, run) as prepared:
            columns = [(output.name, trino(output.type)) for output in prepared.relation.outputs]
            sink(columns, prepared.stream())
        return Answer(columns, [], "DML", "SELECT")

    def prepared(self, sql: str, run: Run) -> "Preparing":
        return Preparing(self, sql, run)

    def plan(self, sql: str, database: str) -> tuple[Planner, Relation]:
        planner = Planner(self.catalog, self.oracle, database, now())
        with translated_errors():
            return planner, planner.plan(sql)


class Preparing:
    """Opens a DuckDB of its own for a query, with the scans in it, and removes it afterwards."""

    def __init__(self, engine: Engine, sql: str, run: Run) -> None:
        self.engine, self.sql, self.run = engine, sql, run

    def __enter__(self) -> Prepared:
        planner, relation = self.engine.plan(self.sql, self.run.database)
        self.directory = Path(tempfile.mkdtemp(prefix="athena-", dir=self.engine.directory))
        try:
            # On disk, so that a large query does not need as much memory. One thread: what is read in order stays in order.
            self.connection = duckdb.connect(
                str(self.directory / "query.duckdb"), config={"threads": 1, "temp_directory": str(self.directory)}
            )
            self.connection.execute("SET TimeZone = 'UTC'")
            register(self.connection)
            self.run.executes_on(self.connection)
            self.run.budget.check()
            self._read(planner, relation)
        except BaseException:
            self.__exit__()
            raise
        return Prepared(self.connection, relation)

    def _read(self, planner: Planner, relation: Relation) -> None:
        prune(relation, {output.name.lower() for output in relation.outputs})
        constraints = Constraints(evaluator(planner, self.connection))
        constraints.push(relation, {})
        reader = Reader(self.engine.storage, self.connection, self.directory, self.run.budget)
        # All partitions first: a query that may not run reads nothing.
        found = [(scan, partitions(self.engine.catalog, scan.table, constraints.of_scan.get(scan, {}))) for scan in planner.scans]
        for scan, places in found:
            reader.make(scan, places)

    def __exit__(self, *_: Any) -> None:
        self.run.executes_on(None)
        if hasattr(self, "connection"):
            self.connection.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def evaluator(planner: Planner, connection: duckdb.DuckDBPyConnection) -> Callable[[exp.Expression], Any]:
    """Gives constants their values."""

    def evaluate(node: exp.Expression) -> Any:
        if isinstance(node, exp.Literal):
            return node.this if node.is_string else int(node.this) if node.this.isdigit() else _other(node)
        return _other(node)

    def _other(node: exp.Expression) -> Any:
        if node.find(exp.Column, exp.Query, exp.Window) is not None:
            raise LookupError("no constant")
        value = Translator(planner, Scope(planner, Select([]))).translate(node.copy())
        # Partition columns are texts and integers.
        if value.family not in ("integer", "text", "unknown"):
            raise LookupError("no value of a partition column")
        try:
            row = connection.execute(f"SELECT {value.sql}").fetchone()
        except duckdb.Error as error:
            # It fails where it is executed, if it is.
            raise LookupError("no constant") from error
        assert row is not None
        return row[0]

    return evaluate


def now() -> str:
    moment = datetime.datetime.now(tz=datetime.timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}+00"
