"""UNNEST: arrays, arrays of rows and maps as sources of rows."""

from sqlglot import exp

from .errors import QueryError
from .expressions import Translator
from .plan import Output, Source, quoted
from .types import TIMESTAMP_WITH_ZONE, element, key_and_value, members


def unnest(translator: Translator, node: exp.Unnest, alias: str, names: list[str]) -> str:
    """DuckDB's source for it; its columns become known in the scope."""
    scope = translator.scope
    columns: list[tuple[str, str, str | None]] = []
    lengths = []
    for value in translator.many(node.expressions):
        item, pair = element(value.type), key_and_value(value.type)
        if item is not None:
            lengths.append(f"len({value.sql})")
            if (fields := members(item)) is not None:
                # An array of rows has a column for each field.
                columns += [(f"struct_extract(unnest({value.sql}), '{field}')", type_, None) for field, type_ in fields]
            else:
                columns.append((f"unnest({value.sql})", item, value.zone))
        elif pair is not None:
            lengths.append(f"cardinality({value.sql})")
            columns += [(f"unnest(map_keys({value.sql}))", pair[0], None), (f"unnest(map_values({value.sql}))", pair[1], None)]
        else:
            raise QueryError("TYPE_MISMATCH", f"Cannot unnest type: {value.named}")
    if offset := node.args.get("offset"):
        length = f"greatest({', '.join(f'coalesce({length}, 0)' for length in lengths)})"
        columns.append((f"unnest(range(1, CAST({length} AS BIGINT) + 1))", "BIGINT", None))
        if isinstance(offset, exp.Identifier):
            names = [*names, offset.name]
    names = names or [f"_unnest{index}" for index in range(len(columns))]
    if len(names) != len(columns):
        raise QueryError(
            "MISMATCHED_COLUMN_ALIASES", f"Column alias list has {len(names)} entries but '{alias}' has {len(columns)} columns available"
        )
    alias = (alias or f"_unnest{len(scope.sources)}").lower()
    outputs = [
        Output(name, type_, zone or ("UTC" if type_ == TIMESTAMP_WITH_ZONE else None))
        for name, (_, type_, zone) in zip(names, columns, strict=True)
    ]
    scope.sources[alias] = Source(alias, None, outputs, [output.name for output in outputs])
    scope.select.unnested += node.expressions
    body = ", ".join(f"{sql} AS {quoted(name)}" for name, (sql, _, _) in zip(names, columns, strict=True))
    return f"LATERAL (SELECT {body}) AS {quoted(alias)}"
