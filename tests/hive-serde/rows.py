"""Reads objects as the local Athena does: by its own reader of lines and its own RegexSerDe, which are what is compared with Hive's."""

from __future__ import annotations

import gzip
from types import SimpleNamespace
from typing import NamedTuple

from athena import serde
from athena.types import parse_hive
from log_lines_table import LogLinesTable


class Row(NamedTuple):
    event_time: str | None
    message: str | None


class Reader:
    def __init__(self, declared: LogLinesTable) -> None:
        columns = [SimpleNamespace(name=name, type=parse_hive(type_)) for name, type_ in declared.columns]
        self._row = serde.reader(SimpleNamespace(serde=declared.serde, serde_parameters=declared.serde_parameters, columns=columns))

    def rows(self, content: bytes) -> list[Row | None]:
        """`None` for a line that the regex does not match, all of whose columns are NULL."""
        found = [Row(*self._row(line)) for line in serde.lines("000000.gz", gzip.compress(content))]
        return [None if row == Row(None, None) else row for row in found]
