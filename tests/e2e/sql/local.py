"""The small archive in the local Athena, with the tables and views of infra/athena.yaml as CloudFormation hands them to Glue.

So queries meet what is deployed: its regular expression, its projection, its columns, and the text of its views.
"""

import base64
import functools
import json
import re
import sys
from pathlib import Path

import yaml

import sample_archive

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/local-aws/athena"))

from athena import QueryError, run  # noqa: E402
from fakes import FakeGlue, FakeS3  # noqa: E402

FOLDER = ROOT / "infra/athena"
TEMPLATE = ROOT / "infra/athena.yaml"
DATABASE = "cloudwatch_logs_archive"
TABLES = ("LogLinesTable", "ManifestsTable", "MissingTable", "CompactedLogsTable", "WrittenParquetTable")
VIEWS = {f"view-{name}.sql": name for name in ("exported_lines", "logs", "events", "uncompacted_months")}


def read(file):
    return (FOLDER / file).read_text(encoding="utf-8")


def files():
    return sorted(path.name for path in FOLDER.iterdir())


def substituted(sql, prefix=sample_archive.PREFIX):
    """The text as it is deployed; `${log_group}` and the like stand for a row's values, and are Athena's own."""
    return sql.replace("${Bucket}", sample_archive.BUCKET).replace("${S3PrefixSlash}", f"{prefix}/" if prefix else "")


class LocalAthena:
    """The stack's database over an archive, both in memory. `views` gives views another text."""

    def __init__(self, contents, prefix=sample_archive.PREFIX, views=None):
        self.prefix = prefix
        self.glue, self.s3 = FakeGlue(), FakeS3()
        for key, body in contents.objects.items():
            self.s3.put_object(Bucket=sample_archive.BUCKET, Key=key, Body=body)
        for table in table_inputs(prefix, views or {}):
            self.glue.create_table(DatabaseName=DATABASE, TableInput=table)

    def query(self, sql):
        return run(self.glue, self.s3, sql, DATABASE)

    def rows(self, sql):
        return [tuple(row) for row in self.query(sql).rows]

    def run(self, file):
        """Runs a file of infra/athena as it is deployed."""
        return self.query(substituted(read(file), self.prefix))

    def keys(self, prefix):
        return [key for _, key in self.s3.objects if key.startswith(prefix)]


def table_inputs(prefix, views):
    values = {"ArchiveBucketName": sample_archive.BUCKET, "S3PrefixSlash": f"{prefix}/" if prefix else "", "DatabaseName": DATABASE}
    resources = template_resources()
    for name in [*TABLES, *(f"{''.join(map(str.capitalize, view.split('_')))}View" for view in VIEWS.values())]:
        yield _resolve(resources[name]["Properties"]["TableInput"], values, views)


@functools.cache
def template_resources():
    return yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=_Loader)["Resources"]


class _Loader(yaml.SafeLoader):
    """CloudFormation's YAML: `!Sub x` is read as `{"Fn::Sub": x}`."""


def _short_form(loader, tag, node):
    if isinstance(node, yaml.SequenceNode):
        return {f"Fn::{tag}": loader.construct_sequence(node, deep=True)}
    return {f"Fn::{tag}": loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _short_form)


def _resolve(value, values, views):
    if isinstance(value, list):
        return [_resolve(item, values, views) for item in value]
    if not isinstance(value, dict):
        return value
    (name, argument), *more = value.items()
    if more or not name.startswith("Fn::"):
        return {key: _resolve(item, values, views) for key, item in value.items()}
    if name == "Fn::Ref":
        return values[argument]
    if name == "Fn::Sub":
        return re.sub(r"\$\{(!?)(\w+)\}", lambda match: f"${{{match[2]}}}" if match[1] else values[match[2]], argument)
    if name == "Fn::Join":
        return argument[0].join(_resolve(argument[1], values, views))
    assert name == "Fn::Base64", name
    text = _resolve(argument, values, views)
    for old, new in views.items():
        text = text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
    return base64.b64encode(text.encode()).decode()
