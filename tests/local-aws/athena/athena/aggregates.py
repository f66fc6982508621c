"""Aggregate and window functions."""

from typing import TYPE_CHECKING

from sqlglot import exp

from .errors import NotSupportedLocally
from .functions import matches, unexpected
from .plan import exposes_position, quoted
from .typed import Typed

if TYPE_CHECKING:
    from .expressions import Translator

# Signature and DuckDB's call; {d} is where DISTINCT goes, {o} where ORDER BY goes.
AGGREGATES: dict[str, list[tuple[str, str]]] = {
    "count": [("", "count(*)"), ("x", "count({d}{0})")],
    "count_if": [("b", "CAST(count_if({0}) AS BIGINT)")],
    "sum": [("n", "sum({d}{0})")],
    "avg": [("n", "avg({d}{0})")],
    "min": [("x", "min({0})")],
    "max": [("x", "max({0})")],
    "min_by": [("xx", "min_by({0}, {1})")],
    "max_by": [("xx", "max_by({0}, {1})")],
    "arbitrary": [("x", "any_value({0})")],
    "any_value": [("x", "any_value({0})")],
    "bool_and": [("b", "bool_and({0})")],
    "every": [("b", "bool_and({0})")],
    "bool_or": [("b", "bool_or({0})")],
    "array_agg": [("x", "array_agg({d}{0}{o})")],
    "listagg": [("tt", "string_agg({d}{0}, {1}{o})")],
    "map_agg": [("xx", "map(array_agg({0}), array_agg({1}))")],
    "histogram": [("x", "histogram({0})")],
    # An exact answer is within the error that is allowed.
    "approx_distinct": [("x", "count(DISTINCT {0})"), ("xn", "count(DISTINCT {0})")],
    "approx_percentile": [("nn", "quantile_disc({0}, {1})")],
    "stddev": [("n", "stddev_samp({0})")],
    "variance": [("n", "var_samp({0})")],
}
RANKING = {
    "row_number": [("", "row_number()")],
    "rank": [("", "rank()")],
    "dense_rank": [("", "dense_rank()")],
    "ntile": [("i", "ntile({0})")],
    "lag": [("x", "lag({0}{n})"), ("xi", "lag({0}, {1}{n})"), ("xix", "lag({0}, {1}, {2}{n})")],
    "lead": [("x", "lead({0}{n})"), ("xi", "lead({0}, {1}{n})"), ("xix", "lead({0}, {1}, {2}{n})")],
    "first_value": [("x", "first_value({0}{n})")],
    "last_value": [("x", "last_value({0}{n})")],
    "nth_value": [("xi", "nth_value({0}, {1}{n})")],
}
# Their result tells the order in which rows are read, where no other is given.
BY_POSITION = ("row_number", "lag", "lead", "ntile")
AGGREGATE_NAMES = frozenset(AGGREGATES)


def is_aggregate(node: exp.Expression) -> bool:
    return isinstance(node, exp.GroupConcat) or (isinstance(node, exp.Anonymous) and node.name.lower() in AGGREGATE_NAMES)


def aggregate(translator: "Translator", node: exp.Expression, filter_: exp.Expression | None, window: exp.Window | None) -> Typed:
    nulls = ""
    if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)):
        nulls = " IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else ""
        node = node.this
    name, parts, distinct, order = _parts(node)
    arguments = [translator.translate(part) for part in parts]
    for signature, template in AGGREGATES.get(name, []) + (RANKING.get(name, []) if window else []):
        if matches(signature, arguments):
            break
    else:
        if name not in AGGREGATES and name not in RANKING:
            raise NotSupportedLocally(f"the function {name}")
        raise unexpected(name, arguments)
    if (distinct and "{d}" not in template) or (order and "{o}" not in template) or (nulls and "{n}" not in template):
        raise NotSupportedLocally(f"DISTINCT, ORDER BY or IGNORE NULLS in {name}")
    if order and distinct and window:
        raise NotSupportedLocally(f"DISTINCT with ORDER BY in the window function {name}")

    ordered = f" ORDER BY {', '.join(translator.ordered(item) for item in order)}" if order else ""
    text = template.replace("{d}", "DISTINCT " if distinct else "").replace("{n}", nulls)
    suffix = f" FILTER (WHERE {translator.translate(filter_).sql})" if filter_ else ""
    over = f" OVER ({_frame(translator, window, name)})" if window else ""
    places = [argument.sql for argument in arguments]
    probe = text.replace("{o}", "").format(*(argument.probed for argument in arguments)) + (" OVER ()" if window else "")
    type_ = translator.oracle.type_of(probe)
    sql = text.replace("{o}", "\0").format(*places).replace("\0", ordered)
    if text.startswith("CAST(") and (suffix or over):
        inner = sql[len("CAST(") : -len(" AS BIGINT)")]
        sql = f"CAST({inner}{suffix}{over} AS BIGINT)"
    else:
        sql += suffix + over
    if type_ == "HUGEINT":
        return Typed(f"CAST({sql} AS BIGINT)", "BIGINT")
    return Typed(sql, type_, next((argument.zone for argument in arguments if argument.type == type_), None))


def _parts(node: exp.Expression) -> tuple[str, list[exp.Expression], bool, list[exp.Expression]]:
    """Name, arguments, whether DISTINCT, and ORDER BY."""
    order: list[exp.Expression] = []
    if isinstance(node, exp.GroupConcat):
        parts = [node.this, node.args.get("separator") or exp.Literal.string("")]
        name = "listagg"
    elif isinstance(node, exp.Anonymous):
        name, parts = node.name.lower(), list(node.expressions)
    else:
        raise NotSupportedLocally(f"{node.sql('trino')} as an aggregate or window function")
    if name == "count" and len(parts) == 1 and isinstance(parts[0], exp.Star):
        parts = []
    if parts and isinstance(parts[-1], exp.Order):
        order, parts[-1] = parts[-1].expressions, parts[-1].this
    if parts and isinstance(parts[0], exp.Order):
        order, parts[0] = parts[0].expressions, parts[0].this
    distinct = bool(parts) and isinstance(parts[0], exp.Distinct)
    if distinct:
        parts = [*parts[0].expressions, *parts[1:]]
        if parts and isinstance(parts[-1], exp.Order):
            order, parts[-1] = parts[-1].expressions, parts[-1].this
    return name, parts, distinct, order


def _frame(translator: "Translator", window: exp.Window, name: str) -> str:
    if window.args.get("alias"):
        window = translator.named_window(window.args["alias"].name)
    partition = window.args.get("partition_by") or []
    keys = [translator.translate(key) for key in partition]
    pieces = []
    if keys:
        pieces.append(f"PARTITION BY {', '.join(key.sql for key in keys)}")
    order = window.args.get("order")
    if order:
        pieces.append(f"ORDER BY {', '.join(translator.ordered(item) for item in order.expressions)}")
    elif name in BY_POSITION and (position := _position(translator, partition)):
        pieces.append(f"ORDER BY {position}")
    if spec := window.args.get("spec"):
        pieces.append(_spec(translator, spec))
    return " ".join(pieces)


def _position(translator: "Translator", partition: list[exp.Expression]) -> str | None:
    """The order of reading of the source that the keys are columns of: so are lines numbered as they lie in an object."""
    for key in partition:
        if isinstance(key, exp.Column) and (source := translator.scope.sources.get(key.table)):
            name = exposes_position(source, key.name)
            if name is not None:
                return f"{quoted(source.alias)}.{quoted(name)}"
    return None


def _spec(translator: "Translator", spec: exp.WindowSpec) -> str:
    def bound(side: str) -> str:
        value, direction = spec.args.get(side), spec.args.get(f"{side}_side")
        if isinstance(value, exp.Expression):
            value = translator.translate(value).sql
        return f"{value} {direction}" if direction else str(value)

    kind = str(spec.args["kind"]).upper()
    if spec.args.get("exclude") or kind not in ("ROWS", "RANGE", "GROUPS"):
        raise NotSupportedLocally("this frame of a window")
    return f"{kind} BETWEEN {bound('start')} AND {bound('end') if spec.args.get('end') else 'CURRENT ROW'}"
