"""What is known of a partition column: the values it can have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Domain:
    """`values` are all the values that are possible, None where they are not known one by one; `test` says which of them remain."""

    values: frozenset[Any] | None = None
    test: Callable[[Any], bool] | None = None

    @staticmethod
    def of(*values: Any) -> "Domain":
        return Domain(frozenset(values))

    @staticmethod
    def where(test: Callable[[Any], bool]) -> "Domain":
        return Domain(None, test)

    @property
    def is_all(self) -> bool:
        return self.values is None and self.test is None

    def contains(self, value: Any) -> bool:
        return (self.values is None or value in self.values) and (self.test is None or self.test(value))

    def intersect(self, other: "Domain") -> "Domain":
        if self.values is not None:
            return Domain(frozenset(value for value in self.values if other.contains(value)))
        if other.values is not None:
            return other.intersect(self)
        if self.test is None or other.test is None:
            return Domain(None, self.test or other.test)
        return Domain.where(self.contains_both(other))

    def contains_both(self, other: "Domain") -> Callable[[Any], bool]:
        return lambda value: self.contains(value) and other.contains(value)

    def union(self, other: "Domain") -> "Domain":
        if self.values is not None and other.values is not None:
            return Domain(self.values | other.values)
        if self.is_all or other.is_all:
            return Domain()
        return Domain.where(lambda value: self.contains(value) or other.contains(value))


ALL = Domain()
