"""Arrays and maps: their elements, and functions that take a lambda."""

from typing import TYPE_CHECKING

from sqlglot import exp

from .errors import NotSupportedLocally, QueryError
from .plan import quoted
from .typed import Typed
from .types import element, key_and_value, members

if TYPE_CHECKING:
    from .expressions import Translator

LAMBDA_FUNCTIONS = {
    "filter": "list_filter({array}, {function})",
    "transform": "list_transform({array}, {function})",
    "any_match": "coalesce(list_bool_or(list_transform({array}, {function})), false)",
    "all_match": "coalesce(list_bool_and(list_transform({array}, {function})), true)",
    "none_match": "NOT coalesce(list_bool_or(list_transform({array}, {function})), false)",
}


def lambda_function(translator: "Translator", name: str, array: exp.Expression, function: exp.Lambda) -> Typed:
    value = translator.translate(array)
    item = element(value.type)
    if item is None or len(function.expressions) != 1:
        raise NotSupportedLocally(f"{name} of {value.named}")
    parameter = function.expressions[0].name.lower()
    translator.lambdas.append({parameter: item})
    body = translator.translate(function.this)
    translator.lambdas.pop()
    template = LAMBDA_FUNCTIONS[name]
    if name == "filter":
        type_ = value.type
    elif name == "transform":
        type_ = f"{body.type}[]"
    else:
        type_ = "BOOLEAN"
    sql = template.format(array=value.sql, function=f"lambda {quoted(parameter)}: {body.sql}")
    return Typed(sql, type_, body.zone if name == "transform" else value.zone)


def subscript(translator: "Translator", node: exp.Bracket) -> Typed:
    if len(node.expressions) != 1:
        raise NotSupportedLocally(node.sql("trino"))
    value, index = translator.many([node.this, node.expressions[0]])
    if (item := element(value.type)) is not None:
        message = f"'Array subscript must be less than or equal to array length: ' || {index.sql} || ' > ' || len({value.sql})"
        failure = f"trino_fail('INVALID_FUNCTION_ARGUMENT', {message}, '')"
        sql = f"CASE WHEN {index.sql} NOT BETWEEN 1 AND len({value.sql}) THEN list_extract({value.sql}, {failure}) ELSE list_extract({value.sql}, {index.sql}) END"
        return Typed(sql, item, value.zone)
    if (pair := key_and_value(value.type)) is not None:
        failure = f"list_extract(CAST([] AS {pair[1]}[]), trino_fail('INVALID_FUNCTION_ARGUMENT', 'Key not present in map', ''))"
        return Typed(
            f"CASE WHEN map_contains({value.sql}, {index.sql}) THEN map_extract_value({value.sql}, {index.sql}) ELSE {failure} END",
            pair[1],
        )
    if (fields := members(value.type)) is not None and isinstance(node.expressions[0], exp.Literal):
        return translator.dereference(value, [fields[int(node.expressions[0].this) - 1][0]])
    raise QueryError("TYPE_MISMATCH", f"Cannot use {value.named} for subscript")
