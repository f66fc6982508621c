"""The same month in three layouts, each as a relation with the columns of the view `logs`: the gz objects, Parquet, and Parquet by time."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
from month import LOG_GROUP, MONTH, YEAR

# DuckDB reads gz objects as the table does, one row per line: no line contains the delimiter, and there are no quotes and no header. An empty
# line is NULL. One pattern names all objects, because DuckDB reads the brackets in a name as a pattern, and lists the folder for each.
_LOG_LINES = r"""
CREATE VIEW log_lines AS
SELECT filename AS object, regexp_extract(coalesce(text, ''), getvariable('regex'), ['event_time', 'message']) AS columns
FROM read_csv(
  getvariable('objects'), columns = {'text': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', header = false, auto_detect = false,
  new_line = '\n', compression = 'gzip', filename = true, hive_partitioning = false)
"""

# DuckDB keeps the objects' order, so the row numbers are line numbers.
_LOGS = """
CREATE VIEW logs AS
SELECT
  split_part(object, '/', -3) AS task_id,
  split_part(object, '/', -2) AS log_stream,
  's3://archive' || substr(object, getvariable('root_length') + 1) AS object,
  row_number() OVER (PARTITION BY object ORDER BY number) AS line,
  CAST(nullif(columns.event_time, '') AS TIMESTAMP_MS) AS event_time,
  columns.message AS message,
  columns.event_time = '' AS is_continuation
FROM (SELECT *, row_number() OVER () AS number FROM log_lines)
"""

# UNLOAD without ORDER BY promises no order. Objects sorted by a hash stand for many workers that write in any order.
_UNSORTED = "SELECT * FROM logs ORDER BY hash(object), line"
# A continuation line stays with its event.
_BY_TIME = "SELECT * FROM logs ORDER BY max(event_time) OVER (PARTITION BY object ORDER BY line), object, line"


@dataclass(frozen=True)
class Layout:
    name: str
    relation: str
    files: list[Path]
    is_parquet: bool


def connect(root: Path, regex: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    # RegexSerDe sets DOTALL. RE2 needs it in the pattern.
    connection.execute("SET VARIABLE regex = ?", [f"(?s){regex}"])
    connection.execute("SET VARIABLE objects = ?", [f"{root}/log_group={LOG_GROUP}/year={YEAR}/month={MONTH:02}/*/*/*.gz"])
    connection.execute("SET VARIABLE root_length = ?", [len(str(root))])
    connection.execute(_LOG_LINES)
    connection.execute(_LOGS)
    return connection


def make(connection: duckdb.DuckDBPyConnection, root: Path) -> list[Layout]:
    """Compacts the month twice and returns all three layouts."""
    layouts = [Layout("gz", "logs", sorted(root.rglob("*.gz")), is_parquet=False)]
    for name, view, query in (("parquet", "unsorted", _UNSORTED), ("parquet by time", "by_time", _BY_TIME)):
        file = root / f"{view}.parquet"
        # Athena's default level.
        connection.execute(f"COPY ({query}) TO '{_quoted(file)}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)")
        connection.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet('{_quoted(file)}')")
        layouts.append(Layout(name, view, [file], is_parquet=True))
    return layouts


def verify(connection: duckdb.DuckDBPyConnection, layouts: list[Layout], lines: int) -> None:
    """Ends the program unless every layout has each written line exactly once, with the same text."""
    checksum = "count(*), sum(hash(object, line, event_time::TIMESTAMP, message, is_continuation)::HUGEINT), count(DISTINCT (object, line))"
    found = {layout.name: connection.execute(f"SELECT {checksum} FROM {layout.relation}").fetchone() for layout in layouts}
    for name, result in found.items():
        if result is None or result[0] != lines or result != found["gz"]:
            raise SystemExit(f"{name} has {result}, gz has {found['gz']}; {lines} lines were written")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
