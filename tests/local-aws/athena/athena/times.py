"""Formats of times: MySQL's (date_parse, date_format) and Joda's (format_datetime, parse_datetime), as DuckDB writes them."""

import re

from .errors import NotSupportedLocally

# What Trino writes and reads by MySQL's letters. %D, %U, %u, %V, %w and %X are not supported by Trino either.
MYSQL = {
    "a": "%a",
    "b": "%b",
    "c": "%-m",
    "d": "%d",
    "e": "%-d",
    "f": "%f",
    "H": "%H",
    "h": "%I",
    "I": "%I",
    "i": "%M",
    "j": "%j",
    "k": "%-H",
    "l": "%-I",
    "M": "%B",
    "m": "%m",
    "p": "%p",
    "r": "%I:%M:%S %p",
    "S": "%S",
    "s": "%S",
    "T": "%H:%M:%S",
    "W": "%A",
    "Y": "%Y",
    "y": "%y",
    "%": "%%",
}
JODA = {"yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "MM": "%m", "M": "%-m", "MMM": "%b", "MMMM": "%B", "dd": "%d", "d": "%-d"}
JODA |= {"HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "%g"}
JODA |= {"a": "%p", "E": "%a", "EEE": "%a", "EEEE": "%A", "DDD": "%j"}


def mysql(format_: str) -> str:
    out = []
    for part in re.findall(r"%.|[^%]+|%", format_, re.DOTALL):
        if not part.startswith("%"):
            out.append(part)
        elif part[1:] in MYSQL:
            out.append(MYSQL[part[1:]])
        else:
            raise NotSupportedLocally(f"{part} in the format {format_}")
    return "".join(out)


def joda(format_: str) -> str:
    out = []
    for part in re.finditer(r"''|'[^']*'|([A-Za-z])\1*|[^A-Za-z']+|'", format_):
        text = part[0]
        if text == "''":
            out.append("'")
        elif text.startswith("'") and len(text) > 1:
            out.append(text[1:-1].replace("%", "%%"))
        elif part[1] is None and text != "'":
            out.append(text.replace("%", "%%"))
        elif text in JODA:
            out.append(JODA[text])
        else:
            raise NotSupportedLocally(f"{text} in the format {format_}")
    return "".join(out)


# What printf and java.util.Formatter write alike, by the family of the value.
PRINTED = {"integer": "dxX", "number": "fe", "text": "s"}


def printf(format_: str) -> list[str]:
    """The letters of a format's specifiers."""
    found = re.findall(r"%(?:%|-?0?\d*(?:\.\d+)?([A-Za-z])|(.))", format_)
    for letter, other in found:
        if other:
            raise NotSupportedLocally(f"%{other} in the format {format_}")
    return [letter for letter, _ in found if letter]
