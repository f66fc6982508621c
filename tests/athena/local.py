"""The small archive in the local Athena."""

from __future__ import annotations

import sys

import archive
import template
from sql_files import ROOT, read

sys.path.insert(0, str(ROOT / "tests" / "local-aws" / "athena"))

from athena.engine import Answer, Engine  # noqa: E402
from athena.fakes import FakeGlue, FakeS3  # noqa: E402

DATABASE = "cloudwatch_logs_archive"


class LocalAthena:
    """The stack's database over an archive, both in memory."""

    def __init__(self, contents: archive.Archive, prefix: str = archive.PREFIX) -> None:
        self.prefix = prefix
        self.glue = FakeGlue()
        self.s3 = FakeS3()
        for key, body in contents.objects.items():
            self.s3.put_object(Bucket=archive.BUCKET, Key=key, Body=body)
        for table in template.table_inputs(bucket=archive.BUCKET, prefix=prefix, database=DATABASE):
            self.glue.create_table(DatabaseName=DATABASE, TableInput=table)
        self.engine = Engine(self.glue, self.s3)

    def query(self, sql: str) -> Answer:
        return self.engine.query(sql, DATABASE)

    def run(self, file: str) -> Answer:
        """Runs a file of infra/athena as it is deployed."""
        return self.query(read(file).substituted(bucket=archive.BUCKET, prefix=self.prefix, database=DATABASE))

    def keys(self, prefix: str) -> list[str]:
        return [key for _, key in self.s3.objects if key.startswith(prefix)]


def rows(answer: Answer) -> list[tuple[str | None, ...]]:
    return [tuple(row) for row in answer.rows]
