"""Every deployment that a document shows, read by the SAM CLI's own parser: the template must take each value as it arrives.

The SAM CLI cuts a value at its first quote unless the whole value is quoted, and says nothing. Run by the step `template` of `.ci/run`.
"""

import os
import re
import shlex
import sys
from pathlib import Path

from samcli.commands.deploy.command import cli
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = {"target", "node_modules"}
# Both ask for answers and write them to samconfig.toml: a later `sam deploy` puts them back, whatever was deployed since.
SAVING = {"--guided", "-g", "--save-params"}


def commands(document: str):
    """The words of each command of its shell blocks."""
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
    """What a command gives to the template. None: it deploys nothing."""
    words = [re.sub(r"\$\w+", "variable", word) for word in words]
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if words[:2] == ["sam", "deploy"]:
        if saving := SAVING.intersection(words):
            raise ValueError(f"{saving} saves the parameters")
        return cli.make_context("deploy", words[2:]).params["parameter_overrides"]
    if "create-stack-set" in words:
        given = [word for word in words if word.startswith("ParameterKey=")]
        return cli.make_context("deploy", ["--parameter-overrides", *given]).params["parameter_overrides"]
    return None


def problems(template: dict, given: dict):
    known = template["Parameters"]
    for name, value in given.items():
        rules = known.get(name)
        if rules is None:
            yield f"the template has no parameter {name}"
        elif value not in map(str, rules.get("AllowedValues", [value])):
            yield f"{name} is {value!r}: {rules['AllowedValues']}"
        elif not re.fullmatch(rules.get("AllowedPattern", ".*"), value):
            yield f"{name} is {value!r}: {rules.get('ConstraintDescription')}"
    # A first deployment: later ones name what changes.
    if "NotificationEmail" in given:
        yield from (f"{name} is not given" for name, rules in known.items() if "Default" not in rules and name not in given)
    values = {name: str(rules.get("Default", "")) for name, rules in known.items()} | given
    for rule in template["Rules"].values():
        if evaluate(rule.get("RuleCondition", True), values):
            yield from (each["AssertDescription"] for each in rule["Assertions"] if not evaluate(each["Assert"], values))


def evaluate(value: object, values: dict) -> object:
    """A condition of a rule, with its functions carried out."""
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
    raise ValueError(f"{function} is not known here")


def main() -> None:
    # Where samconfig.toml is.
    os.chdir(ROOT / "infra")
    template = yaml_parse(Path("template.yaml").read_text(encoding="utf-8"))
    files = [path for path in ROOT.rglob("*.md") if not INSTALLED.intersection(path.relative_to(ROOT).parts)]
    deployments, found = 0, []
    for path in sorted(files):
        for words in commands(path.read_text(encoding="utf-8")):
            try:
                given = parameters(words)
                if given is not None:
                    deployments += 1
                    found += [f"{path.relative_to(ROOT)}: {problem}\n  {shlex.join(words)}" for problem in problems(template, given)]
            except Exception as error:
                found.append(f"{path.relative_to(ROOT)}: {error}\n  {shlex.join(words)}")
    print("\n".join(found) or f"{deployments} deployments in the documents, each as the template takes it")
    sys.exit(bool(found) or deployments == 0)


if __name__ == "__main__":
    main()
