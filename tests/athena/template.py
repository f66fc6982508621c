"""The tables and views of infra/athena.yaml, as CloudFormation hands them to Glue.

Queries here meet what is deployed: its regular expression, its projection, its columns, and the text of its views.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import yaml

from sql_files import ROOT

TEMPLATE = ROOT / "infra" / "athena.yaml"
TABLES = ("LogLinesTable", "ManifestsTable", "CompactedLogsTable", "LogsView", "EventsView")


def table_inputs(*, bucket: str, prefix: str, database: str) -> list[dict[str, Any]]:
    values = {"ArchiveBucketName": bucket, "S3PrefixSlash": f"{prefix}/" if prefix else "", "DatabaseName": database}
    resources = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=_Loader)["Resources"]
    return [_resolve(resources[name]["Properties"]["TableInput"], values) for name in TABLES]


class _Loader(yaml.SafeLoader):
    """CloudFormation's YAML: `!Sub x` is read as `{"Fn::Sub": x}`."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return {f"Fn::{tag}": loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {f"Fn::{tag}": loader.construct_mapping(node, deep=True)}
    return {f"Fn::{tag}": loader.construct_scalar(node)}  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _short_form)


def _resolve(value: Any, values: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_resolve(item, values) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Fn::Ref":
            return values[argument]
        if name == "Fn::Sub":
            return re.sub(r"\$\{(!?)(\w+)\}", lambda match: f"${{{match[2]}}}" if match[1] else values[match[2]], argument)
        if name == "Fn::Join":
            separator, parts = argument
            return separator.join(_resolve(parts, values))
        if name == "Fn::Base64":
            return base64.b64encode(_resolve(argument, values).encode()).decode()
    return {key: _resolve(item, values) for key, item in value.items()}
