"""Translates Trino's expressions to DuckDB's, typed, and resolves the columns in them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import functions
from .aggregates import aggregate, is_aggregate
from .casts import cast, target_of, try_cast
from .collection import LAMBDA_FUNCTIONS, lambda_function, subscript
from .errors import NotSupportedLocally, QueryError
from .plan import quoted
from .typed import UNKNOWN, Typed, TypeOracle, constant, instant
from .types import INTEGERS, TIMESTAMP_WITH_ZONE, members

if TYPE_CHECKING:
    from .planner import Planner
    from .scope import Scope

COMPARISONS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Mod: "%"}


class Translator:
    def __init__(self, planner: "Planner", scope: "Scope") -> None:
        self.planner = planner
        self.scope = scope
        self.lambdas: list[dict[str, str]] = []

    @property
    def oracle(self) -> TypeOracle:
        return self.planner.oracle

    @property
    def now(self) -> str:
        return self.planner.now

    def translate(self, node: exp.Expression) -> Typed:
        if handler := HANDLERS.get(type(node)):
            return handler(self, node)
        if isinstance(node, (exp.Query, exp.Subquery)):
            return self.scalar_query(node)
        raise NotSupportedLocally(f"{type(node).__name__} ({node.sql('trino')[:100]})")

    def many(self, nodes: list[exp.Expression]) -> list[Typed]:
        return [self.translate(node) for node in nodes]

    def make(self, template: str, *arguments: Typed) -> Typed:
        return self.oracle.make(template, *arguments)

    # Columns

    def column(self, node: exp.Column) -> Typed:
        parts = [part.name for part in (node.args.get(name) for name in ("catalog", "db", "table", "this")) if part]
        for parameters in reversed(self.lambdas):
            if parts[0].lower() in parameters:
                name = quoted(parts[0].lower())
                return self.dereference(Typed(name, parameters[parts[0].lower()]), parts[1:])
        source, output, used = self.scope.find(parts, node)
        node.set("this", exp.to_identifier(output.name, quoted=True))
        node.set("table", exp.to_identifier(source.alias, quoted=True))
        node.set("db", None)
        node.set("catalog", None)
        value = Typed(f"{quoted(source.alias)}.{quoted(output.name)}", output.type, output.zone)
        rest = parts[used:]
        if rest:
            # What is left of the name are fields; the constraints must not take it for the column itself.
            node.set("table", None)
            node.meta["field"] = (source.alias, output.name)
        return self.dereference(value, rest)

    def identifier(self, node: exp.Identifier) -> Typed:
        """Lambda parameters are parsed as identifiers."""
        return self.column(exp.Column(this=node.copy()))

    def dot(self, node: exp.Dot) -> Typed:
        return self.dereference(self.translate(node.this), [node.expression.name])

    def dereference(self, value: Typed, names: list[str]) -> Typed:
        for name in names:
            fields = dict((field.lower(), (field, type_)) for field, type_ in members(value.type) or [])
            if name.lower() not in fields:
                raise QueryError(
                    "COLUMN_NOT_FOUND", f"Column '{name}' cannot be resolved or requester is not authorized to access requested resources"
                )
            field, type_ = fields[name.lower()]
            value = Typed(f"struct_extract({value.sql}, '{field}')", type_, "UTC" if type_ == TIMESTAMP_WITH_ZONE else None)
        return value

    # Literals

    def literal(self, node: exp.Literal) -> Typed:
        if node.is_string:
            text = "'" + node.this.replace("'", "''") + "'"
            return constant(text, "VARCHAR", node.this)
        return constant(node.this, self.oracle.type_of(node.this))

    def interval(self, node: exp.Interval) -> Typed:
        unit = node.args["unit"].name.lower()
        if not isinstance(node.this, exp.Literal) or unit.rstrip("s") not in functions.UNITS:
            raise NotSupportedLocally(node.sql("trino"))
        sql = f"INTERVAL '{node.this.this}' {unit}"
        return constant(sql, "INTERVAL")

    # Operators

    def comparison(self, node: exp.Binary) -> Typed:
        left, right = self.translate(node.this), self.translate(node.expression)
        operator = COMPARISONS[type(node)]
        self.require_comparable(left, right, operator, node)
        return Typed(f"({left.sql} {operator} {right.sql})", "BOOLEAN")

    def require_comparable(self, left: Typed, right: Typed, operator: str, node: exp.Expression) -> None:
        families = {"number" if value.family == "integer" else value.family for value in (left, right)} - {"unknown"}
        if len(families) > 1:
            where = self.planner.position(node)
            raise QueryError("TYPE_MISMATCH", f"{where}Cannot apply operator: {left.named} {operator} {right.named}")

    def between(self, node: exp.Between) -> Typed:
        value, low, high = self.many([node.this, node.args["low"], node.args["high"]])
        self.require_comparable(value, low, "<=", node)
        self.require_comparable(value, high, "<=", node)
        return Typed(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", "BOOLEAN")

    def is_in(self, node: exp.In) -> Typed:
        value = self.translate(node.this)
        if query := node.args.get("query"):
            relation = self.planner.query(query.this if isinstance(query, exp.Subquery) else query, self.scope)
            self.scope.select.semi_joins.append((node, relation))
            if len(relation.outputs) != 1:
                raise QueryError("TYPE_MISMATCH", "Multiple columns returned by subquery are not yet supported")
            self.require_comparable(value, Typed("", relation.outputs[0].type), "=", node)
            return Typed(f'({value.sql} IN (SELECT {quoted(relation.outputs[0].name)} FROM {relation.sql()} AS "members"))', "BOOLEAN")
        items = self.many(node.expressions)
        for item in items:
            self.require_comparable(value, item, "=", node)
        return Typed(f"({value.sql} IN ({', '.join(item.sql for item in items)}))", "BOOLEAN")

    def exists(self, node: exp.Exists) -> Typed:
        inner = node.this.this if isinstance(node.this, exp.Subquery) else node.this
        relation = self.planner.query(inner, self.scope)
        self.scope.select.subqueries.append(relation)
        return Typed(f'EXISTS (SELECT 1 FROM {relation.sql()} AS "members")', "BOOLEAN")

    def scalar_query(self, node: exp.Expression) -> Typed:
        inner = node.this if isinstance(node, exp.Subquery) else node
        relation = self.planner.query(inner, self.scope)
        self.scope.select.subqueries.append(relation)
        if len(relation.outputs) != 1:
            raise NotSupportedLocally("a subquery of several columns as a value")
        output = relation.outputs[0]
        return Typed(f'(SELECT {quoted(output.name)} FROM {relation.sql()} AS "value")', output.type, output.zone)

    def boolean(self, node: exp.Connector) -> Typed:
        operator = "AND" if isinstance(node, exp.And) else "OR"
        # A chain of them can be long.
        parts = [self.condition(part) for part in node.flatten()]
        return Typed(f"({f' {operator} '.join(part.sql for part in parts)})", "BOOLEAN")

    def condition(self, node: exp.Expression) -> Typed:
        value = self.translate(node)
        if value.type not in ("BOOLEAN", UNKNOWN):
            raise QueryError(
                "TYPE_MISMATCH", f"{self.planner.position(node)}Condition must evaluate to a boolean: actual type {value.named}"
            )
        return value

    def arithmetic(self, node: exp.Binary) -> Typed:
        left, right = self.translate(node.this), self.translate(node.expression)
        operator = ARITHMETIC[type(node)]
        families = {left.family, right.family} - {"unknown"}
        if families <= {"integer", "number"}:
            if isinstance(node, exp.Mod):
                return self.guarded(left, right, "{0} % {1}")
            return self.make(f"({{0}} {operator} {{1}})", left, right)
        if families == {"time", "interval"} and operator in "+-":
            moment = left if left.family == "time" else right
            result = f"({left.sql} {operator} {right.sql})"
            return Typed(f"CAST({result} AS {moment.type})", moment.type, moment.zone)
        if families in ({"interval"}, {"time"}) and operator == "-" and left.type == right.type != "DATE":
            return Typed(f"({left.sql} - {right.sql})", "INTERVAL")
        if families == {"interval", "integer"} and operator == "*":
            return self.make("({0} * {1})", left, right)
        raise QueryError("TYPE_MISMATCH", f"{self.planner.position(node)}Cannot apply operator: {left.named} {operator} {right.named}")

    def divide(self, node: exp.Div) -> Typed:
        left, right = self.translate(node.this), self.translate(node.expression)
        if not {left.family, right.family} <= {"integer", "number", "unknown"}:
            raise QueryError("TYPE_MISMATCH", f"{self.planner.position(node)}Cannot apply operator: {left.named} / {right.named}")
        if left.type in INTEGERS and right.type in INTEGERS:
            return self.guarded(left, right, "{0} // {1}")
        if "DOUBLE" in (left.type, right.type) or "FLOAT" in (left.type, right.type):
            return Typed(f"(CAST({left.sql} AS DOUBLE) / CAST({right.sql} AS DOUBLE))", "DOUBLE")
        raise NotSupportedLocally(f"the division of {left.named} by {right.named}: cast one to double; a division of decimals")

    def guarded(self, left: Typed, right: Typed, template: str) -> Typed:
        type_ = self.oracle.type_of(template.format(left.probed, right.probed))
        failure = f"list_extract(CAST([] AS {type_}[]), trino_fail('DIVISION_BY_ZERO', 'Division by zero', ''))"
        return Typed(f"CASE WHEN {right.sql} = 0 THEN {failure} ELSE {template.format(left.sql, right.sql)} END", type_)

    def negative(self, node: exp.Neg) -> Typed:
        value = self.translate(node.this)
        sql = f"(-{value.sql})"
        return Typed(sql, self.oracle.type_of(f"(-{value.probed})"), probe=sql if value.probe else None)

    def pipe(self, node: exp.DPipe) -> Typed:
        return functions.call(self, "concat", self.many([node.this, node.expression]))

    def like(self, node: exp.Like, escape: str = "") -> Typed:
        value, pattern = self.many([node.this, node.expression])
        if not {value.family, pattern.family} <= {"text", "unknown"}:
            raise QueryError(
                "TYPE_MISMATCH",
                f"{self.planner.position(node)}Left side of LIKE expression must evaluate to a varchar (actual: {value.named})",
            )
        return Typed(f"({value.sql} LIKE {pattern.sql}{escape})", "BOOLEAN")

    def escape(self, node: exp.Escape) -> Typed:
        if not isinstance(node.this, exp.Like):
            raise NotSupportedLocally(node.sql("trino"))
        return self.like(node.this, f" ESCAPE {self.translate(node.expression).sql}")

    def is_(self, node: exp.Is) -> Typed:
        if not isinstance(node.expression, exp.Null):
            raise NotSupportedLocally(node.sql("trino"))
        return Typed(f"({self.translate(node.this).sql} IS NULL)", "BOOLEAN")

    def distinct_from(self, node: exp.Binary) -> Typed:
        left, right = self.translate(node.this), self.translate(node.expression)
        operator = "IS NOT DISTINCT FROM" if isinstance(node, exp.NullSafeEQ) else "IS DISTINCT FROM"
        self.require_comparable(left, right, operator, node)
        return Typed(f"({left.sql} {operator} {right.sql})", "BOOLEAN")

    # Conditions

    def case(self, node: exp.Case) -> Typed:
        subject = self.translate(node.this) if node.this else None
        whens, results = [], []
        for branch in node.args["ifs"]:
            if subject is None:
                whens.append(self.condition(branch.this))
            else:
                whens.append(self.translate(branch.this))
                self.require_comparable(subject, whens[-1], "=", node)
            results.append(self.translate(branch.args["true"]))
        default = node.args.get("default")
        results.append(self.translate(default) if default else constant("NULL", UNKNOWN))
        return self.choice(subject, whens, results)

    def if_(self, node: exp.If) -> Typed:
        default = node.args.get("false")
        results = [self.translate(node.args["true"]), self.translate(default) if default else constant("NULL", UNKNOWN)]
        return self.choice(None, [self.condition(node.this)], results)

    def choice(self, subject: Typed | None, whens: list[Typed], results: list[Typed]) -> Typed:
        families = {"number" if result.family == "integer" else result.family for result in results} - {"unknown"}
        if len(families) > 1:
            named = ", ".join(result.named for result in results)
            raise QueryError(
                "TYPE_MISMATCH",
                f"All CASE results must be the same type or coercible to a common type. Cannot find common type between {named}",
            )
        places = [f"{{{index}}}" for index in range(len(results))]
        typed = self.make(f"CASE {''.join(f'WHEN true THEN {place} ' for place in places[:-1])}ELSE {places[-1]} END", *results)
        pairs = "".join(f" WHEN {when.sql} THEN {result.sql}" for when, result in zip(whens, results, strict=False))
        start = f"CASE {subject.sql}" if subject else "CASE"
        return Typed(f"{start}{pairs} ELSE {results[-1].sql} END", typed.type, typed.zone)

    # Functions and constructors

    def call(self, node: exp.Anonymous) -> Typed:
        name = node.name.lower()
        if is_aggregate(node):
            self.require_aggregation(node)
            return aggregate(self, node, None, None)
        if name in LAMBDA_FUNCTIONS and len(node.expressions) == 2 and isinstance(node.expressions[1], exp.Lambda):
            return lambda_function(self, name, *node.expressions)
        if name in ("zip_with", "reduce", "map_filter", "transform_values", "transform_keys"):
            raise NotSupportedLocally(f"the function {name}")
        return functions.call(self, name, self.many(node.expressions))

    def require_aggregation(self, node: exp.Expression) -> None:
        if not self.scope.aggregating:
            raise QueryError(
                "EXPRESSION_NOT_SCALAR",
                f"{self.planner.position(node)}WHERE clause cannot contain aggregations, window functions or grouping operations",
            )

    def filtered(self, node: exp.Filter) -> Typed:
        self.require_aggregation(node)
        return aggregate(self, node.this, node.expression.this, None)

    def window(self, node: exp.Window) -> Typed:
        self.require_aggregation(node)
        self.scope.select.windows.append(node)
        inner, filter_ = node.this, None
        if isinstance(inner, exp.Filter):
            inner, filter_ = inner.this, inner.expression.this
        return aggregate(self, inner, filter_, node)

    def named_window(self, name: str) -> exp.Window:
        for window in self.scope.windows:
            if window.name.lower() == name.lower():
                return window
        raise QueryError("INVALID_WINDOW_REFERENCE", f"Cannot resolve WINDOW name {name}")

    def ordered(self, node: exp.Expression) -> str:
        if not isinstance(node, exp.Ordered):
            return self.translate(node).sql
        direction = " DESC" if node.args.get("desc") else ""
        nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
        return f"{self.translate(node.this).sql}{direction} NULLS {nulls}"

    def cast_(self, node: exp.Cast) -> Typed:
        target, length = target_of(node.to)
        if isinstance(node.this, exp.Literal) and node.this.is_string and target in (TIMESTAMP_WITH_ZONE, "TIMESTAMP", "DATE"):
            value = self.moment(node.this.this, target)
            return Typed(f"TRY({value.sql})", value.type, value.zone) if isinstance(node, exp.TryCast) else value
        function = try_cast if isinstance(node, exp.TryCast) else cast
        return function(self.oracle, self.translate(node.this), target, length)

    def moment(self, text: str, target: str) -> Typed:
        """`TIMESTAMP '2026-10-01 00:00:00 Asia/Tokyo'` and the like."""
        parts = text.strip().split(" ")
        zone = parts.pop() if len(parts) == 3 else None
        value = cast(self.oracle, self.literal(exp.Literal.string(" ".join(parts))), "DATE" if target == "DATE" else "TIMESTAMP")
        if target == TIMESTAMP_WITH_ZONE:
            return instant(value, functions.zone_of("TIMESTAMP", constant("", "VARCHAR", zone or "UTC")))
        if zone is not None:
            raise QueryError("INVALID_LITERAL", f"'{text}' is not a valid {target.lower()} literal")
        return value

    def at_time_zone(self, node: exp.AtTimeZone) -> Typed:
        return functions.call(self, "at_timezone", self.many([node.this, node.args["zone"]]))

    def array(self, node: exp.Array) -> Typed:
        items = self.many(node.expressions)
        return self.make(f"[{', '.join(f'{{{index}}}' for index in range(len(items)))}]", *items)

    def tuple_(self, node: exp.Tuple) -> Typed:
        return functions.call(self, "row", self.many(node.expressions))

    def extract(self, node: exp.Extract) -> Typed:
        return functions.call(self, node.name.lower(), [self.translate(node.expression)])

    def trim(self, node: exp.Trim) -> Typed:
        if node.args.get("expression"):
            raise NotSupportedLocally(node.sql("trino"))
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or ""), "trim")
        return self.make(f"{name}({{0}})", self.translate(node.this))

    def strpos(self, node: exp.StrPosition) -> Typed:
        return functions.call(self, "strpos", self.many([node.this, node.args["substr"]]))


def _method(name: str) -> Callable[[Translator, Any], Typed]:
    return lambda translator, node: getattr(translator, name)(node)


HANDLERS: dict[type[exp.Expression], Callable[[Translator, Any], Typed]] = {
    exp.Column: _method("column"),
    exp.Identifier: _method("identifier"),
    exp.Dot: _method("dot"),
    exp.Literal: _method("literal"),
    exp.Null: lambda translator, node: constant("NULL", UNKNOWN),
    exp.Boolean: lambda translator, node: constant(str(node.this).lower(), "BOOLEAN"),
    exp.Paren: lambda translator, node: translator.translate(node.this),
    exp.Alias: lambda translator, node: translator.translate(node.this),
    exp.Interval: _method("interval"),
    exp.Between: _method("between"),
    exp.In: _method("is_in"),
    exp.Exists: _method("exists"),
    exp.And: _method("boolean"),
    exp.Or: _method("boolean"),
    exp.Not: lambda translator, node: Typed(f"(NOT {translator.condition(node.this).sql})", "BOOLEAN"),
    exp.Div: _method("divide"),
    exp.Neg: _method("negative"),
    exp.DPipe: _method("pipe"),
    exp.Like: _method("like"),
    exp.Escape: _method("escape"),
    exp.Is: _method("is_"),
    exp.NullSafeEQ: _method("distinct_from"),
    exp.NullSafeNEQ: _method("distinct_from"),
    exp.Case: _method("case"),
    exp.If: _method("if_"),
    exp.Anonymous: _method("call"),
    exp.GroupConcat: lambda translator, node: aggregate(translator, node, None, None),
    exp.Filter: _method("filtered"),
    exp.Window: _method("window"),
    exp.Cast: _method("cast_"),
    exp.TryCast: _method("cast_"),
    exp.AtTimeZone: _method("at_time_zone"),
    exp.Array: _method("array"),
    exp.Bracket: subscript,
    exp.Tuple: _method("tuple_"),
    exp.Extract: _method("extract"),
    exp.Trim: _method("trim"),
    exp.StrPosition: _method("strpos"),
    exp.CurrentTimestamp: lambda translator, node: functions.call(translator, "now", []),
    exp.CurrentDate: lambda translator, node: Typed(f"CAST(TIMESTAMP '{translator.now[:19]}' AS DATE)", "DATE"),
    exp.Localtimestamp: lambda translator, node: Typed(f"TIMESTAMP '{translator.now[:23]}'", "TIMESTAMP"),
    **{comparison: _method("comparison") for comparison in COMPARISONS},
    **{operator: _method("arithmetic") for operator in ARITHMETIC},
}
