"""The queries, and the bytes that an engine must read of a layout for each."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
from layouts import Layout

HOUR_BEGIN, HOUR_END = "2026-10-05 01:00:00", "2026-10-05 02:00:00"


@dataclass(frozen=True)
class Query:
    name: str
    sql: str
    # The interval of event_time that the query selects: [from, to).
    interval: tuple[datetime, datetime] | None = None


QUERIES = [
    Query(
        "errors per day",
        r"SELECT CAST(event_time AS DATE) AS day, count(*) FROM {} WHERE event_time IS NOT NULL"
        r" AND regexp_matches(message, '\b(ERROR|FATAL)\b|Task timed out') GROUP BY day ORDER BY day",
    ),
    Query(
        "full text search",
        "SELECT event_time, log_stream, message FROM {} WHERE contains(lower(message), 'connection refused') ORDER BY object, line",
    ),
    Query(
        "one hour's events",
        f"SELECT event_time, log_stream, message FROM {{}} WHERE event_time >= TIMESTAMP '{HOUR_BEGIN}' AND event_time < TIMESTAMP '{HOUR_END}'"
        " ORDER BY event_time, object, line",
        (datetime.fromisoformat(HOUR_BEGIN), datetime.fromisoformat(HOUR_END)),
    ),
    Query("events per day", "SELECT CAST(event_time AS DATE) AS day, count(*) FROM {} WHERE event_time IS NOT NULL GROUP BY day ORDER BY day"),
]


def bytes_scanned(connection: duckdb.DuckDBPyConnection, query: Query, layout: Layout) -> int:
    """gz: all objects. Parquet: the footer, and the query's columns in the row groups that the statistics do not exclude."""
    if not layout.is_parquet:
        return sum(file.stat().st_size for file in layout.files)
    columns = _columns_read(connection, query, layout)
    return sum(_footer_size(str(file)) + _chunks(connection, str(file), columns, query) for file in layout.files)


def _chunks(connection: duckdb.DuckDBPyConnection, file: str, columns: set[str], query: Query) -> int:
    chunks = connection.execute(
        "SELECT row_group_id, path_in_schema, total_compressed_size, stats_min_value, stats_max_value FROM parquet_metadata(?)", [file]
    ).fetchall()
    needed = {group for group, column, _, low, high in chunks if column == "event_time" and _may_contain(query, low, high)}
    return sum(size for group, column, size, _, _ in chunks if group in needed and column in columns)


def _may_contain(query: Query, low: str | None, high: str | None) -> bool:
    if query.interval is None or low is None or high is None:
        return True
    begin, end = query.interval
    return datetime.fromisoformat(low) < end and datetime.fromisoformat(high) >= begin


def _columns_read(connection: duckdb.DuckDBPyConnection, query: Query, layout: Layout) -> set[str]:
    """The columns that the plan's scan reads."""
    row = connection.execute(f"EXPLAIN (FORMAT json) {query.sql.format(layout.relation)}").fetchone()
    if row is None:
        raise SystemExit(f"no plan for {query.name}")
    columns: set[str] = set()
    nodes = _nodes(json.loads(row[1]))
    for scan in nodes:
        if "PARQUET" in scan["name"].upper():
            projections = scan["extra_info"]["Projections"]
            columns.update([projections] if isinstance(projections, str) else projections)
            filters = str(scan["extra_info"].get("Filters", ""))
            columns.update(column for column in ("event_time", "message") if column in filters)
    # When it plans, DuckDB can exclude every row group by the statistics.
    if not columns and not any(node["name"].strip() == "EMPTY_RESULT" for node in nodes):
        raise SystemExit(f"the plan of {query.name} names no Parquet column")
    return columns


def _nodes(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for node in nodes for found in (node, *_nodes(node["children"]))]


def _footer_size(file: str) -> int:
    with open(file, "rb") as content:
        content.seek(-8, 2)
        # A Parquet file ends with the footer's length and the magic number, four bytes each.
        return int.from_bytes(content.read(4), "little") + 8
