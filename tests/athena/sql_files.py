"""The files of infra/athena: their text, and what the stack's template takes from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "athena"
VIEWS = ("view-logs.sql", "view-events.sql")
PLACEHOLDERS = ("Bucket", "S3PrefixSlash", "Database")
# They stand for a row's values of the partition columns, and are Athena's own.
PROJECTED_COLUMNS = ("log_group", "year", "month")


@dataclass(frozen=True)
class SqlFile:
    file: str
    text: str

    @property
    def name(self) -> str | None:
        return self._header("Name")

    @property
    def description(self) -> str | None:
        return self._header("Description")

    def substituted(self, *, bucket: str, prefix: str, database: str) -> str:
        """The text as it is deployed."""
        values = {"Bucket": bucket, "S3PrefixSlash": f"{prefix}/" if prefix else "", "Database": database}
        return re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], match[0]), self.text)

    def placeholders(self) -> set[str]:
        return set(re.findall(r"\$\{(.*?)\}", self.text))

    def _header(self, field: str) -> str | None:
        match = re.search(rf"\A(?:-- .*\n)*?-- {field}: (.+)\n", self.text)
        return match[1] if match else None


def read(file: str) -> SqlFile:
    return SqlFile(file, (FOLDER / file).read_text(encoding="utf-8"))


def read_all() -> list[SqlFile]:
    return [read(path.name) for path in sorted(FOLDER.glob("*.sql"))]
