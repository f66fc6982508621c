"""Trino's functions that DuckDB does not have, or has with another meaning, in Python. DuckDB calls them by `trino_<name>`.

NULL arguments give NULL without a call. An error raised here reaches the user: see `failure_of`.
"""

import functools
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb

from .errors import NotSupportedLocally, QueryError
from .regex import compile_java, replacement_of

MARK = "\x1f"


def failure_of(error: Exception) -> QueryError | None:
    """The error that a function raised, found in the text of DuckDB's."""
    if match := re.search(f"{MARK}([A-Z_]+){MARK}(.*?){MARK}", str(error), re.DOTALL):
        return QueryError(match[1], match[2])
    return None


class Marked(Exception):
    def __init__(self, error: QueryError) -> None:
        super().__init__(f"{MARK}{error.code}{MARK}{error.message}{MARK}")


def fail(code: str, message: str, _value: str) -> int:
    raise QueryError(code, message)


def regexp_like(text: str, pattern: str) -> bool:
    return compile_java(pattern).search(text) is not None


def regexp_extract(text: str, pattern: str, group: int) -> str | None:
    compiled = compile_java(pattern)
    if not 0 <= group <= compiled.groups:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Pattern has {compiled.groups} groups. Cannot access group {group}")
    match = compiled.search(text)
    return match[group] if match else None


def regexp_extract_all(text: str, pattern: str, group: int) -> list[str | None]:
    return [match[group] for match in compile_java(pattern).finditer(text)]


def regexp_replace(text: str, pattern: str, replacement: str) -> str:
    return compile_java(pattern).sub(replacement_of(replacement), text)


def regexp_split(text: str, pattern: str) -> list[str]:
    parts, start = [], 0
    for match in compile_java(pattern).finditer(text):
        parts.append(text[start : match.start()])
        start = match.end()
    return [*parts, text[start:]]


def regexp_count(text: str, pattern: str) -> int:
    return sum(1 for _ in compile_java(pattern).finditer(text))


class Number(str):
    """A JSON number as it was written."""


def _load(text: str) -> Any:
    return json.loads(text, parse_int=Number, parse_float=Number)


def _dump(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_dump(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


MISSING = object()
STEP = re.compile(r"""\.([A-Za-z_][\w\-]*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\['((?:[^'\\]|\\.)*)'\]""")


def _steps(path: str) -> list[str | int]:
    if not path.startswith("$"):
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Invalid JSON path: '{path}'")
    steps: list[str | int] = []
    index = 1
    while index < len(path):
        match = STEP.match(path, index)
        if match is None:
            raise NotSupportedLocally(f"the JSON path {path}")
        steps.append(int(match[2]) if match[2] is not None else next(name for name in match.group(1, 3, 4) if name is not None))
        index = match.end()
    return steps


def _at(text: str, path: str) -> Any:
    steps = _steps(path)
    try:
        value = _load(text)
    except ValueError:
        return MISSING
    for step in steps:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step, MISSING)
        elif isinstance(value, dict):
            value = value.get(str(step), MISSING)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else MISSING
        else:
            return MISSING
    return value


def _scalar(value: Any) -> str | None:
    if value is None or value is MISSING or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def json_extract_scalar(text: str, path: str) -> str | None:
    return _scalar(_at(text, path))


def json_extract(text: str, path: str) -> str | None:
    value = _at(text, path)
    return None if value is MISSING else _dump(value)


def json_parse(text: str) -> str:
    try:
        return _dump(_load(text))
    except ValueError as error:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Cannot convert value to JSON: '{text}'") from error


def json_array_length(text: str) -> int | None:
    try:
        value = _load(text)
    except ValueError:
        return None
    return len(value) if isinstance(value, list) else None


def json_size(text: str, path: str) -> int | None:
    value = _at(text, path)
    if value is MISSING:
        return None
    return len(value) if isinstance(value, (dict, list)) else 0


def is_json_scalar(text: str) -> bool:
    try:
        return not isinstance(_load(text), (dict, list))
    except ValueError as error:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Invalid JSON value: {text}") from error


def json_as_text(text: str) -> str | None:
    """CAST of JSON to a scalar type."""
    value = _load(text)
    if isinstance(value, (dict, list)):
        raise QueryError("INVALID_CAST_ARGUMENT", f"Cannot cast JSON to varchar: {text}")
    return _scalar(value)


def double_as_text(value: float) -> str:
    """As Java writes it."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        # Python's shortest digits, without an exponent.
        text = format(Decimal(repr(value)), "f")
        return text if "." in text else text + ".0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{int(exponent) + len(digits) - 1}"


FUNCTIONS: list[tuple[Callable[..., Any], list[str], str]] = [
    (fail, ["VARCHAR", "VARCHAR", "VARCHAR"], "INTEGER"),
    (regexp_like, ["VARCHAR", "VARCHAR"], "BOOLEAN"),
    (regexp_extract, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR"),
    (regexp_extract_all, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR[]"),
    (regexp_replace, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR"),
    (regexp_split, ["VARCHAR", "VARCHAR"], "VARCHAR[]"),
    (regexp_count, ["VARCHAR", "VARCHAR"], "BIGINT"),
    (json_extract_scalar, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (json_extract, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (json_parse, ["VARCHAR"], "VARCHAR"),
    (json_array_length, ["VARCHAR"], "BIGINT"),
    (json_size, ["VARCHAR", "VARCHAR"], "BIGINT"),
    (is_json_scalar, ["VARCHAR"], "BOOLEAN"),
    (json_as_text, ["VARCHAR"], "VARCHAR"),
    (double_as_text, ["DOUBLE"], "VARCHAR"),
]


def register(connection: duckdb.DuckDBPyConnection) -> None:
    for function, parameters, result in FUNCTIONS:
        connection.create_function(f"trino_{function.__name__}", _callable(function), parameters, result, null_handling="special")


def _callable(function: Callable[..., Any]) -> Callable[..., Any]:
    # Its signature is what DuckDB counts the parameters of.
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        # DuckDB's own handling of NULL arguments forbids NULL results.
        if None in arguments:
            return None
        try:
            return function(*arguments)
        except QueryError as error:
            raise Marked(error) from error

    return call
