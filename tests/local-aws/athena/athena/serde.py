"""Lines and rows of text tables: how an object becomes lines, and a line a row, as Trino's readers of Hive's formats do it."""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .errors import NotSupportedLocally, QueryError
from .regex import compile_java
from .types import HiveType

if TYPE_CHECKING:
    # The tests that compare this reader with Hive's own run without the catalog's client.
    from .catalog import Table

REGEX_SERDE = "org.apache.hadoop.hive.serde2.RegexSerDe"
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
CHUNK = 1 << 20

Row = list[Any]


def lines(name: str, body: bytes) -> Iterator[str]:
    """A line ends with a newline, a carriage return, or both. What is not UTF-8 becomes U+FFFD, as Java has it."""
    rest = b""
    for chunk in _chunks(name, body):
        rest += chunk
        # A carriage return at the very end may be the first half of a line's end.
        held = rest.endswith(b"\r")
        whole = rest[:-1] if held else rest
        if b"\n" not in whole and b"\r" not in whole:
            continue
        parts = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = parts.pop() + (b"\r" if held else b"")
        for part in parts:
            yield part.decode("utf-8", "replace-as-java")
    if rest:
        # All that can be left is one line, with the carriage return that ended it.
        yield rest.removesuffix(b"\r").decode("utf-8", "replace-as-java")


def _replace_as_java(error: UnicodeError) -> tuple[str, int]:
    """The bytes of an encoded surrogate, whole or cut off, become one replacement character; Python's own has one for each."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    rest = error.object[error.start : error.start + 3]
    if rest[0] == 0xED and rest[1:2] >= b"\xa0":
        return "\ufffd", error.start + _surrogate_length(rest)
    return "\ufffd", error.end


def _surrogate_length(encoded: bytes) -> int:
    """How many bytes Java takes for one surrogate: Python sees an error after the first already."""
    continued = [0x80 <= byte <= 0xBF for byte in encoded[1:]]
    return 1 + (len(continued) if all(continued) else continued.index(False))


codecs.register_error("replace-as-java", _replace_as_java)


def _chunks(name: str, body: bytes) -> Iterator[bytes]:
    if not name.endswith(".gz"):
        if name.endswith((".bz2", ".zst", ".snappy", ".lz4", ".deflate", ".lzo")):
            raise NotSupportedLocally(f"the compression of {name}")
        yield body
        return
    while body:
        # A gzip object can have several members.
        inflater = zlib.decompressobj(wbits=31)
        try:
            while not inflater.eof:
                if not body:
                    raise QueryError("HIVE_CURSOR_ERROR", f"Failed to read file at {name}: Unexpected end of input stream")
                yield inflater.decompress(body, CHUNK)
                body = inflater.unconsumed_tail or inflater.unused_data
        except zlib.error as error:
            raise QueryError("HIVE_CURSOR_ERROR", f"Failed to read file at {name}: {error}") from error


def reader(table: Table) -> Callable[[str], Row]:
    """What makes a row of a line."""
    if table.serde == REGEX_SERDE:
        return _regex_reader(table)
    if table.serde == JSON_SERDE:
        return _json_reader(table)
    raise NotSupportedLocally(f"the SerDe {table.serde or '(none)'}")


def _known_parameters(table: Table, known: set[str]) -> None:
    for name in table.serde_parameters:
        if name not in known:
            raise NotSupportedLocally(f"the property {name} of {table.serde}")


def _regex_reader(table: Table) -> Callable[[str], Row]:
    _known_parameters(table, {"input.regex", "input.regex.case.insensitive", "serialization.format"})
    for column in table.columns:
        if column.type.name != "string":
            raise NotSupportedLocally(f"a column of the type {column.type.name} with {REGEX_SERDE}")
    parameters = table.serde_parameters
    ignore_case = parameters.get("input.regex.case.insensitive", "").lower() == "true"
    pattern = compile_java(parameters["input.regex"], dot_matches_all=True, ignore_case=ignore_case)
    if pattern.groups != len(table.columns):
        message = f"Number of matching groups ({pattern.groups}) doesn't match the number of columns ({len(table.columns)})"
        raise QueryError("HIVE_INVALID_METADATA", message)
    nothing: Row = [None] * len(table.columns)

    def read(line: str) -> Row:
        match = pattern.fullmatch(line)
        return list(match.groups()) if match else nothing

    return read


def _json_reader(table: Table) -> Callable[[str], Row]:
    _known_parameters(table, {"ignore.malformed.json", "serialization.format", "paths", "case.insensitive"})
    if table.serde_parameters.get("case.insensitive", "true").lower() != "true":
        raise NotSupportedLocally(f"the property case.insensitive of {JSON_SERDE}")
    ignore_malformed = table.serde_parameters.get("ignore.malformed.json", "").lower() == "true"
    nothing: Row = [None] * len(table.columns)

    def read(line: str) -> Row:
        if not line.strip():
            return nothing
        try:
            value = json.loads(line)
            if not isinstance(value, dict):
                raise ValueError("A JSONObject text must begin with '{'")
        except ValueError as error:
            if ignore_malformed:
                return nothing
            raise QueryError("HIVE_CURSOR_ERROR", f"Row is not a valid JSON Object - JSONException: {error}") from error
        members = {key.lower(): member for key, member in value.items()}
        return [json_value(column.type, members.get(column.name)) for column in table.columns]

    return read


def json_value(type_: HiveType, value: Any) -> Any:
    """A JSON value as a value of a Hive type."""
    if value is None:
        return None
    if type_.name == "array":
        items = value if isinstance(value, list) else [value]
        return [json_value(type_.arguments[0], item) for item in items]
    if type_.name == "struct":
        if not isinstance(value, dict):
            raise _bad(value, type_)
        members = {key.lower(): member for key, member in value.items()}
        return {name: json_value(argument, members.get(name)) for name, argument in zip(type_.fields, type_.arguments, strict=True)}
    if type_.name == "string":
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if type_.name in ("tinyint", "smallint", "int", "integer", "bigint"):
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            try:
                return int(value)
            except ValueError as error:
                raise _bad(value, type_) from error
        raise _bad(value, type_)
    if type_.name == "double" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if type_.name == "boolean" and isinstance(value, bool):
        return value
    if type_.name in ("double", "boolean"):
        raise _bad(value, type_)
    raise NotSupportedLocally(f"a column of the type {type_.name} with {JSON_SERDE}")


def _bad(value: Any, type_: HiveType) -> QueryError:
    return QueryError("HIVE_BAD_DATA", f"Error parsing field value '{json.dumps(value, ensure_ascii=False)}' as {type_.name}")
