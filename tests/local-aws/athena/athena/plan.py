"""What a query becomes: relations that know their columns and can write themselves as DuckDB's SQL.

They keep apart what Trino's predicate pushdown looks at (sources, conditions, keys), so that `constraints` can follow it.
"""

from dataclasses import dataclass, field
from typing import Union

from sqlglot import exp

from .catalog import Table

# Columns that a star does not show. The last is not Athena's: the order in which rows are read.
PATH, FILE_SIZE, POSITION = "$path", "$file_size", "$position"
HIDDEN = {PATH: "VARCHAR", FILE_SIZE: "BIGINT", POSITION: "BIGINT"}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Output:
    name: str
    type: str
    # The zone of a timestamp with time zone: known while planning, or the query is refused.
    zone: str | None = None
    hidden: bool = False


@dataclass(eq=False)
class Scan:
    """One reading of a table. A table that is read twice has two."""

    table: Table
    relation: str
    outputs: list[Output]
    used: set[str] = field(default_factory=set)

    def sql(self) -> str:
        return quoted(self.relation)


@dataclass(eq=False)
class Values:
    outputs: list[Output]
    text: str

    def sql(self) -> str:
        return f"({self.text})"


@dataclass
class Join:
    kind: str
    alias: str
    conditions: list[exp.Expression] = field(default_factory=list)


@dataclass
class Source:
    """What FROM names. Columns are found by the source's own names; `actual` are those that the relation has."""

    alias: str
    relation: "Relation | None"
    outputs: list[Output]
    actual: list[str]
    # Columns that USING has made one with those of an earlier source.
    merged: set[str] = field(default_factory=set)

    def actual_name(self, name: str) -> str:
        for output, actual in zip(self.outputs, self.actual, strict=True):
            if output.name.lower() == name.lower():
                return actual
        raise KeyError(name)


@dataclass(eq=False)
class Select:
    outputs: list[Output]
    # Resolved, in Trino's dialect, for the constraints.
    expressions: list[exp.Expression] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    joins: list[Join] = field(default_factory=list)
    where: exp.Expression | None = None
    having: exp.Expression | None = None
    # None: no aggregation. Empty: one group of all rows.
    group_keys: list[exp.Expression] | None = None
    windows: list[exp.Window] = field(default_factory=list)
    limited: bool = False
    distinct: bool = False
    # Queries of IN, as (left side, relation), and those whose place lets no constraint through.
    semi_joins: list[tuple[exp.In, "Relation"]] = field(default_factory=list)
    subqueries: list["Relation"] = field(default_factory=list)
    order: list[exp.Expression] = field(default_factory=list)
    unnested: list[exp.Expression] = field(default_factory=list)
    # DuckDB's SQL.
    projections: list[str] = field(default_factory=list)
    # Relations are written last: what they expose is known when the whole query is planned.
    from_parts: list["str | Relation"] = field(default_factory=list)
    tail: str = ""

    def sql(self) -> str:
        distinct = "DISTINCT " if self.distinct else ""
        from_text = "".join(part if isinstance(part, str) else part.sql() for part in self.from_parts)
        return f"(SELECT {distinct}{', '.join(self.projections)}{from_text}{self.tail})"


@dataclass(eq=False)
class SetOperation:
    outputs: list[Output]
    operator: str
    left: "Relation"
    right: "Relation"

    def sql(self) -> str:
        left, right = (f'SELECT * FROM {side.sql()} AS "branch"' for side in (self.left, self.right))
        return f"(({left}) {self.operator} ({right}))"


Relation = Union[Scan, Values, Select, SetOperation]


def column_of(expression: exp.Expression) -> exp.Column | None:
    """The column that an output is, if it is nothing but one."""
    inner = expression.unalias()
    while isinstance(inner, exp.Paren):
        inner = inner.this
    return inner if isinstance(inner, exp.Column) else None


def exposes_position(source: Source, name: str) -> str | None:
    """Makes the order of reading visible above a source whose column `name` comes from a scan unchanged, and tells the column's name."""
    relation = source.relation
    actual = source.actual_name(name)
    if isinstance(relation, Scan):
        return POSITION
    if not isinstance(relation, Select) or relation.group_keys is not None or relation.distinct:
        return None
    for output, expression in zip(relation.outputs, relation.expressions, strict=True):
        column = column_of(expression)
        if output.name.lower() != actual.lower() or column is None or column.table not in relation.sources:
            continue
        inner = exposes_position(relation.sources[column.table], column.name)
        if inner is None:
            return None
        projection = f"{quoted(column.table)}.{quoted(inner)} AS {quoted(POSITION)}"
        if projection not in relation.projections:
            if any(text.endswith(f" AS {quoted(POSITION)}") for text in relation.projections):
                # Two orders of reading cannot both have the name.
                return None
            relation.projections.append(projection)
        return POSITION
    return None


def scans(relation: "Relation | None") -> list[Scan]:
    """Every scan below a relation."""
    if isinstance(relation, Scan):
        return [relation]
    if isinstance(relation, SetOperation):
        return scans(relation.left) + scans(relation.right)
    if isinstance(relation, Select):
        below = [source.relation for source in relation.sources.values()]
        below += [inner for _, inner in relation.semi_joins] + relation.subqueries
        return [scan for inner in below for scan in scans(inner)]
    return []
