"""Values as Athena writes them into results."""

from .casts import as_text
from .plan import quoted
from .typed import Typed
from .types import TIMESTAMP_WITH_ZONE, element, key_and_value, members


def rendered(value: Typed) -> str:
    """DuckDB's SQL for the text of a value in a result; NULL stays NULL."""
    if (item := element(value.type)) is not None:
        inner = _or_null(Typed("e", item, _zone(item, value)))
        return f"('[' || array_to_string(list_transform({value.sql}, lambda e: {inner}), ', ') || ']')"
    if (fields := members(value.type)) is not None:
        parts = [
            f"'{name}=' || {_or_null(Typed(f'struct_extract({value.sql}, {chr(39)}{name}{chr(39)})', type_, _zone(type_, value)))}"
            for name, type_ in fields
        ]
        joined = " || ', ' || ".join(parts)
        return f"CASE WHEN {value.sql} IS NOT NULL THEN '{{' || {joined} || '}}' END"
    if (pair := key_and_value(value.type)) is not None:
        key, member = (_or_null(Typed(f"e.{name}", type_, _zone(type_, value))) for name, type_ in zip(("key", "value"), pair, strict=True))
        return f"('{{' || array_to_string(list_transform(map_entries({value.sql}), lambda e: {key} || '=' || {member}), ', ') || '}}')"
    if value.type == "BLOB":
        return f"rtrim(regexp_replace(lower(hex({value.sql})), '(..)', '\\1 ', 'g'))"
    if value.type == "INTERVAL":
        days, rest = f"(epoch_ms({value.sql}) // 86400000)", f"(epoch_ms({value.sql}) % 86400000)"
        parts = f"{days}, {rest} // 3600000, {rest} // 60000 % 60, {rest} // 1000 % 60, {rest} % 1000"
        return f"CASE WHEN {value.sql} IS NOT NULL THEN printf('%d %02d:%02d:%02d.%03d', {parts}) END"
    if value.type in ("JSON", '"NULL"', "TIME"):
        return f"CAST({value.sql} AS VARCHAR)"
    return as_text(value)


def _zone(type_: str, value: Typed) -> str | None:
    return (value.zone or "UTC") if type_ == TIMESTAMP_WITH_ZONE else None


def _or_null(value: Typed) -> str:
    return f"coalesce({rendered(value)}, 'null')"


def column(alias: str, name: str, type_: str, zone: str | None) -> Typed:
    return Typed(f"{quoted(alias)}.{quoted(name)}", type_, zone)
