"""CAST and TRY_CAST: Trino takes fewer texts than DuckDB, and writes values otherwise."""

from sqlglot import exp

from .errors import NotSupportedLocally, QueryError
from .typed import UNKNOWN, Typed, TypeOracle, instant, local
from .types import INTEGERS, TIMESTAMP_WITH_ZONE, from_trino, members, trino

# The texts that Trino takes for a value of a type; its names in the message of a refusal.
PATTERNS = {
    "TIMESTAMP": (r"\s*\d{4,}-\d{1,2}-\d{1,2}( (\d{1,2}:\d{1,2}(:\d{1,2}(\.\d+)?)?)?)?\s*", "Value cannot be cast to timestamp: "),
    "DATE": (r"\s*\d{4,}-\d{1,2}-\d{1,2}\s*", "Value cannot be cast to date: "),
    "DOUBLE": (r"\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?Infinity|NaN)\s*", "Cannot cast value to DOUBLE: "),
    "BOOLEAN": (r"(?i)(t|true|1|f|false|0)", "Cannot cast value to BOOLEAN: "),
}
INTEGER_PATTERN = r"[+-]?\d+"
TIMESTAMP_TEXT, DATE_TEXT = "%Y-%m-%d %H:%M:%S.%g", "%Y-%m-%d"


def target_of(type_: exp.DataType) -> tuple[str, int | None]:
    """DuckDB's type, and the length of a varchar that has one."""
    text = type_.sql("trino").lower()
    length = None
    if type_.this in (exp.DataType.Type.VARCHAR, exp.DataType.Type.CHAR) and type_.expressions:
        length = int(type_.expressions[0].name)
    if type_.this == exp.DataType.Type.DECIMAL and not type_.expressions:
        return "DECIMAL(38,0)", None
    return from_trino(text), length


def cast(oracle: TypeOracle, value: Typed, target: str, length: int | None = None) -> Typed:
    result = _cast(oracle, value, target)
    if length is not None:
        return Typed(f"left({result.sql}, {length})", "VARCHAR")
    return result


def _cast(oracle: TypeOracle, value: Typed, target: str) -> Typed:
    source = value.type
    if source in (target, UNKNOWN):
        return Typed(f"CAST({value.sql} AS {target})", target, value.zone or ("UTC" if target == TIMESTAMP_WITH_ZONE else None))
    if source == "JSON":
        return _from_json(value, target)
    if target == "JSON":
        if value.family == "time":
            raise NotSupportedLocally(f"a cast from {trino(source)} to json")
        return Typed(f"to_json({value.sql})", "JSON")
    if target == "VARCHAR":
        return Typed(as_text(value), "VARCHAR")
    if source == "VARCHAR":
        return _from_text(value, target)
    if target == TIMESTAMP_WITH_ZONE and source in ("TIMESTAMP", "DATE"):
        return instant(Typed(f"CAST({value.sql} AS TIMESTAMP)", "TIMESTAMP"), "UTC")
    if source == TIMESTAMP_WITH_ZONE and target in ("TIMESTAMP", "DATE"):
        return Typed(f"CAST({local(value).sql} AS {target})", target)
    fields, wanted = members(source), members(target)
    if fields is not None and wanted is not None and len(fields) == len(wanted):
        # By position; DuckDB goes by name.
        parts = [
            f'"{name}" := {_cast(oracle, Typed(f"struct_extract({value.sql}, {chr(39)}{field}{chr(39)})", given, value.zone), type_).sql}'
            for (field, given), (name, type_) in zip(fields, wanted, strict=True)
        ]
        return Typed(f"CASE WHEN {value.sql} IS NOT NULL THEN struct_pack({', '.join(parts)}) END", target)
    same = value.family == _family(target) or {value.family, _family(target)} <= {"integer", "number", "boolean"}
    if not same or TIMESTAMP_WITH_ZONE in (source, target):
        raise QueryError("TYPE_MISMATCH", f"Cannot cast {trino(source)} to {trino(target)}")
    if value.family == "number" and target in INTEGERS:
        # Java rounds halves up.
        return Typed(f"CAST(round({value.sql}) AS {target})", target)
    return Typed(f"CAST({value.sql} AS {target})", target)


def _family(type_: str) -> str:
    return Typed("", type_).family


def _from_text(value: Typed, target: str) -> Typed:
    if target in INTEGERS:
        pattern, message = INTEGER_PATTERN, f"Cannot cast value to {target}: "
    elif target in PATTERNS:
        pattern, message = PATTERNS[target]
    elif target.startswith("DECIMAL"):
        pattern, message = PATTERNS["DOUBLE"][0], f"Cannot cast value to {target}: "
    else:
        raise NotSupportedLocally(f"a cast from varchar to {trino(target)}")
    taken = f"CAST({value.sql} AS {target})"
    return Typed(
        checked(f"regexp_full_match({value.sql}, '{pattern}')", taken, "INVALID_CAST_ARGUMENT", message, value.sql, target), target
    )


def checked(condition: str, result: str, code: str, message: str, shown: str, type_: str) -> str:
    """The result where the condition holds; otherwise the query fails. Unlike DuckDB's error(), a function of ours lets TRY catch it."""
    failure = f"trino_fail('{code}', '{message}' || CAST({shown} AS VARCHAR), '')"
    return f"CASE WHEN {condition} THEN {result} WHEN {shown} IS NULL THEN NULL ELSE list_extract(CAST([] AS {type_}[]), {failure}) END"


def _from_json(value: Typed, target: str) -> Typed:
    text = f"trino_json_as_text(CAST({value.sql} AS VARCHAR))"
    if target == "VARCHAR":
        return Typed(text, target)
    if target in (*INTEGERS, "DOUBLE", "BOOLEAN"):
        return Typed(f"CAST({text} AS {target})", target)
    if _family(target) in ("array", "map", "row"):
        return Typed(f"CAST({value.sql} AS {target})", target)
    raise QueryError("TYPE_MISMATCH", f"Cannot cast json to {trino(target)}")


def as_text(value: Typed) -> str:
    """The text of a value, as a cast to varchar gives it."""
    if value.type == "TIMESTAMP":
        return f"strftime({value.sql}, '{TIMESTAMP_TEXT}')"
    if value.type == TIMESTAMP_WITH_ZONE:
        return f"(strftime({local(value).sql}, '{TIMESTAMP_TEXT}') || ' {value.zone}')"
    if value.type == "DATE":
        return f"strftime({value.sql}, '{DATE_TEXT}')"
    if value.type in ("DOUBLE", "FLOAT"):
        return f"trino_double_as_text(CAST({value.sql} AS DOUBLE))"
    if value.family in ("integer", "boolean", "text") or value.type.startswith("DECIMAL"):
        return f"CAST({value.sql} AS VARCHAR)"
    raise QueryError("TYPE_MISMATCH", f"Cannot cast {trino(value.type)} to varchar")


def try_cast(oracle: TypeOracle, value: Typed, target: str, length: int | None = None) -> Typed:
    result = cast(oracle, value, target, length)
    return Typed(f"TRY({result.sql})", result.type, result.zone)
