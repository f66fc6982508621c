"""Types in the three dialects that meet here: Hive's (the Glue catalog), Trino's (what Athena reports) and DuckDB's (what runs)."""

import re
from dataclasses import dataclass

from .errors import NotSupportedLocally

# A scalar type of Hive: Trino's name of it, and DuckDB's.
SCALARS = {
    "boolean": ("boolean", "BOOLEAN"),
    "tinyint": ("tinyint", "TINYINT"),
    "smallint": ("smallint", "SMALLINT"),
    "int": ("integer", "INTEGER"),
    "integer": ("integer", "INTEGER"),
    "bigint": ("bigint", "BIGINT"),
    "float": ("real", "FLOAT"),
    "double": ("double", "DOUBLE"),
    "string": ("varchar", "VARCHAR"),
    "date": ("date", "DATE"),
    "timestamp": ("timestamp(3)", "TIMESTAMP"),
    "binary": ("varbinary", "BLOB"),
}
TIMESTAMP_WITH_ZONE = "TIMESTAMP WITH TIME ZONE"
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


@dataclass(frozen=True)
class HiveType:
    """`array<...>`, `struct<name:...>` and `map<...>` have arguments; everything else is a scalar."""

    name: str
    arguments: tuple["HiveType", ...] = ()
    fields: tuple[str, ...] = ()

    def duckdb(self) -> str:
        if self.name == "array":
            return f"{self.arguments[0].duckdb()}[]"
        if self.name == "struct":
            members = ", ".join(f'"{field}" {type_.duckdb()}' for field, type_ in zip(self.fields, self.arguments, strict=True))
            return f"STRUCT({members})"
        if self.name == "map":
            return f"MAP({self.arguments[0].duckdb()}, {self.arguments[1].duckdb()})"
        if self.name.startswith("decimal"):
            return self.name.upper()
        if self.name.startswith(("varchar", "char")):
            return "VARCHAR"
        return SCALARS[self.name][1]


def parse_hive(text: str) -> HiveType:
    tokens = re.findall(r"[<>,:]|[^<>,:\s]+(?:\([^)]*\))?", text.strip().lower())
    type_, rest = _parse(tokens, text)
    if rest:
        raise NotSupportedLocally(f"the type {text}")
    return type_


def _parse(tokens: list[str], text: str) -> tuple[HiveType, list[str]]:
    if not tokens:
        raise NotSupportedLocally(f"the type {text}")
    name, rest = tokens[0], tokens[1:]
    if name not in ("array", "struct", "map"):
        if name not in SCALARS and not re.fullmatch(r"decimal(\(\d+,\d+\))?|(var)?char\(\d+\)", name):
            raise NotSupportedLocally(f"the type {text}")
        return HiveType(name), rest
    arguments: list[HiveType] = []
    fields: list[str] = []
    separator = "<"
    while separator != ">":
        if not rest or rest[0] not in ("<", ","):
            raise NotSupportedLocally(f"the type {text}")
        rest = rest[1:]
        if name == "struct":
            fields.append(rest[0])
            rest = rest[2:]
        argument, rest = _parse(rest, text)
        arguments.append(argument)
        if not rest:
            raise NotSupportedLocally(f"the type {text}")
        separator = rest[0]
    return HiveType(name, tuple(arguments), tuple(fields)), rest[1:]


def members(duckdb_type: str) -> list[tuple[str, str]] | None:
    """The fields of a DuckDB STRUCT type; None for any other type."""
    inner = _inside(duckdb_type, "STRUCT(")
    if inner is None:
        return None
    fields = []
    for part in _split(inner):
        match = re.fullmatch(r'(?:"((?:[^"]|"")*)"|(\w+)) (.*)', part, re.DOTALL)
        if match is None:
            raise NotSupportedLocally(f"the type {duckdb_type}")
        fields.append(((match[1] or match[2]).replace('""', '"'), match[3]))
    return fields


def element(duckdb_type: str) -> str | None:
    """The type of the elements of a DuckDB list; None for any other type."""
    return duckdb_type[:-2] if duckdb_type.endswith("[]") else None


def key_and_value(duckdb_type: str) -> tuple[str, str] | None:
    inner = _inside(duckdb_type, "MAP(")
    if inner is None:
        return None
    key, value = _split(inner)
    return key, value


def _inside(duckdb_type: str, opening: str) -> str | None:
    if duckdb_type.startswith(opening) and duckdb_type.endswith(")"):
        return duckdb_type[len(opening) : -1]
    return None


def _split(text: str) -> list[str]:
    parts, depth, quoted, start = [], 0, False, 0
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and character == "(":
            depth += 1
        elif not quoted and character == ")":
            depth -= 1
        elif not quoted and character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def trino(duckdb_type: str) -> str:
    """The type as Athena reports it."""
    if (item := element(duckdb_type)) is not None:
        return f"array({trino(item)})"
    if (fields := members(duckdb_type)) is not None:
        return f"row({', '.join(f'{name} {trino(type_)}' for name, type_ in fields)})"
    if (pair := key_and_value(duckdb_type)) is not None:
        return f"map({trino(pair[0])}, {trino(pair[1])})"
    if duckdb_type.startswith("DECIMAL"):
        return duckdb_type.lower()
    names = {
        "FLOAT": "real",
        "HUGEINT": "bigint",
        "BLOB": "varbinary",
        "TIMESTAMP": "timestamp(3)",
        TIMESTAMP_WITH_ZONE: "timestamp(3) with time zone",
        "INTERVAL": "interval day to second",
        '"NULL"': "unknown",
    }
    if duckdb_type in names:
        return names[duckdb_type]
    if duckdb_type in ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "DATE", "TIME", "JSON"):
        return duckdb_type.lower()
    raise NotSupportedLocally(f"a value of DuckDB's type {duckdb_type}")


def hive(duckdb_type: str) -> str:
    """The type of a column of a new table."""
    if (item := element(duckdb_type)) is not None:
        return f"array<{hive(item)}>"
    if (fields := members(duckdb_type)) is not None:
        return f"struct<{','.join(f'{name}:{hive(type_)}' for name, type_ in fields)}>"
    if (pair := key_and_value(duckdb_type)) is not None:
        return f"map<{hive(pair[0])},{hive(pair[1])}>"
    if duckdb_type.startswith("DECIMAL"):
        return duckdb_type.lower()
    if duckdb_type == "HUGEINT":
        return "bigint"
    for name, (_, duckdb) in SCALARS.items():
        if duckdb == duckdb_type and name != "integer":
            return name
    raise NotSupportedLocally(f"a column of the type {trino(duckdb_type)} in a table")


def from_trino(text: str) -> str:
    """A type in Trino's words, as a view declares its columns, in DuckDB's."""
    name = text.strip().lower()
    if inner := re.fullmatch(r"array\((.*)\)", name):
        return f"{from_trino(inner[1])}[]"
    if inner := re.fullmatch(r"map\((.*)\)", name):
        key, value = _split(inner[1])
        return f"MAP({from_trino(key)}, {from_trino(value)})"
    if inner := re.fullmatch(r"row\((.*)\)", name):
        fields = (part.split(None, 1) for part in _split(inner[1]))
        return f"STRUCT({', '.join(f'{field if field.startswith(chr(34)) else chr(34) + field + chr(34)} {from_trino(type_)}' for field, type_ in fields)})"
    if re.fullmatch(r"timestamp(\(\d+\))? with time zone", name):
        return TIMESTAMP_WITH_ZONE
    if re.fullmatch(r"timestamp(\(\d+\))?( without time zone)?", name):
        return "TIMESTAMP"
    if re.fullmatch(r"(var)?char(\(\d+\))?|string", name):
        return "VARCHAR"
    if name.startswith("decimal"):
        return name.replace(" ", "").replace(",", ", ").upper().replace(", ", ",")
    if name == "json":
        return "JSON"
    for trino_name, duckdb in [*SCALARS.values(), ("int", "INTEGER")]:
        if trino_name == name:
            return duckdb
    raise NotSupportedLocally(f"the type {text}")
