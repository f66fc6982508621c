"""Views: their text against what they declare."""

from typing import TYPE_CHECKING

from .casts import cast
from .errors import QueryError
from .plan import Output, Relation, Select, quoted
from .typed import UNKNOWN, Typed
from .types import INTEGERS, from_trino, trino

if TYPE_CHECKING:
    from .planner import Planner


def as_declared(planner: "Planner", name: str, relation: Relation, columns: tuple[tuple[str, str], ...]) -> Relation:
    """The relation of a view's text with the columns that the view declares; Trino widens integers, and refuses whatever else is different."""
    stale = f"View '{name}' is stale or in invalid state: "
    if len(columns) != len(relation.outputs):
        message = f"stored view column count ({len(columns)}) does not match column count derived from the view query analysis ({len(relation.outputs)})"
        raise QueryError("INVALID_VIEW", stale + message)
    exact = True
    for index, ((declared, type_), output) in enumerate(zip(columns, relation.outputs, strict=True)):
        wanted = from_trino(type_)
        if wanted == output.type and declared == output.name.lower():
            continue
        exact = exact and wanted == output.type
        widening = output.type in INTEGERS and wanted in INTEGERS and INTEGERS.index(wanted) >= INTEGERS.index(output.type)
        if declared != output.name.lower() or not (wanted == output.type or widening or output.type == UNKNOWN):
            message = (
                f"column [{output.name}] of type {trino(output.type)} projected from query view at position {index} cannot be coerced "
                f"to column [{declared}] of type {type_} stored in view definition"
            )
            raise QueryError("INVALID_VIEW", stale + message)
    if exact:
        return relation
    coerced = planner.renamed(relation, [declared for declared, _ in columns])
    assert isinstance(coerced, Select)
    for index, (declared, type_) in enumerate(columns):
        value = cast(
            planner.oracle,
            Typed(f"{quoted('body')}.{quoted(declared)}", coerced.outputs[index].type, coerced.outputs[index].zone),
            from_trino(type_),
        )
        coerced.outputs[index] = Output(declared, value.type, value.zone)
        coerced.projections[index] = f"{value.sql} AS {quoted(declared)}"
    return coerced
