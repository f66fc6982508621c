"""Which values partition columns can have in each scan: conditions carried to the scans as Trino's predicate pushdown carries them.

Up: what a relation's own conditions say of its columns. Down: what the query around it asks of them. They pass through projections of bare columns,
inner joins, the preserved side of outer joins, equalities, IN subqueries, grouping keys, the PARTITION BY keys of every window, DISTINCT and
set operations; and not through LIMIT, aggregates, expressions, or subqueries that are values.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import exp

from .domain import ALL, Domain
from .plan import Relation, Scan, Select, SetOperation, column_of

Key = tuple[str, str]
Domains = dict[Key, Domain]
# Gives the value of an expression without columns; raises LookupError for any other.
Evaluate = Callable[[exp.Expression], Any]

MIRRORED = {exp.EQ: exp.EQ, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.GT: exp.LT, exp.GTE: exp.LTE, exp.NEQ: exp.NEQ}


class Constraints:
    def __init__(self, evaluate: Evaluate) -> None:
        self.evaluate = evaluate
        # Of each scan, by column.
        self.of_scan: dict[Scan, dict[str, Domain]] = {}

    def push(self, relation: Relation | None, asked: dict[str, Domain]) -> None:
        """`asked` are the domains of the relation's columns that the query around it leaves possible."""
        if isinstance(relation, Scan):
            self.of_scan[relation] = asked
        elif isinstance(relation, SetOperation):
            for side in (relation.left, relation.right):
                names = [output.name.lower() for output in relation.outputs]
                below = [output.name.lower() for output in side.outputs]
                self.push(side, {theirs: asked[ours] for ours, theirs in zip(names, below, strict=True) if ours in asked})
        elif isinstance(relation, Select):
            self._push_select(relation, asked)

    def _push_select(self, select: Select, asked: dict[str, Domain]) -> None:
        domains = self._within(select)
        for (alias, name), domain in self._passed(select, asked).items():
            _intersect(domains, (alias, name), domain)
        self._spread(select, domains)
        for alias, source in select.sources.items():
            wanted = {source.actual_name(name).lower(): domain for (of, name), domain in domains.items() if of == alias}
            self.push(source.relation, wanted)
        for node, inner in select.semi_joins:
            column = column_of(node.this)
            direct = any(part is node for part in _conjuncts(select.where))
            domain = domains.get(_key(column), ALL) if column is not None and direct else ALL
            self.push(inner, {} if domain.is_all else {inner.outputs[0].name.lower(): domain})
        for inner in select.subqueries:
            self.push(inner, {})

    def _passed(self, select: Select, asked: dict[str, Domain]) -> Domains:
        """What of the asked reaches the select's sources."""
        passed: Domains = {}
        if select.limited:
            return passed
        keys = None if select.group_keys is None else [_key(column) for key in select.group_keys if (column := column_of(key)) is not None]
        for output, expression in zip(select.outputs, select.expressions, strict=True):
            column = column_of(expression)
            domain = asked.get(output.name.lower())
            if column is None or domain is None or not column.table:
                continue
            if keys is not None and _key(column) not in keys:
                continue
            if not all(_key(column) in _partition_keys(window) for window in select.windows):
                continue
            _intersect(passed, _key(column), domain)
        return passed

    # Up

    def told(self, relation: Relation | None) -> dict[str, Domain]:
        """What a relation's own conditions say of its columns."""
        if isinstance(relation, SetOperation):
            left, right = self.told(relation.left), self.told(relation.right)
            result = {}
            for output, one, other in zip(relation.outputs, relation.left.outputs, relation.right.outputs, strict=True):
                a, b = left.get(one.name.lower(), ALL), right.get(other.name.lower(), ALL)
                domain = (
                    a.intersect(b)
                    if relation.operator.startswith("INTERSECT")
                    else a
                    if relation.operator.startswith("EXCEPT")
                    else a.union(b)
                )
                if not domain.is_all:
                    result[output.name.lower()] = domain
            return result
        if not isinstance(relation, Select):
            return {}
        domains = self._within(relation)
        self._spread(relation, domains)
        result = {}
        for output, expression in zip(relation.outputs, relation.expressions, strict=True):
            column = column_of(expression)
            if column is not None and (domain := domains.get(_key(column))) is not None:
                result[output.name.lower()] = domain
        return result

    def _within(self, select: Select) -> Domains:
        """What the select's own clauses say of the columns of its sources."""
        domains: Domains = {}
        nullable = _nullable(select)
        for alias, source in select.sources.items():
            told = self.told(source.relation)
            for output in source.outputs:
                domain = told.get(source.actual_name(output.name).lower())
                # What an outer join fills up with NULL holds for the matched rows only.
                if domain is not None and alias not in nullable:
                    _intersect(domains, (alias, output.name.lower()), domain)
        for part in _conjuncts(select.where):
            self._add(domains, part)
        for join in select.joins:
            for condition in join.conditions:
                for part in _conjuncts(condition):
                    for key, domain in self.condition(part).items():
                        if join.kind in ("INNER", "CROSS") or (join.kind == "LEFT" and key[0] == join.alias):
                            _intersect(domains, key, domain)
        if select.having is not None and select.group_keys is not None:
            keys = {_key(column) for key in select.group_keys if (column := column_of(key)) is not None}
            for part in _conjuncts(select.having):
                for key, domain in self.condition(part).items():
                    if key in keys:
                        _intersect(domains, key, domain)
        return domains

    def _add(self, domains: Domains, part: exp.Expression) -> None:
        for key, domain in self.condition(part).items():
            _intersect(domains, key, domain)

    def _spread(self, select: Select, domains: Domains) -> None:
        """Through equalities, until nothing changes."""
        changed = True
        while changed:
            changed = False
            for source, target in _equalities(select):
                domain = domains.get(source)
                if domain is None:
                    continue
                known = domains.get(target, ALL)
                if known.values is None and domain.values is not None or known.is_all:
                    domains[target] = known.intersect(domain)
                    changed = True
            for node, inner in select.semi_joins:
                column = column_of(node.this)
                if column is None or not any(part is node for part in _conjuncts(select.where)):
                    continue
                domain = self.told(inner).get(inner.outputs[0].name.lower())
                if domain is not None and domains.get(_key(column), ALL).is_all:
                    domains[_key(column)] = domain
                    changed = True

    # Conditions

    def condition(self, node: exp.Expression) -> Domains:
        """The domains that a condition implies."""
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.And):
            domains = self.condition(node.this)
            for key, domain in self.condition(node.expression).items():
                _intersect(domains, key, domain)
            return domains
        if isinstance(node, exp.Or):
            left, right = self.condition(node.this), self.condition(node.expression)
            return {key: left[key].union(right[key]) for key in left.keys() & right.keys()}
        try:
            return self._comparison(node)
        except LookupError:
            return {}

    def _comparison(self, node: exp.Expression) -> Domains:
        if type(node) in MIRRORED:
            column, other, kind = column_of(node.this), node.expression, type(node)
            if column is None:
                column, other, kind = column_of(node.expression), node.this, MIRRORED[type(node)]
            if column is None or not column.table:
                return {}
            return {_key(column): _compared(kind, self.evaluate(other))}
        column = column_of(node.this) if isinstance(node, (exp.In, exp.Between)) else None
        if column is None or not column.table:
            return {}
        if isinstance(node, exp.Between):
            low, high = self.evaluate(node.args["low"]), self.evaluate(node.args["high"])
            return {_key(column): Domain.where(lambda value: low is not None and high is not None and low <= value <= high)}
        if node.args.get("query") is not None:
            return {}
        return {_key(column): Domain(frozenset(value for item in node.expressions if (value := self.evaluate(item)) is not None))}


def _compared(kind: type[exp.Expression], bound: Any) -> Domain:
    if bound is None:
        # A comparison with NULL never holds.
        return Domain(frozenset())
    if kind is exp.EQ:
        return Domain.of(bound)
    tests: dict[type[exp.Expression], Callable[[Any], bool]] = {
        exp.LT: lambda value: value < bound,
        exp.LTE: lambda value: value <= bound,
        exp.GT: lambda value: value > bound,
        exp.GTE: lambda value: value >= bound,
        exp.NEQ: lambda value: value != bound,
    }
    return Domain.where(tests[kind])


def _intersect(domains: Domains, key: Key, domain: Domain) -> None:
    domains[key] = domains.get(key, ALL).intersect(domain)


def _key(column: exp.Column) -> Key:
    return column.table, column.name.lower()


def _conjuncts(node: exp.Expression | None) -> Iterator[exp.Expression]:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    elif node is not None:
        yield node


def _partition_keys(window: exp.Window) -> list[Key]:
    return [_key(column) for key in window.args.get("partition_by") or [] if (column := column_of(key)) is not None]


def _nullable(select: Select) -> set[str]:
    """The sources whose rows an outer join can fill up with NULL."""
    nullable: set[str] = set()
    before: list[str] = []
    for join in select.joins:
        if join.kind in ("LEFT", "FULL"):
            nullable.add(join.alias)
        if join.kind in ("RIGHT", "FULL"):
            nullable.update(before)
        before.append(join.alias)
    return nullable


def _equalities(select: Select) -> Iterator[tuple[Key, Key]]:
    """Columns that are equal, as (known, implied)."""
    pairs = [(part, "INNER", "") for part in _conjuncts(select.where)]
    for join in select.joins:
        pairs += [(part, join.kind, join.alias) for condition in join.conditions for part in _conjuncts(condition)]
    for part, kind, alias in pairs:
        if not isinstance(part, exp.EQ):
            continue
        left, right = column_of(part.this), column_of(part.expression)
        if left is None or right is None or not left.table or not right.table:
            continue
        for source, target in ((_key(left), _key(right)), (_key(right), _key(left))):
            # Rows of the preserved side stay, matched or not: only the other side is restricted.
            if kind in ("INNER", "CROSS") or (kind == "LEFT" and target[0] == alias) or (kind == "RIGHT" and source[0] == alias):
                yield source, target
