"""Which partitions of a table a scan reads: projected ones by the table's properties, others from the Glue catalog."""

import itertools
from dataclasses import dataclass
from typing import Any

from .catalog import Catalog, Column, Table
from .domain import ALL, Domain
from .errors import NotSupportedLocally, QueryError

STATIC_CONDITION = (
    "For the injected projected partition column {name}, the WHERE clause must contain only static equality conditions, "
    "and at least one such condition must be present."
)


@dataclass(frozen=True)
class ScannedPartition:
    """A place, and the values of the partition columns for all that lies there."""

    location: str
    values: tuple[Any, ...]


def partitions(catalog: Catalog, table: Table, domains: dict[str, Domain]) -> list[ScannedPartition]:
    if not table.partition_keys:
        return [ScannedPartition(table.location, ())]
    if table.projected:
        return _projected(table, domains)
    return _registered(catalog, table, domains)


def _registered(catalog: Catalog, table: Table, domains: dict[str, Domain]) -> list[ScannedPartition]:
    found = []
    for partition in catalog.partitions(table):
        values = tuple(typed(key, text) for key, text in zip(table.partition_keys, partition.values, strict=True))
        if all(domains.get(key.name, ALL).contains(value) for key, value in zip(table.partition_keys, values, strict=True)):
            found.append(ScannedPartition(partition.location, values))
    return sorted(found, key=lambda partition: partition.location)


def typed(key: Column, text: str) -> Any:
    """The value of a partition column, which the catalog has as text."""
    if key.type.name in ("tinyint", "smallint", "int", "integer", "bigint"):
        try:
            return int(text)
        except ValueError as error:
            raise QueryError(
                "HIVE_INVALID_PARTITION_VALUE", f"Invalid partition value '{text}' for {key.type.name} partition key: {key.name}"
            ) from error
    if key.type.name == "string" or key.type.name.startswith("varchar"):
        return text
    raise NotSupportedLocally(f"a partition column of the type {key.type.name}")


def _projected(table: Table, domains: dict[str, Domain]) -> list[ScannedPartition]:
    candidates = [_candidates(table, key, domains.get(key.name, ALL)) for key in table.partition_keys]
    template = table.parameters.get("storage.location.template") or _default_template(table)
    found = []
    for combination in itertools.product(*candidates):
        location = template
        for key, (_, text) in zip(table.partition_keys, combination, strict=True):
            location = location.replace(f"${{{key.name}}}", text)
        found.append(ScannedPartition(location, tuple(value for value, _ in combination)))
    return found


def _default_template(table: Table) -> str:
    folders = "".join(f"{key.name}=${{{key.name}}}/" for key in table.partition_keys)
    return f"{table.location.rstrip('/')}/{folders}"


def _candidates(table: Table, key: Column, domain: Domain) -> list[tuple[Any, str]]:
    """The values that a projected column can have, each with its text in the location."""
    kind = _property(table, key, "type")
    if kind == "injected":
        if domain.values is None:
            raise QueryError("CONSTRAINT_VIOLATION", STATIC_CONDITION.format(name=key.name))
        return [(value, str(value)) for value in sorted(domain.values)]
    if kind == "integer":
        first, last = (int(bound) for bound in _property(table, key, "range").split(","))
        step = int(table.parameters.get(f"projection.{key.name}.interval", "1"))
        digits = int(table.parameters.get(f"projection.{key.name}.digits", "0"))
        return [(value, str(value).zfill(digits)) for value in range(first, last + 1, step) if domain.contains(value)]
    if kind == "enum":
        texts = _property(table, key, "values").split(",")
        values = [(typed(key, text.strip()), text.strip()) for text in texts]
        return [(value, text) for value, text in values if domain.contains(value)]
    raise NotSupportedLocally(f"partition projection of the type {kind}")


def _property(table: Table, key: Column, name: str) -> str:
    value = table.parameters.get(f"projection.{key.name}.{name}")
    if value is None:
        message = f"Table {table.database}.{table.name} is configured for partition projection, but the following partition columns are missing projection configuration: [{key.name}]"
        raise QueryError("INVALID_TABLE_PROPERTY", message)
    return value.strip()
