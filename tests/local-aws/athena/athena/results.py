"""Results of a query: the object in S3, and the pages that GetQueryResults gives out of a file kept here."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .errors import InvalidRequest

LARGEST_PAGE = 1000
PRECISIONS = {
    "varchar": 2147483647,
    "bigint": 19,
    "integer": 10,
    "smallint": 5,
    "tinyint": 3,
    "double": 17,
    "real": 17,
    "timestamp": 3,
    "string": 0,
}

Row = list[str | None]


@dataclass
class Results:
    """Rows as lines of JSON, and as the text that goes to S3."""

    rows: Path
    text: Path
    # A query's have a header and commas; those of SHOW and the like are plain lines.
    is_query: bool
    columns: list[tuple[str, str]] = field(default_factory=list)

    def write(self, columns: list[tuple[str, str]], rows: Iterator[Row]) -> None:
        self.columns = columns
        with self.rows.open("w", encoding="ascii") as kept, self.text.open("w", encoding="utf-8", newline="") as text:
            if self.is_query:
                header: Row = [name for name, _ in columns]
                kept.write(json.dumps(header) + "\n")
                text.write(csv_line(header))
            for row in rows:
                kept.write(json.dumps(row) + "\n")
                text.write(csv_line(row) if self.is_query else "\t".join(value or "" for value in row) + "\n")

    def page(self, token: str | None, most: int | None) -> dict:
        most = LARGEST_PAGE if most is None else most
        if not 1 <= most <= LARGEST_PAGE:
            message = (
                f"MaxResults is more than maximum allowed length {LARGEST_PAGE}." if most > LARGEST_PAGE else "MaxResults is too small."
            )
            raise InvalidRequest(message)
        offset = 0 if token is None else _offset(token)
        found = []
        with self.rows.open("rb") as kept:
            kept.seek(offset)
            while len(found) < most and (line := kept.readline()):
                found.append({"Data": [{} if value is None else {"VarCharValue": value} for value in json.loads(line)]})
            offset = kept.tell()
            more = bool(kept.read(1))
        info = [column_info(name, type_) for name, type_ in self.columns]
        answer = {"ResultSet": {"Rows": found, "ResultSetMetadata": {"ColumnInfo": info}}}
        return answer | ({"NextToken": base64.b64encode(f"row@{offset}".encode()).decode()} if more else {})


def _offset(token: str) -> int:
    try:
        match = re.fullmatch(r"row@(\d+)", base64.b64decode(token, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        match = None
    if match is None:
        raise InvalidRequest("Invalid NextToken")
    return int(match[1])


def csv_line(row: Row) -> str:
    """Athena quotes every value; nothing at all stands for NULL."""
    return ",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in row) + "\n"


def column_info(name: str, type_: str) -> dict:
    plain = re.sub(r"\(.*\)", "", type_)
    scale = 0
    precision = PRECISIONS.get(plain, 3 if plain.startswith("timestamp") else 0)
    if decimal := re.fullmatch(r"decimal\((\d+),(\d+)\)", type_):
        precision, scale = int(decimal[1]), int(decimal[2])
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": plain,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": plain in ("varchar", "string"),
    }
