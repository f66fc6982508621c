"""Checks the deployments in the documents: the template must accept each parameter as the SAM CLI's parser reads it.

The SAM CLI silently truncates a value at its first quote, unless the whole value is quoted. The step `template` of `.ci/run` runs this.
"""

import os
import re
import shlex
import sys
from pathlib import Path

from samcli.commands.deploy.command import cli
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
GENERATED_FOLDERS = {"target", "node_modules"}
# These options save the parameters in samconfig.toml. A later `sam deploy` would restore them.
SAVING_OPTIONS = {"--guided", "-g", "--save-params"}


def commands(document: str):
    """The words of each command in the shell blocks."""
    for block in re.findall(r"^```sh\n(.*?)^```", document, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words: list[str] = []
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            for word in [*lexer, ";"]:
                if set(word) <= set("();<>|&"):
                    yield words
                    words = []
                else:
                    words.append(word)


def parameters(words: list[str]) -> dict | None:
    """The parameters of a deployment. None: the command deploys nothing."""
    words = [re.sub(r"\$\w+", "variable", word) for word in words]
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if words[:2] == ["sam", "deploy"]:
        if saving := SAVING_OPTIONS.intersection(words):
            raise ValueError(f"{saving} saves the parameters: give them with --parameter-overrides")
        return cli.make_context("deploy", words[2:]).params["parameter_overrides"]
    if "create-stack-set" in words:
        overrides = [word for word in words if word.startswith("ParameterKey=")]
        return cli.make_context("deploy", ["--parameter-overrides", *overrides]).params["parameter_overrides"]
    return None


def problems(template: dict, overrides: dict):
    parameters = template["Parameters"]
    for name, value in overrides.items():
        rules = parameters.get(name)
        if rules is None:
            yield f"the template has no parameter {name}"
        elif value not in map(str, rules.get("AllowedValues", [value])):
            yield f"{name} is {value!r}: {rules['AllowedValues']}"
        elif not re.fullmatch(rules.get("AllowedPattern", ".*"), value):
            yield f"{name} is {value!r}: {rules.get('ConstraintDescription')}"
    # A first deployment needs every parameter without a default. A later one gives only the changes.
    if "NotificationEmail" in overrides:
        yield from (f"{name} is missing" for name, rules in parameters.items() if "Default" not in rules and name not in overrides)
    values = {name: str(rules.get("Default", "")) for name, rules in parameters.items()} | overrides
    for rule in template["Rules"].values():
        if evaluate(rule.get("RuleCondition", True), values):
            yield from (each["AssertDescription"] for each in rule["Assertions"] if not evaluate(each["Assert"], values))


def evaluate(value: object, values: dict) -> object:
    """The value of a rule's condition."""
    if isinstance(value, list):
        return [evaluate(each, values) for each in value]
    if not isinstance(value, dict):
        return value
    [(function, argument)] = value.items()
    if function == "Ref":
        return values[argument]
    arguments = evaluate(argument, values)
    match function.removeprefix("Fn::"):
        case "Equals":
            return arguments[0] == arguments[1]
        case "Not":
            return not arguments[0]
        case "Contains":
            return arguments[1] in arguments[0]
    raise ValueError(f"{function} is not supported: add it to evaluate()")


def main() -> None:
    # The SAM CLI reads samconfig.toml from this folder.
    os.chdir(ROOT / "infra")
    template = yaml_parse(Path("template.yaml").read_text(encoding="utf-8"))
    files = [path for path in ROOT.rglob("*.md") if not GENERATED_FOLDERS.intersection(path.relative_to(ROOT).parts)]
    deployments, errors = 0, []
    for path in sorted(files):
        for words in commands(path.read_text(encoding="utf-8")):
            try:
                overrides = parameters(words)
                if overrides is not None:
                    deployments += 1
                    errors += [f"{path.relative_to(ROOT)}: {problem}\n  {shlex.join(words)}" for problem in problems(template, overrides)]
            except Exception as error:
                errors.append(f"{path.relative_to(ROOT)}: {error}\n  {shlex.join(words)}")
    print("\n".join(errors) or f"the template accepts all {deployments} deployments in the documents")
    sys.exit(bool(errors) or deployments == 0)


if __name__ == "__main__":
    main()
