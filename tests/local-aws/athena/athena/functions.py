"""Athena's scalar functions, each with what it is in DuckDB. One that is not listed here is refused: it never runs as something else.

A signature has a letter for each argument: t text, i integer, n any number, b boolean, s time, a array, m map, j JSON or text, x anything.
`{0}` stands for the first argument, and so on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import times
from .casts import as_text, cast, checked
from .errors import NotSupportedLocally, QueryError
from .typed import Typed, instant, local
from .types import TIMESTAMP_WITH_ZONE

if TYPE_CHECKING:
    from .expressions import Translator

FAMILIES = {
    "t": {"text"},
    "i": {"integer"},
    "n": {"integer", "number"},
    "b": {"boolean"},
    "s": {"time"},
    "a": {"array"},
    "m": {"map"},
    "j": {"json", "text"},
    "x": None,
}

SIMPLE: dict[str, list[tuple[str, str]]] = {
    "abs": [("n", "abs({0})")],
    "ceil": [("n", "ceil({0})")],
    "ceiling": [("n", "ceil({0})")],
    "floor": [("n", "floor({0})")],
    "round": [("n", "round({0})"), ("ni", "round({0}, {1})")],
    "sqrt": [("n", "sqrt({0})")],
    "power": [("nn", "power({0}, {1})")],
    "pow": [("nn", "power({0}, {1})")],
    "ln": [("n", "ln({0})")],
    "log10": [("n", "log10({0})")],
    "sign": [("i", "sign({0})")],
    "lower": [("t", "lower({0})")],
    "upper": [("t", "upper({0})")],
    "length": [("t", "length({0})")],
    "reverse": [("t", "reverse({0})"), ("a", "list_reverse({0})")],
    "ltrim": [("t", "ltrim({0})")],
    "rtrim": [("t", "rtrim({0})")],
    "replace": [("tt", "replace({0}, {1}, '')"), ("ttt", "replace({0}, {1}, {2})")],
    "strpos": [("tt", "strpos({0}, {1})")],
    "starts_with": [("tt", "starts_with({0}, {1})")],
    "chr": [("i", "chr(CAST({0} AS INTEGER))")],
    "codepoint": [("t", "unicode({0})")],
    "lpad": [("tit", "lpad({0}, CAST({1} AS INTEGER), {2})")],
    "rpad": [("tit", "rpad({0}, CAST({1} AS INTEGER), {2})")],
    "split": [("tt", "string_split({0}, {1})")],
    "split_part": [("tti", "CASE WHEN {2} <= len(string_split({0}, {1})) THEN split_part({0}, {1}, {2}) END")],
    "concat_ws": [("t+t", "concat_ws({*})")],
    "regexp_like": [("tt", "trino_regexp_like({0}, {1})")],
    "regexp_extract": [("tt", "trino_regexp_extract({0}, {1}, 0)"), ("tti", "trino_regexp_extract({0}, {1}, {2})")],
    "regexp_extract_all": [("tt", "trino_regexp_extract_all({0}, {1}, 0)"), ("tti", "trino_regexp_extract_all({0}, {1}, {2})")],
    "regexp_replace": [("tt", "trino_regexp_replace({0}, {1}, '')"), ("ttt", "trino_regexp_replace({0}, {1}, {2})")],
    "regexp_split": [("tt", "trino_regexp_split({0}, {1})")],
    "regexp_count": [("tt", "trino_regexp_count({0}, {1})")],
    "json_extract_scalar": [("jt", "trino_json_extract_scalar(CAST({0} AS VARCHAR), {1})")],
    "json_extract": [("jt", "CAST(trino_json_extract(CAST({0} AS VARCHAR), {1}) AS JSON)")],
    "json_parse": [("t", "CAST(trino_json_parse({0}) AS JSON)")],
    "json_format": [("j", "CAST({0} AS VARCHAR)")],
    "json_array_length": [("j", "trino_json_array_length(CAST({0} AS VARCHAR))")],
    "json_size": [("jt", "trino_json_size(CAST({0} AS VARCHAR), {1})")],
    "is_json_scalar": [("j", "trino_is_json_scalar(CAST({0} AS VARCHAR))")],
    "coalesce": [("x+x", "coalesce({*})")],
    "nullif": [("xx", "nullif({0}, {1})")],
    "try": [("x", "TRY({0})")],
    "cardinality": [("a", "CAST(len({0}) AS BIGINT)"), ("m", "CAST(cardinality({0}) AS BIGINT)")],
    "contains": [("ax", "list_contains({0}, {1})")],
    "array_distinct": [("a", "list_distinct({0})")],
    "array_sort": [("a", "list_sort({0}, 'ASC', 'NULLS LAST')")],
    "array_max": [("a", "CASE WHEN list_has_any([true], list_transform({0}, lambda e: e IS NULL)) THEN NULL ELSE list_max({0}) END")],
    "array_min": [("a", "CASE WHEN list_has_any([true], list_transform({0}, lambda e: e IS NULL)) THEN NULL ELSE list_min({0}) END")],
    "array_position": [("ax", "CAST(coalesce(list_position({0}, {1}), 0) AS BIGINT)")],
    "slice": [("aii", "list_slice({0}, {1}, {1} + {2} - 1)")],
    "flatten": [("a", "flatten({0})")],
    "map_keys": [("m", "map_keys({0})")],
    "map_values": [("m", "map_values({0})")],
    "map": [("aa", "map({0}, {1})")],
    "from_iso8601_date": [("t", "CAST({0} AS DATE)")],
    "to_hex": [("x", "hex({0})")],
    "pi": [("", "pi()")],
}

PARTS = {
    "year": "year({0})",
    "quarter": "quarter({0})",
    "month": "month({0})",
    "week": "week({0})",
    "week_of_year": "week({0})",
    "day": "day({0})",
    "day_of_month": "day({0})",
    "day_of_week": "isodow({0})",
    "dow": "isodow({0})",
    "day_of_year": "dayofyear({0})",
    "doy": "dayofyear({0})",
    "hour": "hour({0})",
    "minute": "minute({0})",
    "second": "second({0})",
    "millisecond": "CAST(millisecond({0}) % 1000 AS BIGINT)",
}
UNITS = ("millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
CALENDAR_UNITS = ("day", "week", "month", "quarter", "year")
ISO_8601 = r"\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2}([.,]\d{1,9})?)?)?(Z|[+-]00:?00)?)?"


def call(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    oracle = translator.oracle
    if name in PARTS:
        require(name, arguments, "s")
        return oracle.make(f"CAST({PARTS[name]} AS BIGINT)", local(arguments[0]))
    if handler := HANDLERS.get(name):
        return handler(translator, name, arguments)
    for signature, template in SIMPLE.get(name, []):
        if matches(signature, arguments):
            return oracle.make(template.replace("{*}", ", ".join(f"{{{index}}}" for index in range(len(arguments)))), *arguments)
    if SIMPLE.get(name):
        raise unexpected(name, arguments)
    raise NotSupportedLocally(f"the function {name}")


def matches(signature: str, arguments: list[Typed]) -> bool:
    if "+" in signature:
        first, rest = signature.split("+")
        signature = first + rest * max(len(arguments) - len(first), 0)
    if len(signature) != len(arguments):
        return False
    return all(
        FAMILIES[letter] is None or value.family in FAMILIES[letter] | {"unknown"}
        for letter, value in zip(signature, arguments, strict=True)
    )


def require(name: str, arguments: list[Typed], *signatures: str) -> None:
    if not any(matches(signature, arguments) for signature in signatures):
        raise unexpected(name, arguments)


def unexpected(name: str, arguments: list[Typed]) -> QueryError:
    given = ", ".join(argument.named for argument in arguments)
    return QueryError("FUNCTION_NOT_FOUND", f"Unexpected parameters ({given}) for function {name}")


def text_of(name: str, value: Typed) -> str:
    if value.literal is None:
        raise NotSupportedLocally(f"the function {name} with a text that is not written out")
    return value.literal


def unit_of(name: str, value: Typed) -> str:
    unit = text_of(name, value).lower()
    if unit not in UNITS:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid TIME field")
    return unit


def zone_of(name: str, value: Typed) -> str:
    zone = text_of(name, value)
    # DuckDB reads the sign of an offset the other way round.
    if zone[:1] in "+-":
        raise NotSupportedLocally(f"the time zone {zone}, which is no name,")
    return zone.replace("'", "''")


def _substr(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "ti", "tii")
    template = "substr({0}, {1})" if len(arguments) == 2 else "substr({0}, {1}, {2})"
    # Trino begins nowhere at 0, and beyond the beginning.
    return translator.oracle.make(f"CASE WHEN {{1}} = 0 OR {{1}} < -length({{0}}) THEN '' ELSE {template} END", *arguments)


def _concat(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "t+t", "a+a")
    return translator.oracle.make(f"({' || '.join(f'{{{index}}}' for index in range(len(arguments)))})", *arguments)


def _greatest(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    places = [f"{{{index}}}" for index in range(len(arguments))]
    unknown = " OR ".join(f"{place} IS NULL" for place in places)
    return translator.oracle.make(f"CASE WHEN {unknown} THEN NULL ELSE {name}({', '.join(places)}) END", *arguments)


def _at_timezone(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "st")
    value = cast(translator.oracle, arguments[0], TIMESTAMP_WITH_ZONE)
    return Typed(value.sql, TIMESTAMP_WITH_ZONE, zone_of(name, arguments[1]))


def _with_timezone(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "st")
    if arguments[0].type == TIMESTAMP_WITH_ZONE:
        raise unexpected(name, arguments)
    return instant(cast(translator.oracle, arguments[0], "TIMESTAMP"), zone_of(name, arguments[1]))


def _from_iso8601_timestamp(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "t")
    text = arguments[0].sql
    # Of microseconds, Athena keeps milliseconds.
    taken = f"date_trunc('milliseconds', CAST(replace({text}, ',', '.') AS TIMESTAMPTZ))"
    message = "Invalid format, or one with an offset, which the local Athena does not support: "
    sql = checked(f"regexp_full_match({text}, '{ISO_8601}')", taken, "INVALID_FUNCTION_ARGUMENT", message, text, "TIMESTAMPTZ")
    return Typed(sql, TIMESTAMP_WITH_ZONE, "UTC")


def _to_iso8601(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "s")
    value = arguments[0]
    if value.type == "DATE":
        return Typed(as_text(value), "VARCHAR")
    if value.type == TIMESTAMP_WITH_ZONE and value.zone != "UTC":
        raise NotSupportedLocally(f"to_iso8601 in the time zone {value.zone}")
    suffix = "Z" if value.type == TIMESTAMP_WITH_ZONE else ""
    return Typed(f"strftime({local(value).sql}, '%Y-%m-%dT%H:%M:%S.%g{suffix}')", "VARCHAR")


def _format_time(translate: Callable[[str], str]) -> Callable[..., Typed]:
    def format_time(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
        require(name, arguments, "st")
        format_ = translate(text_of(name, arguments[1])).replace("'", "''")
        return translator.oracle.make(f"strftime({{0}}, '{format_.replace('{', '{{').replace('}', '}}')}')", local(arguments[0]))

    return format_time


def _parse_time(translate: Callable[[str], str]) -> Callable[..., Typed]:
    def parse_time(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
        require(name, arguments, "tt")
        format_ = translate(text_of(name, arguments[1])).replace("'", "''")
        taken = Typed(f"strptime({arguments[0].sql}, '{format_}')", "TIMESTAMP")
        return instant(taken, "UTC") if name == "parse_datetime" else taken

    return parse_time


def _date_trunc(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "ts")
    unit, value = unit_of(name, arguments[0]), arguments[1]
    truncated = f"date_trunc('{unit}', {local(value).sql})"
    if value.type == TIMESTAMP_WITH_ZONE:
        return instant(Typed(truncated, "TIMESTAMP"), str(value.zone))
    return Typed(f"CAST({truncated} AS {value.type})", value.type)


def _date_add(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "tis")
    unit, value = unit_of(name, arguments[0]), arguments[2]
    interval = f"to_{unit}s({arguments[1].sql})"
    if unit == "quarter":
        interval = f"to_months(3 * {arguments[1].sql})"
    if unit in ("day", "week", "month", "quarter", "year"):
        interval = interval.replace(arguments[1].sql, f"CAST({arguments[1].sql} AS INTEGER)", 1)
    if unit in ("millisecond", "second"):
        interval = f"to_{unit}s(CAST({arguments[1].sql} AS DOUBLE))"
    if value.type == TIMESTAMP_WITH_ZONE and unit in CALENDAR_UNITS:
        return instant(Typed(f"({local(value).sql} + {interval})", "TIMESTAMP"), str(value.zone))
    return Typed(f"CAST({value.sql} + {interval} AS {value.type})", value.type, value.zone)


def _date_diff(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "tss")
    unit = unit_of(name, arguments[0])
    first, second = arguments[1], arguments[2]
    if first.type == second.type == TIMESTAMP_WITH_ZONE and first.zone != second.zone:
        second = Typed(second.sql, second.type, first.zone)
    # DuckDB's date_sub counts whole units, as Trino's date_diff does; DuckDB's date_diff counts boundaries.
    return translator.oracle.make(f"date_sub('{unit}', CAST({{0}} AS TIMESTAMP), CAST({{1}} AS TIMESTAMP))", local(first), local(second))


def _date(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "t", "s")
    return cast(translator.oracle, arguments[0], "DATE")


def _to_unixtime(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "s")
    return Typed(f"epoch({cast(translator.oracle, arguments[0], TIMESTAMP_WITH_ZONE).sql})", "DOUBLE")


def _now(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "")
    return Typed(f"TIMESTAMPTZ '{translator.now}'", TIMESTAMP_WITH_ZONE, "UTC")


def _from_unixtime(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "n", "nt")
    zone = zone_of(name, arguments[1]) if len(arguments) == 2 else "UTC"
    return Typed(f"date_trunc('milliseconds', to_timestamp(CAST({arguments[0].sql} AS DOUBLE)))", TIMESTAMP_WITH_ZONE, zone)


def _element_at(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "ai", "mx")
    if arguments[0].family == "map":
        return translator.oracle.make("map_extract_value({0}, {1})", *arguments)
    return translator.oracle.make("list_extract({0}, {1})", *arguments)


def _array_join(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "at", "att")
    item = Typed("e", arguments[0].type[:-2], probe="e")
    texts = f"list_transform({{0}}, lambda e: {as_text(item)})"
    if len(arguments) == 3:
        texts = f"list_transform({texts}, lambda e: coalesce(e, {{2}}))"
    return translator.oracle.make(f"array_to_string({texts}, {{1}})", *arguments)


def _sequence(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "ii", "iii", "ss", "ssx")
    first, last = arguments[:2]
    if first.family == "integer":
        step = arguments[2].sql if len(arguments) == 3 else f"CASE WHEN {first.sql} <= {last.sql} THEN 1 ELSE -1 END"
        return Typed(f"generate_series(CAST({first.sql} AS BIGINT), CAST({last.sql} AS BIGINT), {step})", "BIGINT[]")
    if first.type != last.type or first.type == TIMESTAMP_WITH_ZONE or (first.type == "TIMESTAMP" and len(arguments) == 2):
        raise NotSupportedLocally(f"sequence({', '.join(argument.named for argument in arguments)})")
    step = arguments[2].sql if len(arguments) == 3 else "INTERVAL 1 DAY"
    return Typed(
        f"CAST(generate_series(CAST({first.sql} AS TIMESTAMP), CAST({last.sql} AS TIMESTAMP), {step}) AS {first.type}[])", f"{first.type}[]"
    )


def _format(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    require(name, arguments, "tx+x")
    format_ = text_of(name, arguments[0])
    # Of Java's formats those that C, and with it DuckDB's printf, writes in the same way.
    specifiers = times.printf(format_)
    for specifier, argument in zip(specifiers, arguments[1:], strict=False):
        if specifier not in times.PRINTED.get(argument.family, ""):
            raise NotSupportedLocally(f"%{specifier} of {argument.named} in the format {format_}")
    return translator.oracle.make(f"printf({', '.join(f'{{{index}}}' for index in range(len(arguments)))})", *arguments)


def _row(translator: "Translator", name: str, arguments: list[Typed]) -> Typed:
    return translator.oracle.make(
        f"struct_pack({', '.join(f'field{index} := {{{index}}}' for index in range(len(arguments)))})", *arguments
    )


HANDLERS: dict[str, Callable[["Translator", str, list[Typed]], Typed]] = {
    "substr": _substr,
    "substring": _substr,
    "concat": _concat,
    "greatest": _greatest,
    "least": _greatest,
    "at_timezone": _at_timezone,
    "with_timezone": _with_timezone,
    "from_iso8601_timestamp": _from_iso8601_timestamp,
    "to_iso8601": _to_iso8601,
    "date_format": _format_time(times.mysql),
    "format_datetime": _format_time(times.joda),
    "date_parse": _parse_time(times.mysql),
    "parse_datetime": _parse_time(times.joda),
    "date_trunc": _date_trunc,
    "date_add": _date_add,
    "date_diff": _date_diff,
    "date": _date,
    "to_unixtime": _to_unixtime,
    "from_unixtime": _from_unixtime,
    "now": _now,
    "element_at": _element_at,
    "array_join": _array_join,
    "sequence": _sequence,
    "format": _format,
    "row": _row,
}
