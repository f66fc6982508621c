"""Lines that nobody thought of: seeded, so that a failure comes again."""

from __future__ import annotations

import random

# What a line can be made of: ordinary text, what resembles a time, and every kind of character that someone takes for a line end.
_PIECES = (
    *(b"2026-10-05T00:00:00.123Z", b"2026-10-05T00:00:00.123Z ", b"2026-10-05T00:00:00Z ", b"0000-00-00T00:00:00.000Z ", b"Z ", b"T", b" "),
    *(b"\t", b"\0", b"\v", b"\f", b"\x1c", b"\x1b[0m", b"{", b"}", b'"', b"\\", b"$", b"^", b",", b"START RequestId: "),
    *(text.encode() for text in ("\u0085", "\u2028", "\u2029", "\ufeff", "日本語", "２０２６", "٣", "é", "e\u0301", "😀", "𠮷", "\U0010ffff")),
    *(b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0", b"\xe6\x97", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xf8\x88"),
)
_LINE_ENDS = (b"\n", b"\n", b"\n", b"\r\n", b"\r")
_TIME = b"2026-10-05T00:00:00.123Z "


def content(seed: int, lines: int) -> bytes:
    """An object's content of so many lines, with all three kinds of line ends."""
    source = random.Random(seed)
    # The first line is an event, as in every exported object: a byte order mark at an object's very beginning would be swallowed.
    return _TIME + b"".join(_line(source) + source.choice(_LINE_ENDS) for _ in range(lines))


def _line(source: random.Random) -> bytes:
    kind = source.randrange(6)
    if kind == 0:
        return b""
    if kind == 1:
        return _without_line_ends(source.randbytes(source.randrange(1, 60)))
    if kind == 2:
        return _TIME + _without_line_ends(source.randbytes(source.randrange(60)))
    if kind == 3:
        return _with_a_changed_byte(source, _TIME + b"x")
    if kind == 4:
        return _TIME + _pieces(source)
    return _pieces(source)


def _pieces(source: random.Random) -> bytes:
    return b"".join(source.choice(_PIECES) for _ in range(source.randrange(12)))


def _with_a_changed_byte(source: random.Random, line: bytes) -> bytes:
    place = source.randrange(len(line))
    change = source.choice([b"", b" ", bytes([source.randrange(256)]), "２".encode(), line[place : place + 1] * 2])
    return _without_line_ends(line[:place] + change + line[place + 1 :])


def _without_line_ends(line: bytes) -> bytes:
    return line.replace(b"\r", b"").replace(b"\n", b"")
