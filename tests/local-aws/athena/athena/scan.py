"""Brings what a scan reads into DuckDB as a view: the columns of the table, `$path`, `$file_size`, and `$position`, the order of reading.

Rows of text tables go through a file, not through memory; Parquet objects are read where they were fetched to.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from .errors import NotSupportedLocally, QueryCancelled
from .plan import FILE_SIZE, HIDDEN, PATH, POSITION, Scan, quoted
from .projection import ScannedPartition
from .serde import lines, reader
from .storage import Storage, StoredObject

PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
# DuckDB wants to know how long a line of the file can become.
SMALLEST_OBJECT_BOUND = 16 << 20


@dataclass
class Budget:
    """What a query has read, and how much it may."""

    limit: int | None = None
    scanned: int = 0
    cancelled: bool = False

    def add(self, size: int) -> None:
        self.check()
        self.scanned += size
        if self.limit is not None and self.scanned > self.limit:
            raise QueryCancelled("Bytes scanned limit was exceeded")

    def check(self) -> None:
        if self.cancelled:
            raise QueryCancelled("Query cancelled by user")


@dataclass
class Reader:
    storage: Storage
    connection: duckdb.DuckDBPyConnection
    directory: Path
    budget: Budget

    def make(self, scan: Scan, partitions: list[ScannedPartition]) -> None:
        listed = self.storage.objects([partition.location for partition in partitions])
        if scan.table.serde == PARQUET_SERDE:
            self._parquet(scan, partitions, listed)
        else:
            self._text(scan, partitions, listed)

    def _text(self, scan: Scan, partitions: list[ScannedPartition], listed: list[list[StoredObject]]) -> None:
        table = scan.table
        read = reader(table)
        names = [column.name for column in table.columns] + [key.name for key in table.partition_keys]
        file = self.directory / f"{scan.relation}.json"
        longest = position = 0
        owners = [(item, partition.values) for partition, items in zip(partitions, listed, strict=True) for item in items]
        values_of = {item.path: values for item, values in owners}
        with file.open("w", encoding="ascii") as out:
            for item, body in self.storage.read_all(item for item, _ in owners):
                self.budget.add(len(body))
                tail = [*values_of[item.path], item.path, item.size]
                for line in lines(item.key, body):
                    text = json.dumps(dict(zip([*names, *HIDDEN], [*read(line), *tail, position])))
                    longest = max(longest, len(text))
                    position += 1
                    out.write(text)
                    out.write("\n")
                    if position % 10_000 == 0:
                        self.budget.check()
        types = {column.name: column.type.duckdb() for column in (*table.columns, *table.partition_keys)} | HIDDEN
        columns = ", ".join(f"{quoted(name)}: {text_literal(type_)}" for name, type_ in types.items())
        self.connection.execute(
            f"CREATE TEMP VIEW {quoted(scan.relation)} AS SELECT * FROM read_json({text_literal(str(file))}, format = 'newline_delimited', "
            f"columns = {{{columns}}}, maximum_object_size = {max(SMALLEST_OBJECT_BOUND, longest + 1024)})"
        )

    def _parquet(self, scan: Scan, partitions: list[ScannedPartition], listed: list[list[StoredObject]]) -> None:
        table, parts, number = scan.table, [], 0
        for partition, items in zip(partitions, listed, strict=True):
            for item, body in self.storage.read_all(items):
                file = self.directory / f"{scan.relation}-{number}.parquet"
                number += 1
                file.write_bytes(body)
                sizes = self._column_sizes(file)
                self.budget.add(sum(sizes.get(column.name, 0) for column in table.columns if column.name in scan.used))
                parts.append(self._part(scan, partition.values, item, file, set(sizes)))
        if not parts:
            parts = [f"SELECT {', '.join(self._empty(scan))} WHERE false"]
        self.connection.execute(f"CREATE TEMP VIEW {quoted(scan.relation)} AS {' UNION ALL '.join(parts)}")

    def _column_sizes(self, file: Path) -> dict[str, int]:
        """Compressed bytes by column, nested ones by their outermost."""
        try:
            rows = self.connection.execute(
                "SELECT lower(split_part(path_in_schema, ', ', 1)), sum(total_compressed_size) FROM parquet_metadata(?) GROUP BY 1",
                [str(file)],
            ).fetchall()
        except duckdb.Error as error:
            raise NotSupportedLocally(f"a Parquet object that DuckDB cannot read ({error})") from error
        return {name: int(size) for name, size in rows}

    @staticmethod
    def _part(scan: Scan, values: tuple[Any, ...], item: StoredObject, file: Path, present: set[str]) -> str:
        table = scan.table
        # By name; a column that the object does not have is NULL.
        columns = [
            f"CAST({quoted(column.name) if column.name in present else 'NULL'} AS {column.type.duckdb()}) AS {quoted(column.name)}"
            for column in table.columns
        ]
        columns += [
            f"CAST({text_literal(str(value))} AS {key.type.duckdb()}) AS {quoted(key.name)}"
            for key, value in zip(table.partition_keys, values, strict=True)
        ]
        columns += [
            f"{text_literal(item.path)} AS {quoted(PATH)}",
            f"CAST({item.size} AS BIGINT) AS {quoted(FILE_SIZE)}",
            f"file_row_number AS {quoted(POSITION)}",
        ]
        return f"SELECT {', '.join(columns)} FROM read_parquet({text_literal(str(file))}, file_row_number = true)"

    @staticmethod
    def _empty(scan: Scan) -> list[str]:
        types = {column.name: column.type.duckdb() for column in (*scan.table.columns, *scan.table.partition_keys)} | HIDDEN
        return [f"CAST(NULL AS {type_}) AS {quoted(name)}" for name, type_ in types.items()]


def text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
