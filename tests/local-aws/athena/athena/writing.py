"""Writes what a query answers as Parquet: CREATE TABLE AS and INSERT INTO."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from .catalog import Table
from .ddl import PARQUET, CreateTableAs
from .errors import NotSupportedLocally, QueryError
from .plan import Output, quoted
from .rendering import column, rendered
from .scan import PARQUET_SERDE
from .storage import folder
from .types import INTEGERS, TIMESTAMP_WITH_ZONE, hive

if TYPE_CHECKING:
    from .engine import Engine, Prepared, Run

COMPRESSIONS = {"ZSTD": "zstd", "SNAPPY": "snappy", "GZIP": "gzip", "NONE": "uncompressed", "UNCOMPRESSED": "uncompressed"}
KNOWN = {"format", "write_compression", "parquet_compression", "external_location", "partitioned_by"}
MOST_PARTITIONS = 100


@dataclass
class Written:
    """What was written: the values of the partition columns, and the place."""

    values: tuple[str, ...]
    location: str


def create_table_as(engine: "Engine", statement: CreateTableAs, run: "Run") -> int:
    database, name, properties = statement.database, statement.name, statement.properties
    engine.catalog.require_database(database)
    if engine.catalog.table(database, name) is not None:
        if statement.if_not_exists:
            return 0
        raise QueryError("TABLE_ALREADY_EXISTS", f"line 1:1: Destination table 'awsdatacatalog.{database}.{name}' already exists")
    if unknown := sorted(properties.keys() - KNOWN):
        raise NotSupportedLocally(f"the property {unknown[0]} of CREATE TABLE AS")
    if str(properties.get("format", "PARQUET")).upper() != "PARQUET":
        raise NotSupportedLocally(f"the format {properties['format']}")
    location = folder(_location(properties, run))
    if not engine.storage.is_empty(location):
        cleaned = f"{folder(run.output_location)}tables/{run.query_id}" if run.output_location else location
        raise QueryError(
            "HIVE_PATH_ALREADY_EXISTS",
            f"Target directory for table '{database}.{name}' already exists: {location}. You may need to manually clean the data at location "
            f"'{cleaned}' before retrying. Athena will not delete data in your account.",
        )
    keys = [str(key).lower() for key in properties.get("partitioned_by", [])]
    with engine.prepared(statement.query, run) as prepared:
        outputs = _target_columns(prepared.relation.outputs, keys)
        count, written = 0, []
        if statement.with_data:
            count, written = write(engine, prepared, outputs, keys, _compression(properties), lambda values: _below(location, keys, values))
    engine.catalog.create_table(database, _table_input(name, outputs, keys, location))
    table = engine.catalog.table(database, name)
    assert table is not None
    for place in written if keys else []:
        engine.catalog.add_partition(table, place.values, place.location)
    return count


def _location(properties: dict[str, str | list[str]], run: "Run") -> str:
    if "external_location" in properties:
        return str(properties["external_location"])
    if run.output_location is None:
        raise QueryError("INVALID_TABLE_PROPERTY", "CREATE TABLE AS needs an external_location or a result location")
    return f"{folder(run.output_location)}tables/{run.query_id}/"


def _compression(properties: dict[str, str | list[str]]) -> str:
    name = str(properties.get("write_compression") or properties.get("parquet_compression") or "GZIP").upper()
    if name not in COMPRESSIONS:
        raise NotSupportedLocally(f"the compression {name}")
    return COMPRESSIONS[name]


def _target_columns(outputs: list[Output], keys: list[str]) -> list[Output]:
    names = [output.name.lower() for output in outputs]
    for name in names:
        if names.count(name) > 1:
            raise QueryError("DUPLICATE_COLUMN_NAME", f"line 1:1: Column name '{name}' specified more than once")
    for output in outputs:
        if output.name.startswith("_col"):
            raise QueryError("MISSING_COLUMN_NAME", f"line 1:1: Column name not specified at position {outputs.index(output) + 1}")
        if output.type == TIMESTAMP_WITH_ZONE:
            raise QueryError("NOT_SUPPORTED", "Unsupported Hive type: timestamp(3) with time zone")
    if keys and names[-len(keys) :] != keys:
        raise QueryError(
            "HIVE_COLUMN_ORDER_MISMATCH",
            "Partition keys must be the last columns in the table and in the same order as the table properties: " + str(keys),
        )
    return [Output(output.name.lower(), output.type, output.zone) for output in outputs]


def _below(location: str, keys: list[str], values: tuple[str, ...]) -> str:
    return location + "".join(f"{key}={quote(value, safe='')}/" for key, value in zip(keys, values, strict=True))


def write(
    engine: "Engine", prepared: "Prepared", outputs: list[Output], keys: list[str], compression: str, place
) -> tuple[int, list[Written]]:
    """Writes one object for each partition; tells the number of rows, and the places."""
    names = [output.name for output in outputs]
    prepared.execute(f'CREATE TEMP TABLE result AS SELECT * FROM {prepared.relation.sql()} AS "result"({", ".join(map(quoted, names))})')
    casts = ", ".join(
        f"CAST({quoted(output.name)} AS BIGINT) AS {quoted(output.name)}" if output.type == "HUGEINT" else quoted(output.name)
        for output in outputs
        if output.name not in keys
    )
    texts = {output.name: rendered(column("result", output.name, output.type, output.zone)) for output in outputs if output.name in keys}
    combinations: list[tuple] = [()]
    if keys:
        combinations = prepared.execute(f"SELECT DISTINCT {', '.join(texts[key] for key in keys)} FROM result ORDER BY ALL").fetchall()
    if len(combinations) > MOST_PARTITIONS:
        raise QueryError("HIVE_TOO_MANY_OPEN_PARTITIONS", f"Exceeded limit of {MOST_PARTITIONS} open writers for partitions/buckets")
    total, written = 0, []
    for values in combinations:
        if None in values:
            raise NotSupportedLocally("a partition of NULL")
        chosen = " AND ".join(f"{texts[key]} = '{value.replace(chr(39), chr(39) * 2)}'" for key, value in zip(keys, values, strict=True))
        file = Path(prepared.connection.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]) / f"{uuid.uuid4()}.parquet"
        where = f" WHERE {chosen}" if chosen else ""
        rows = prepared.execute(
            f"COPY (SELECT {casts} FROM result{where}) TO '{file}' (FORMAT PARQUET, COMPRESSION {compression})"
        ).fetchall()
        count = int(rows[0][0])
        total += count
        location = place(values)
        written.append(Written(values, location))
        # As in Athena, a query without rows writes no object.
        if count:
            with file.open("rb") as body:
                engine.storage.write(f"{folder(location)}{uuid.uuid4()}.parquet", body)
        file.unlink()
    return total, written


def _table_input(name: str, outputs: list[Output], keys: list[str], location: str) -> dict:
    columns = [{"Name": output.name, "Type": hive(output.type)} for output in outputs]
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "has_encrypted_data": "false", "classification": "parquet"},
        "PartitionKeys": [column for column in columns if column["Name"] in keys],
        "StorageDescriptor": {
            "Columns": [column for column in columns if column["Name"] not in keys],
            "Location": location,
            "InputFormat": f"{PARQUET}MapredParquetInputFormat",
            "OutputFormat": f"{PARQUET}MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": PARQUET_SERDE, "Parameters": {"serialization.format": "1"}},
        },
    }


def insert(engine: "Engine", table: Table, names: list[str], query: str, run: "Run") -> int:
    if table.serde != PARQUET_SERDE or table.projected:
        raise NotSupportedLocally("INSERT INTO a table that is not Parquet, or has partition projection,")
    targets = [Output(item.name, item.type.duckdb()) for item in (*table.columns, *table.partition_keys)]
    if names and names != [target.name for target in targets]:
        raise NotSupportedLocally("INSERT INTO some of a table's columns")
    keys = [key.name for key in table.partition_keys]
    with engine.prepared(query, run) as prepared:
        outputs = prepared.relation.outputs
        given = [_insertable(output.type, target.type) for output, target in zip(outputs, targets, strict=False)]
        if len(outputs) != len(targets) or not all(given):
            types = [hive(output.type) for output in outputs], [hive(target.type) for target in targets]
            raise QueryError(
                "TYPE_MISMATCH",
                f"line 1:1: Insert query has mismatched column types: Table: [{', '.join(types[1])}], Query: [{', '.join(types[0])}]",
            )
        known = {partition.values: partition.location for partition in engine.catalog.partitions(table)} if keys else {}

        def place(values: tuple[str, ...]) -> str:
            return known.get(values) or _below(folder(table.location), keys, values)

        count, written = write(engine, prepared, targets, keys, COMPRESSIONS["GZIP"], place)
    for item in written if keys else []:
        if item.values not in known:
            engine.catalog.add_partition(table, item.values, item.location)
    return count


def _insertable(given: str, wanted: str) -> bool:
    if given in INTEGERS and wanted in INTEGERS:
        return INTEGERS.index(given) <= INTEGERS.index(wanted) or given == "HUGEINT"
    return given in (wanted, '"NULL"')
