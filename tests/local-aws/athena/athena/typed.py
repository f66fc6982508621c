"""Typed pieces of DuckDB's SQL, and the oracle that knows their types: DuckDB itself."""

import threading
from dataclasses import dataclass

import duckdb

from .errors import NotSupportedLocally, QueryError
from .types import INTEGERS, TIMESTAMP_WITH_ZONE, element, key_and_value, members, trino
from .udfs import register

UNKNOWN = '"NULL"'


@dataclass(frozen=True)
class Typed:
    """A piece of SQL. `zone` is that of a timestamp with time zone, `literal` the value of a text literal."""

    sql: str
    type: str
    zone: str | None = None
    literal: str | None = None
    # What stands for it where only types matter; its type, cast from NULL, if not given.
    probe: str | None = None

    @property
    def probed(self) -> str:
        if self.probe is not None:
            return self.probe
        return "NULL" if self.type == UNKNOWN else f"CAST(NULL AS {self.type})"

    @property
    def family(self) -> str:
        if self.type in INTEGERS:
            return "integer"
        if self.type in ("DOUBLE", "FLOAT") or self.type.startswith("DECIMAL"):
            return "number"
        if element(self.type) is not None:
            return "array"
        if members(self.type) is not None:
            return "row"
        if key_and_value(self.type) is not None:
            return "map"
        families = {"VARCHAR": "text", "DATE": "time", "TIMESTAMP": "time", TIMESTAMP_WITH_ZONE: "time", UNKNOWN: "unknown"}
        return families.get(self.type, self.type.lower())

    @property
    def named(self) -> str:
        """The type in Trino's words; of a text literal with its length."""
        return f"varchar({len(self.literal)})" if self.literal is not None else trino(self.type)


class TypeOracle:
    """Asks DuckDB for the type of an expression, once for each text."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("SET TimeZone = 'UTC'")
        register(self._connection)

    def type_of(self, probe: str) -> str:
        with self._lock:
            if probe not in self._known:
                self._known[probe] = self._ask(probe)
            return self._known[probe]

    def _ask(self, probe: str) -> str:
        try:
            return self._connection.execute(f"DESCRIBE SELECT {probe}").fetchall()[0][1]
        except (duckdb.BinderException, duckdb.ConversionException, duckdb.InvalidInputException) as error:
            raise QueryError("TYPE_MISMATCH", str(error).split("\n")[0]) from error
        except duckdb.Error as error:
            raise NotSupportedLocally(f"{probe} ({str(error).splitlines()[0]})") from error

    def make(self, template: str, *arguments: Typed, zone: str | None = None) -> Typed:
        """The template with the arguments put in for {0}, {1}, ..., and its type."""
        type_ = self.type_of(template.format(*(argument.probed for argument in arguments)))
        if type_ == TIMESTAMP_WITH_ZONE and zone is None:
            zone = common_zone(arguments)
        return Typed(template.format(*(argument.sql for argument in arguments)), type_, zone)


def common_zone(arguments: tuple[Typed, ...]) -> str:
    zones = {argument.zone for argument in arguments if argument.type == TIMESTAMP_WITH_ZONE}
    # A timestamp that became one with time zone has the session's.
    if any(argument.type in ("TIMESTAMP", "DATE") for argument in arguments):
        zones.add("UTC")
    if len(zones) > 1:
        raise NotSupportedLocally(f"a value that can have different time zones ({', '.join(sorted(map(str, zones)))})")
    return zones.pop() if zones and None not in zones else "UTC"


def constant(sql: str, type_: str, literal: str | None = None) -> Typed:
    return Typed(sql, type_, literal=literal, probe=sql)


def local(value: Typed) -> Typed:
    """What clock and calendar of its zone show at a timestamp with time zone; any other value as it is."""
    if value.type != TIMESTAMP_WITH_ZONE:
        return value
    return Typed(f"timezone('{value.zone}', {value.sql})", "TIMESTAMP")


def instant(value: Typed, zone: str) -> Typed:
    """The other way round."""
    return Typed(f"timezone('{zone}', {value.sql})", TIMESTAMP_WITH_ZONE, zone)
