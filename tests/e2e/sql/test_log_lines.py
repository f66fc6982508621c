"""The regular expression of `log_lines`: each line of an object becomes the row that Hive's own RegexSerDe makes of it.

The rows below were proven on Hive's classes and on Trino's rule: docs/decisions/0022-the-expression-was-proven-on-hive.md.
"""

import unittest

import sample_archive
from local import DATABASE, LocalAthena

# A change of it has to be proven again where docs/decisions/0022-the-expression-was-proven-on-hive.md says.
PROVEN = r"^(?:(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z) )?(.*)$"
TIME = "2026-10-05T00:00:00.123Z"
LATER = "2026-10-05T00:00:01.000Z"


def event(message, time=TIME):
    return [time, message]


def more(text):
    """A further line of a multi-line event: not a line less, and marked by the missing time."""
    return [None, text]


def case(name, text, *rows):
    return name, text if isinstance(text, bytes) else text.encode(), list(rows)


MEGABYTE = "日本語 0123456789 abcdefghijklmnopqrstuvwxyz\t" * 22_000  # 1,056,000 bytes, more than an event of 1 MiB can have

CASES = [
    case("an event", f"{TIME} hello\n", event("hello")),
    case("the last line has no line end", f"{TIME} a\n{LATER} b", event("a"), event("b", LATER)),
    case("an object without a byte", b""),
    case(
        "a stack trace of Java",
        f"{TIME} java.lang.IllegalStateException: no stock\n\tat com.example.Orders.take(Orders.java:42)\n"
        f"\t... 12 more\nCaused by: java.sql.SQLException: timeout\n{LATER} next\n",
        event("java.lang.IllegalStateException: no stock"),
        more("\tat com.example.Orders.take(Orders.java:42)"),
        more("\t... 12 more"),
        more("Caused by: java.sql.SQLException: timeout"),
        event("next", LATER),
    ),
    case(
        "a stack trace of Python, with an empty line in it",
        f'{TIME} [ERROR] KeyError\nTraceback (most recent call last):\n\n  File "/var/task/app.py", line 3, in handler\n',
        event("[ERROR] KeyError"),
        more("Traceback (most recent call last):"),
        more(""),
        more('  File "/var/task/app.py", line 3, in handler'),
    ),
    case("a timestamp inside a message", f"{TIME} seen at {LATER} again", event(f"seen at {LATER} again")),
    case("a message that begins with a timestamp", f"{TIME} {LATER} INFO x", event(f"{LATER} INFO x")),
    case("a message that is a timestamp", f"{TIME} {LATER}", event(LATER)),
    case("a message that is a timestamp and a space", f"{TIME} {LATER} ", event(f"{LATER} ")),
    # What the export wrote cannot be told from what the program wrote here: the one ambiguity that the format has.
    case("a continuation line that looks exactly like an event", f"{TIME} a\n{LATER} b\n", event("a"), event("b", LATER)),
    # The regex checks digits, not the calendar: who turns event_time into a timestamp must expect this.
    case("a time that does not exist", "2026-99-99T99:99:99.999Z x", event("x", "2026-99-99T99:99:99.999Z")),
    case("an empty message", f"{TIME} \n{LATER} \n", event(""), event("", LATER)),
    case("a message of one space", f"{TIME}  \n", event(" ")),
    case("only a timestamp, without the space", f"{TIME}\n", more(TIME)),
    case("a tab instead of the space", f"{TIME}\thello\n", more(f"{TIME}\thello")),
    case("a space before the timestamp", f" {TIME} hello\n", more(f" {TIME} hello")),
    case("without milliseconds", "2026-10-05T00:00:00Z x", more("2026-10-05T00:00:00Z x")),
    case("with microseconds", "2026-10-05T00:00:00.123456Z x", more("2026-10-05T00:00:00.123456Z x")),
    case("with an offset", "2026-10-05T09:00:00.123+09:00 x", more("2026-10-05T09:00:00.123+09:00 x")),
    case("with a lower case z", "2026-10-05T00:00:00.123z x", more("2026-10-05T00:00:00.123z x")),
    case("with a lower case t", "2026-10-05t00:00:00.123Z x", more("2026-10-05t00:00:00.123Z x")),
    case("with a space for the T", "2026-10-05 00:00:00.123Z x", more("2026-10-05 00:00:00.123Z x")),
    case("with a comma before the milliseconds", "2026-10-05T00:00:00,123Z x", more("2026-10-05T00:00:00,123Z x")),
    case("with a year of five digits", "12026-10-05T00:00:00.123Z x", more("12026-10-05T00:00:00.123Z x")),
    case("with full-width digits", "２０２６-10-05T00:00:00.123Z x", more("２０２６-10-05T00:00:00.123Z x")),
    case("tabs", f"{TIME} a\tb\t\tc\t\n\t\n", event("a\tb\t\tc\t"), more("\t")),
    case("Japanese", f"{TIME} 注文を受け付けました：１２３個\nつづき\n", event("注文を受け付けました：１２３個"), more("つづき")),
    case("beyond the basic plane", f"{TIME} 𠮷野家 😀👩‍👩‍👧 é\n", event("𠮷野家 😀👩‍👩‍👧 é")),
    case("JSON", f'{TIME} {{"level":"ERROR","message":"a \\"b\\" \\\\n c"}}\n', event('{"level":"ERROR","message":"a \\"b\\" \\\\n c"}')),
    case("characters that mean something to CSV and to regexes", f"{TIME} a,b;\"c\",\\1 $0 ^.*$ 'd'\n", event("a,b;\"c\",\\1 $0 ^.*$ 'd'")),
    case("a line of 1 MB", f"{TIME} {MEGABYTE}\n{LATER} next\n", event(MEGABYTE), event("next", LATER)),
    case("a continuation line of 1 MB", f"{TIME} a\n{MEGABYTE}\n", event("a"), more(MEGABYTE)),
    case("CRLF", f"{TIME} a\r\nb\r\n\r\n{LATER} c\r\n", event("a"), more("b"), more(""), event("c", LATER)),
    case("CR alone ends a line, as in a progress bar", f"{TIME} 10%\r20%\r{LATER} x\n", event("10%"), more("20%"), event("x", LATER)),
    case("LF CR", f"{TIME} a\n\rb\n", event("a"), more(""), more("b")),
    case("CR CR LF", f"{TIME} a\r\r\nb\n", event("a"), more(""), more("b")),
    # Line ends to Java's `.` and `$` and to Python's str.splitlines, but neither to Hadoop nor, with DOTALL, to the regex.
    case("NEL, LS and PS end no line", f"{TIME} a\u0085b\u2028c\u2029\n", event("a\u0085b\u2028c\u2029")),
    case("a continuation line of nothing but LS", f"{TIME} a\n\u2028\n", event("a"), more("\u2028")),
    case("VT, FF, FS, GS and RS end no line", f"{TIME} a\vb\fc\x1cd\x1de\x1e\n", event("a\vb\fc\x1cd\x1de\x1e")),
    case("NUL and other control characters", f"{TIME} a\0b\x01\x1b[31mred\x1b[0m\x7f\n\0\n", event("a\0b\x01\x1b[31mred\x1b[0m\x7f"), more("\0")),
    case("bytes that are no UTF-8", TIME.encode() + b" a\xff\xfeb\xc3\n\x80\n", event("a\ufffd\ufffdb\ufffd"), more("\ufffd")),
    case("the bytes of a lone surrogate", TIME.encode() + b" a\xed\xa0\x80b\xed\xbf\xbf\n", event("a\ufffdb\ufffd")),
    case("a character cut off by the line's end", TIME.encode() + b" \xe6\x97\n\xa5\n", event("\ufffd"), more("\ufffd")),
    case("an overlong and a too large encoding", TIME.encode() + b" \xc0\xaf \xf4\x90\x80\x80\n", event("\ufffd\ufffd \ufffd\ufffd\ufffd\ufffd")),
    case("a byte order mark after the time", f"{TIME} \ufeffx\n", event("\ufeffx")),
    # Read by the table, and left out by the view `logs`.
    case("aws-logs-write-test", b"Permission Check Successful", more("Permission Check Successful")),
    case("aws-logs-write-test with a line end", b"Permission Check Successful\n", more("Permission Check Successful")),
]

# Java puts one U+FFFD for the bytes of an encoded surrogate, and Python three.
OTHER_HERE = {"the bytes of a lone surrogate": [event("a\ufffd\ufffd\ufffdb\ufffd\ufffd\ufffd")]}


class LogLines(unittest.TestCase):
    maxDiff = 4_000

    @classmethod
    def setUpClass(cls):
        contents, month = sample_archive.Archive(), f"{sample_archive.PREFIX}/log_group={sample_archive.ORDERS}/year=2026/month=10"
        contents.objects = {f"{month}/{number:06}": content for number, (_, content, _) in enumerate(CASES)}
        cls.athena = LocalAthena(contents)
        cls.storage = cls.athena.glue.tables[DATABASE, "log_lines"]["StorageDescriptor"]

    def test_the_expression_is_the_one_that_was_proven(self):
        again = "prove the change on Hive's own RegexSerDe first: docs/decisions/0022-the-expression-was-proven-on-hive.md says how"
        serde = {"SerializationLibrary": "org.apache.hadoop.hive.serde2.RegexSerDe", "Parameters": {"input.regex": PROVEN}}
        self.assertEqual(self.storage["SerdeInfo"], serde, again)
        self.assertEqual(self.storage["InputFormat"], "org.apache.hadoop.mapred.TextInputFormat", again)
        self.assertEqual([(c["Name"], c["Type"]) for c in self.storage["Columns"]], [("event_time", "string"), ("message", "string")], again)

    def test_rows(self):
        sql = f"SELECT \"$path\", event_time, message FROM log_lines WHERE log_group = '{sample_archive.ORDERS}' AND year = 2026 AND month = 10"
        found = [[] for _ in CASES]
        for path, *row in self.athena.rows(sql):
            found[int(path[-6:])].append(row)
        for (name, _, rows), read in zip(CASES, found):
            with self.subTest(name):
                self.assertEqual(read, OTHER_HERE.get(name, rows))
