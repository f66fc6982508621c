"""Makes relations of queries: names are resolved as Trino resolves them, views and WITH are put in where they are used, each use for itself."""

import copy

from sqlglot import exp

from .aggregates import is_aggregate
from .catalog import Catalog, Table
from .dialect import parse_query
from .errors import NotSupportedLocally, QueryError
from .expressions import Translator
from .plan import HIDDEN, Join, Output, Relation, Scan, Select, SetOperation, Source, Values, quoted
from .scope import RESOLVED, Scope, named
from .typed import Typed, TypeOracle
from .unnest import unnest
from .views import as_declared

CATALOG = "awsdatacatalog"


class Planner:
    def __init__(self, catalog: Catalog, oracle: TypeOracle, database: str, now: str) -> None:
        self.catalog = catalog
        self.oracle = oracle
        self.database = database
        # One moment for the whole query: 2026-11-01 00:00:00.000+00.
        self.now = now
        self.scans: list[Scan] = []
        self.sql = ""
        self._ctes: list[dict[str, tuple[exp.CTE, int]]] = []
        self._views: list[str] = []
        self._tables: dict[tuple[str, str], Table | None] = {}

    def plan(self, sql: str) -> Relation:
        self.sql = sql
        return self.query(parse_query(sql), None)

    def position(self, node: exp.Expression) -> str:
        """`line 1:8: `, where the text is the user's and the place known."""
        start = min((part.meta["start"] for part in node.walk() if "start" in part.meta), default=None)
        if start is None or self._views:
            return ""
        before = self.sql[:start]
        return f"line {before.count(chr(10)) + 1}:{start - before.rfind(chr(10))}: "

    # Queries

    def query(self, node: exp.Expression, parent: Scope | None) -> Relation:
        with_ = node.args.get("with_")
        if with_ is not None:
            if with_.args.get("recursive"):
                raise NotSupportedLocally("WITH RECURSIVE")
            for cte in with_.expressions:
                # A query sees those written before it.
                self._ctes.append({cte.alias.lower(): (cte, len(self._ctes))})
        relation = self._body(node, parent)
        if with_ is not None:
            del self._ctes[-len(with_.expressions) :]
        return relation

    def _body(self, node: exp.Expression, parent: Scope | None) -> Relation:
        if isinstance(node, exp.Select):
            return self._select(node, parent)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, parent)
        if isinstance(node, exp.Subquery):
            relation = self.query(node.this, parent)
            return self._wrapped(relation, node, parent) if any(node.args.get(name) for name in ("order", "limit", "offset")) else relation
        if isinstance(node, exp.Values):
            return self._values(node, parent)
        raise NotSupportedLocally(f"the query {type(node).__name__}")

    def _set_operation(self, node: exp.SetOperation, parent: Scope | None) -> Relation:
        left, right = self.query(node.this, parent), self.query(node.expression, parent)
        if len(left.outputs) != len(right.outputs):
            raise QueryError(
                "TYPE_MISMATCH",
                f"{type(node).__name__.upper()} query has different number of fields: {len(left.outputs)}, {len(right.outputs)}",
            )
        outputs = []
        for one, other in zip(left.outputs, right.outputs, strict=True):
            a, b = Typed("", one.type, one.zone), Typed("", other.type, other.zone)
            families = {"number" if value.family == "integer" else value.family for value in (a, b)} - {"unknown"}
            if len(families) > 1:
                raise QueryError(
                    "TYPE_MISMATCH",
                    f"column {len(outputs) + 1} in {type(node).__name__.upper()} query has incompatible types: {a.named}, {b.named}",
                )
            both = self.oracle.make("CASE WHEN true THEN {0} ELSE {1} END", a, b)
            outputs.append(Output(one.name, both.type, both.zone))
        operator = f"{type(node).__name__.upper()}{'' if node.args.get('distinct', True) else ' ALL'}"
        relation = SetOperation(outputs, operator, left, right)
        if any(node.args.get(name) for name in ("order", "limit", "offset")):
            return self._wrapped(relation, node, parent)
        return relation

    def _wrapped(self, relation: Relation, node: exp.Expression, parent: Scope | None) -> Relation:
        """A query as a source, so that ORDER BY and LIMIT are those of a SELECT."""
        select = Select([])
        scope = Scope(self, select, parent)
        source = self._add_source(scope, "body", relation, [])
        self._star(select, [source])
        select.sources = scope.sources
        select.joins.append(Join("FROM", "body"))
        select.from_parts = [" FROM ", relation, f" AS {quoted('body')}"]
        self._order_and_limit(node, select, scope)
        return select

    def _values(self, node: exp.Values, parent: Scope | None) -> Relation:
        translator = Translator(self, Scope(self, Select([]), parent))
        rows = [translator.many(row.expressions if isinstance(row, exp.Tuple) else [row]) for row in node.expressions]
        outputs = []
        for index, column in enumerate(zip(*rows, strict=True)):
            typed = self.oracle.make(f"CASE {' '.join(f'WHEN true THEN {{{number}}}' for number in range(len(column)))} END", *column)
            outputs.append(Output(f"_col{index}", typed.type, typed.zone))
        text = ", ".join(f"({', '.join(value.sql for value in row)})" for row in rows)
        names = ", ".join(quoted(output.name) for output in outputs)
        return Values(outputs, f'SELECT * FROM (VALUES {text}) AS "rows"({names})')

    # SELECT

    def _select(self, node: exp.Select, parent: Scope | None) -> Relation:
        for name in ("qualify", "laterals", "sample", "into", "pivots", "connect", "hint", "locks"):
            if node.args.get(name):
                raise NotSupportedLocally(f"{name.upper()} in a query")
        select = Select([])
        scope = Scope(self, select, parent, windows=node.args.get("windows") or [])
        translator = Translator(self, scope)
        self._from(node, select, scope)
        if where := node.args.get("where"):
            select.where = where.this
            select.tail += f" WHERE {translator.condition(where.this).sql}"
        group, having = node.args.get("group"), node.args.get("having")
        scope.aggregating = True
        if group or having or any(self._aggregates(item) for item in node.expressions):
            select.group_keys = []
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            raise NotSupportedLocally("DISTINCT ON")
        select.distinct = distinct is not None
        self._projections(node, select, scope)
        if group:
            select.tail += self._group(group, select, translator)
        if having:
            select.having = having.this
            select.tail += f" HAVING {translator.condition(having.this).sql}"
        self._order_and_limit(node, select, scope)
        return select

    @staticmethod
    def _aggregates(item: exp.Expression) -> bool:
        """Whether an expression aggregates; one inside of a window function's call or of a subquery does not count."""
        for node in item.walk(prune=lambda node: isinstance(node, (exp.Window, exp.Query))):
            if is_aggregate(node) and not isinstance(node.parent, exp.Window):
                return not isinstance(node.parent, exp.Filter) or not isinstance(node.parent.parent, exp.Window)
        return False

    def _projections(self, node: exp.Select, select: Select, scope: Scope) -> None:
        translator = Translator(self, scope)
        for item in node.expressions:
            if isinstance(item, exp.Star):
                if any(source.merged for source in scope.sources.values()):
                    raise NotSupportedLocally("SELECT * over JOIN ... USING")
                self._star(select, list(scope.sources.values()))
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                source = scope.sources.get(item.table.lower())
                if source is None:
                    raise QueryError("TABLE_NOT_FOUND", f"{self.position(item)}Unable to resolve reference {item.table}")
                self._star(select, [source])
            else:
                name = item.alias or self._natural_name(item) or f"_col{len(select.outputs)}"
                value = translator.translate(item)
                select.outputs.append(Output(name, value.type, value.zone))
                select.expressions.append(item)
                select.projections.append(f"{value.sql} AS {quoted(name)}")

    @staticmethod
    def _natural_name(item: exp.Expression) -> str | None:
        if isinstance(item, exp.Column):
            return item.name
        return item.expression.name if isinstance(item, exp.Dot) else None

    @staticmethod
    def _star(select: Select, sources: list[Source]) -> None:
        for source in sources:
            for output in source.outputs:
                if output.hidden or output.name.lower() in source.merged:
                    continue
                select.outputs.append(Output(output.name, output.type, output.zone))
                select.expressions.append(
                    exp.column(exp.to_identifier(output.name, quoted=True), exp.to_identifier(source.alias, quoted=True))
                )
                select.projections.append(f"{quoted(source.alias)}.{quoted(output.name)} AS {quoted(output.name)}")

    def _group(self, group: exp.Group, select: Select, translator: Translator) -> str:
        if any(group.args.get(name) for name in ("grouping_sets", "cube", "rollup", "all", "totals")) or not all(
            isinstance(key, (exp.Expression)) and not isinstance(key, (exp.GroupingSets, exp.Cube, exp.Rollup)) for key in group.expressions
        ):
            raise NotSupportedLocally("GROUPING SETS, CUBE and ROLLUP")
        texts = []
        for key in group.expressions:
            if isinstance(key, exp.Literal) and not key.is_string:
                index = int(key.this)
                if not 1 <= index <= len(select.expressions):
                    raise QueryError("INVALID_COLUMN_REFERENCE", f"GROUP BY position {index} is not in select list")
                key = select.expressions[index - 1].unalias()
                texts.append(str(index))
            else:
                texts.append(translator.translate(key).sql)
            assert select.group_keys is not None
            select.group_keys.append(key)
        return f" GROUP BY {', '.join(texts)}"

    def _order_and_limit(self, node: exp.Expression, select: Select, scope: Scope) -> None:
        translator = Translator(self, scope)
        if order := node.args.get("order"):
            pieces = []
            for item in order.expressions:
                key = item.this
                direction = f"{' DESC' if item.args.get('desc') else ''} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"
                if isinstance(key, exp.Literal) and not key.is_string:
                    pieces.append(f"{int(key.this)}{direction}")
                elif isinstance(key, exp.Column) and not key.table and (output := named(select.outputs, key.name)) is not None:
                    pieces.append(f"{select.outputs.index(output) + 1}{direction}")
                else:
                    pieces.append(translator.translate(key).sql + direction)
                    select.order.append(key)
            select.tail += f" ORDER BY {', '.join(pieces)}"
        limit, offset = node.args.get("limit"), node.args.get("offset")
        if isinstance(limit, exp.Fetch):
            options = limit.args.get("limit_options")
            if (
                limit.args.get("with_ties")
                or limit.args.get("percent")
                or (options and options.args.get("with_ties") and "TIES" in self.sql.upper())
            ):
                raise NotSupportedLocally("FETCH FIRST ... WITH TIES")
            count = limit.args.get("count")
        else:
            count = limit.expression if limit else None
        for keyword, value in (("LIMIT", count), ("OFFSET", offset.expression if offset else None)):
            if value is None or value.name.upper() == "ALL":
                continue
            if not isinstance(value, exp.Literal) or value.is_string:
                raise NotSupportedLocally(f"{keyword} {value.sql('trino')}")
            select.limited = True
            select.tail += f" {keyword} {int(value.this)}"

    # FROM

    def _from(self, node: exp.Select, select: Select, scope: Scope) -> None:
        from_ = node.args.get("from_")
        if from_ is None:
            return
        select.sources = scope.sources
        select.from_parts = [" FROM ", *self._source(from_.this, scope)]
        select.joins.append(Join("FROM", next(iter(scope.sources))))
        for join in list(from_.this.args.get("joins") or []) + list(node.args.get("joins") or []):
            select.from_parts += [" ", *self._join(join, select, scope)]

    def _join(self, join: exp.Join, select: Select, scope: Scope) -> list[str | Relation]:
        side, using, on = join.side.upper(), join.args.get("using"), join.args.get("on")
        if join.method or (using and side in ("FULL", "RIGHT")):
            raise NotSupportedLocally(join.sql("trino").strip())
        before = list(scope.sources.values())
        parts = self._source(join.this, scope)
        added = list(scope.sources.values())[len(before)]
        kind = side or ("INNER" if on or using else "CROSS")
        conditions = [self._using(name.name, before, added) for name in using] if using else [on] if on else []
        select.joins.append(Join(kind, added.alias, conditions))
        outright = kind in ("LEFT", "INNER") and isinstance(conditions[0], exp.Boolean)
        if isinstance(join.this, exp.Unnest) and kind != "CROSS" and not outright:
            raise NotSupportedLocally("a join with UNNEST other than CROSS JOIN and LEFT JOIN ... ON TRUE")
        if kind == "CROSS":
            return ["CROSS JOIN ", *parts]
        translator = Translator(self, scope)
        condition = " AND ".join(translator.condition(part).sql for part in conditions)
        if using:
            added.merged |= {name.name.lower() for name in using}
        return [f"{kind} JOIN ", *parts, f" ON {condition}"]

    @staticmethod
    def _using(name: str, before: list[Source], added: Source) -> exp.Expression:
        """The condition that USING stands for."""
        left = next((source for source in before if named(source.outputs, name) and name.lower() not in source.merged), None)
        if left is None or named(added.outputs, name) is None:
            raise QueryError("COLUMN_NOT_FOUND", f"Column '{name}' {RESOLVED}")
        return exp.EQ(this=exp.column(name, left.alias, quoted=True), expression=exp.column(name, added.alias, quoted=True))

    def _source(self, node: exp.Expression, scope: Scope) -> list[str | Relation]:
        alias_node = node.args.get("alias")
        alias = alias_node.name if alias_node else ""
        names = [column.name for column in alias_node.args.get("columns") or []] if alias_node else []
        if node.args.get("sample"):
            raise NotSupportedLocally("TABLESAMPLE")
        if isinstance(node, exp.Unnest):
            return [unnest(Translator(self, scope), node, alias, names)]
        if isinstance(node, exp.Table):
            relation = self._table(node)
            alias = alias or node.name
        elif isinstance(node, exp.Subquery):
            if isinstance(node.this, (exp.Table, exp.Join)) or node.args.get("joins"):
                raise NotSupportedLocally("joins in parentheses")
            relation = self.query(node.this, None)
            alias = alias or f"_query{len(scope.sources)}"
        elif isinstance(node, exp.Values):
            relation = self._values(node, None)
            alias = alias or f"_values{len(scope.sources)}"
        else:
            raise NotSupportedLocally(f"{type(node).__name__} in FROM")
        self._add_source(scope, alias, relation, names)
        columns = f"({', '.join(map(quoted, names))})" if names else ""
        return [relation, f" AS {quoted(alias.lower())}{columns}"]

    def _add_source(self, scope: Scope, alias: str, relation: Relation, names: list[str]) -> Source:
        alias = alias.lower()
        if alias in scope.sources:
            raise QueryError("DUPLICATE_TABLE_NAME", f"Table alias '{alias}' is used twice")
        visible = [output for output in relation.outputs if not output.hidden]
        if names and len(names) != len(visible):
            raise QueryError(
                "MISMATCHED_COLUMN_ALIASES",
                f"Column alias list has {len(names)} entries but '{alias}' has {len(visible)} columns available",
            )
        hidden = [output for output in relation.outputs if output.hidden]
        renamed = (
            [Output(name, output.type, output.zone) for name, output in zip(names, visible, strict=True)]
            if names
            else [copy.copy(item) for item in visible]
        )
        actual = [output.name for output in (*visible, *hidden)]
        source = Source(alias, relation, [*renamed, *hidden], actual)
        scope.sources[alias] = source
        return source

    # Tables, views and WITH

    def _table(self, node: exp.Table) -> Relation:
        name = node.name.lower()
        if not node.db:
            for index in range(len(self._ctes) - 1, -1, -1):
                if name in self._ctes[index]:
                    return self._cte(*self._ctes[index][name])
        if node.catalog and node.catalog.lower() != CATALOG:
            raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{node.catalog}' does not exist")
        database = (node.db or self.database).lower()
        if not database:
            raise QueryError("MISSING_SCHEMA_NAME", f"{self.position(node)}Schema must be specified when session schema is not set")
        table = self.table(database, name)
        if table is None:
            self.catalog.require_database(database)
            raise QueryError("TABLE_NOT_FOUND", f"{self.position(node)}Table '{CATALOG}.{database}.{name}' does not exist")
        return self._view(table) if table.view else self._scan(table)

    def table(self, database: str, name: str) -> Table | None:
        # One query sees one state of a table.
        if (database, name) not in self._tables:
            self._tables[database, name] = self.catalog.table(database, name)
        return self._tables[database, name]

    def _cte(self, cte: exp.CTE, visible: int) -> Relation:
        hidden, self._ctes = self._ctes[visible:], self._ctes[:visible]
        relation = self.query(cte.this.copy(), None)
        self._ctes += hidden
        columns = cte.args["alias"].args.get("columns")
        return self.renamed(relation, [column.name for column in columns]) if columns else relation

    def renamed(self, relation: Relation, names: list[str]) -> Relation:
        select = Select([])
        scope = Scope(self, select)
        source = self._add_source(scope, "body", relation, names)
        self._star(select, [source])
        select.sources = scope.sources
        select.joins.append(Join("FROM", "body"))
        select.from_parts = [" FROM ", relation, f" AS {quoted('body')}({', '.join(map(quoted, names))})"]
        return select

    def _scan(self, table: Table) -> Relation:
        outputs = [Output(column.name, column.type.duckdb()) for column in (*table.columns, *table.partition_keys)]
        outputs += [Output(name, type_, hidden=True) for name, type_ in HIDDEN.items()]
        scan = Scan(table, f"scan{len(self.scans)}_{table.name}", outputs)
        self.scans.append(scan)
        return scan

    def _view(self, table: Table) -> Relation:
        view = table.view
        assert view is not None
        name = f"{CATALOG}.{table.database}.{table.name}"
        if name in self._views:
            raise QueryError("VIEW_IS_RECURSIVE", f"View '{name}' is recursive")
        outer, self._ctes, database = self._ctes, [], self.database
        self._views.append(name)
        self.database = view.database
        try:
            relation = self.query(parse_query(view.sql), None)
        except QueryError as error:
            raise QueryError("INVALID_VIEW", f"Failed analyzing stored view '{name}': {error.message}") from error
        finally:
            self._views.pop()
            self._ctes, self.database = outer, database
        return as_declared(self, name, relation, view.columns)
