"""The table `log_lines` as `infra/athena.yaml` declares it: what Athena will be told, read from where it will be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).resolve().parents[2] / "infra" / "athena.yaml"


@dataclass(frozen=True)
class LogLinesTable:
    columns: list[tuple[str, str]]
    input_format: str
    serde: str
    serde_parameters: dict[str, str]

    @property
    def regex(self) -> str:
        return self.serde_parameters["input.regex"]


def read(template: Path = TEMPLATE) -> LogLinesTable:
    with open(template, encoding="utf-8") as text:
        resources = yaml.load(text, Loader=_Loader)["Resources"]
    descriptor = resources["LogLinesTable"]["Properties"]["TableInput"]["StorageDescriptor"]
    serde = descriptor["SerdeInfo"]
    return LogLinesTable(
        columns=[(column["Name"], column["Type"]) for column in descriptor["Columns"]],
        input_format=descriptor["InputFormat"],
        serde=serde["SerializationLibrary"],
        serde_parameters={name: _text(name, value) for name, value in serde["Parameters"].items()},
    )


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (`!Sub`, `!Ref`, ...) as what stands behind the tag."""


def _short_form(loader: _Loader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _short_form)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"SerDe parameter {name} is {value!r}; Glue takes text only")
    return value
