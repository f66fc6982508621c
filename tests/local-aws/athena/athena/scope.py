"""What names mean in one SELECT, and around it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from .errors import QueryError
from .plan import POSITION, Output, Select, Source

if TYPE_CHECKING:
    from .planner import Planner

RESOLVED = "cannot be resolved or requester is not authorized to access requested resources"


@dataclass
class Scope:
    planner: "Planner"
    select: Select
    parent: "Scope | None" = None
    sources: dict[str, Source] = field(default_factory=dict)
    windows: list[exp.Window] = field(default_factory=list)
    aggregating: bool = False

    def find(self, parts: list[str], node: exp.Expression) -> tuple[Source, Output, int]:
        """The column that a name begins with, and how many parts of the name it takes; further ones are fields."""
        scope: Scope | None = self
        while scope is not None:
            if (found := scope._find_here(parts, node)) is not None:
                return found
            scope = scope.parent
        name = ".".join(parts)
        raise QueryError("COLUMN_NOT_FOUND", f"{self.planner.position(node)}Column '{name}' {RESOLVED}")

    def _find_here(self, parts: list[str], node: exp.Expression) -> tuple[Source, Output, int] | None:
        # database.table.column and catalog.database.table.column: only the table tells them apart here.
        for start in range(min(len(parts) - 1, 3)):
            source = self.sources.get(parts[start].lower())
            if source is not None and (output := named(source.outputs, parts[start + 1])) is not None:
                return source, output, start + 2
        found = [
            (source, output)
            for source in self.sources.values()
            if (output := named(source.outputs, parts[0])) is not None and output.name.lower() not in source.merged
        ]
        if len(found) > 1:
            raise QueryError("AMBIGUOUS_NAME", f"{self.planner.position(node)}Column '{parts[0]}' is ambiguous")
        return (*found[0], 1) if found else None


def named(outputs: list[Output], name: str) -> Output | None:
    return next((output for output in outputs if output.name.lower() == name.lower() and output.name != POSITION), None)
