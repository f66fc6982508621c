"""Which columns of each scan a query needs, for the bytes that a columnar format makes it read."""

from sqlglot import exp

from .plan import Relation, Scan, Select, SetOperation


def prune(relation: Relation | None, needed: set[str]) -> None:
    """`needed` are the relation's columns, in lower case, that the query around it uses."""
    if isinstance(relation, Scan):
        relation.used |= needed
    elif isinstance(relation, SetOperation):
        # Rows are compared whole, unless all are kept.
        everything = not relation.operator.endswith(" ALL")
        for side in (relation.left, relation.right):
            pairs = zip(relation.outputs, side.outputs, strict=True)
            prune(side, {theirs.name.lower() for ours, theirs in pairs if everything or ours.name.lower() in needed})
    elif isinstance(relation, Select):
        _prune_select(relation, needed)


def _prune_select(select: Select, needed: set[str]) -> None:
    live: list[exp.Expression] = [
        expression
        for output, expression in zip(select.outputs, select.expressions, strict=True)
        if select.distinct or output.name.lower() in needed
    ]
    live += [condition for join in select.joins for condition in join.conditions]
    live += [clause for clause in (select.where, select.having) if clause is not None]
    live += [*(select.group_keys or []), *select.order, *select.unnested]
    columns = {(column.table, column.name.lower()) for part in live for column in part.find_all(exp.Column)}
    columns |= {
        (alias, name.lower()) for part in live for node in part.walk() if (field := node.meta.get("field")) for alias, name in [field]
    }
    for alias, source in select.sources.items():
        prune(source.relation, {source.actual_name(name).lower() for of, name in columns if of == alias and _has(source.outputs, name)})
    for _, inner in select.semi_joins:
        prune(inner, {output.name.lower() for output in inner.outputs})
    for inner in select.subqueries:
        prune(inner, {output.name.lower() for output in inner.outputs})


def _has(outputs: list, name: str) -> bool:
    return any(output.name.lower() == name for output in outputs)
