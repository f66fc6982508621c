"""Reads objects as this project's own engine does where no Java runs: in Python, by the same regex.

What Python does by itself differs from Java in two points, and both are settled here: `\\d` matches the digits of every script
(RegexSerDe's only 0-9), and the bytes of an encoded surrogate, whole or cut off, become a replacement character
each (Java has one for all of them).
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r")


class Row(NamedTuple):
    event_time: str | None
    message: str | None


def compile_regex(regex: str) -> re.Pattern[str]:
    """RegexSerDe's flags: Java's Pattern.DOTALL, and classes like \\d that are ASCII unless told otherwise.

    DOTALL is what lets Java's `.` match \\u0085 and \\u2028; Python's excludes \\n only, which no line contains.
    """
    return re.compile(regex, re.DOTALL | re.ASCII)


def row(pattern: re.Pattern[str], line: bytes) -> Row | None:
    match = pattern.fullmatch(line.decode("utf-8", "replace-as-java"))
    return None if match is None else Row(match[1], match[2])


def rows(pattern: re.Pattern[str], content: bytes) -> list[Row | None]:
    return [row(pattern, line) for line in split(content)]


def split(content: bytes) -> list[bytes]:
    """Lines as TextInputFormat has them: \\n, \\r and \\r\\n each end one, and what follows the last one is a line unless empty."""
    lines = _LINE_END.split(content)
    if lines[-1] == b"":
        lines.pop()
    return lines


def _replace_as_java(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    rest = error.object[error.start : error.start + 3]
    if rest[0] == 0xED and rest[1:2] >= b"\xa0":
        return "\ufffd", error.start + _surrogate_length(rest)
    return "\ufffd", error.end


def _surrogate_length(encoded: bytes) -> int:
    """How many bytes Java takes for one surrogate: Python sees an error after the first already."""
    continued = [0x80 <= byte <= 0xBF for byte in encoded[1:]]
    return 1 + (len(continued) if all(continued) else continued.index(False))


codecs.register_error("replace-as-java", _replace_as_java)
