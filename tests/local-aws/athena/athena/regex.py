"""Java's regular expressions, as far as Python's `re` means the same by them. Whatever it may not is refused."""

import functools
import re

from .errors import NotSupportedLocally, QueryError

# After a backslash outside and inside of brackets. Unlike Java, Python has no \p, \h, \R, \X, \G, \Q, \z, \e, \c; \Z, \v, \0 and \N mean other things.
SAME_ESCAPES = set("tnrfadDsSwWbBAux123456789")
# Java has no other construct that begins so; Python's (?P, (?( and (?# are none of Java's.
SAME_GROUPS = re.compile(r"\?(?::|=|!|<=|<!|>|<[A-Za-z][A-Za-z0-9]*>|[ims]+[:)])")


@functools.lru_cache(maxsize=1000)
def compile_java(pattern: str, dot_matches_all: bool = False, ignore_case: bool = False) -> re.Pattern[str]:
    """Java's \\d, \\w, \\s and \\b know ASCII only."""
    flags = re.ASCII | (re.DOTALL if dot_matches_all else 0) | (re.IGNORECASE if ignore_case else 0)
    try:
        return re.compile(_portable(pattern), flags)
    except re.error as error:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"{error}: {pattern}") from error


def _portable(pattern: str) -> str:
    def refuse(construct: str) -> NotSupportedLocally:
        return NotSupportedLocally(f"{construct} in the regular expression {pattern}")

    out: list[str] = []
    index, in_class = 0, False
    while index < len(pattern):
        character = pattern[index]
        following = pattern[index + 1 : index + 2]
        if character == "\\":
            if following.isalnum() and following not in SAME_ESCAPES or (following == "x" and pattern[index + 2 : index + 3] == "{"):
                raise refuse(f"\\{following}")
            out.append(pattern[index : index + 2])
            index += 2
            continue
        if in_class:
            if character == "[" or pattern.startswith("&&", index):
                raise refuse("a union or intersection of classes")
            if character == "]":
                in_class = False
        elif character == "[":
            in_class = True
            opening = "[^" if following == "^" else "["
            # Python takes a bracket right after the opening one as a member; Java does not.
            if pattern[index + len(opening) : index + len(opening) + 1] == "]":
                raise refuse("[]")
            out.append(opening)
            index += len(opening)
            continue
        elif character == "(" and following == "?":
            if not SAME_GROUPS.match(pattern, index + 1):
                raise refuse(pattern[index : index + 4])
            if re.match(r"\?<[A-Za-z]", pattern[index + 1 :]):
                out.append("(?P<")
                index += 3
                continue
        elif character == "{" and following == ",":
            raise refuse("{,")
        out.append(character)
        index += 1
    return "".join(out)


def replacement_of(text: str) -> str:
    """Java's replacement text, whose groups are $1 and ${name}, as Python's."""
    parts = re.findall(r"\\.|\$\d|\$\{[A-Za-z][A-Za-z0-9]*\}|\$|[^\\$]+|\\", text, re.DOTALL)
    out = []
    for part in parts:
        if part in ("$", "\\"):
            raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Illegal replacement sequence: {text}")
        if part.startswith("\\"):
            out.append(part[1:].replace("\\", "\\\\"))
        elif part.startswith("${"):
            out.append(f"\\g<{part[2:-1]}>")
        elif part.startswith("$"):
            out.append(f"\\g<{part[1:]}>")
        else:
            out.append(part)
    return "".join(out)
