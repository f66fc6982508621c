"""From objects to rows: which objects are read, and what becomes of their lines."""

import gzip
import json
import unittest

from athena.serde import lines
from tests.archive import MONTH, ORDERS, Archive

TIME = "2026-10-05T00:00:00.123Z"


class Lines(unittest.TestCase):
    def test_each_kind_of_line_end_ends_a_line(self) -> None:
        self.assertEqual(list(lines("x", b"a\nb\r\nc\rd\r\re\n\nf")), ["a", "b", "c", "d", "", "e", "", "f"])
        self.assertEqual(list(lines("x", b"")), [])
        self.assertEqual(list(lines("x", b"\n")), [""])
        self.assertEqual(list(lines("x", b"a\r")), ["a"])

    def test_what_is_not_utf_8_is_replaced(self) -> None:
        self.assertEqual(list(lines("x", b"a\xffb\n")), ["a\ufffdb"])

    def test_a_gzip_object_can_have_several_members_and_be_large(self) -> None:
        body = gzip.compress(b"a" * 3_000_000 + b"\r") + gzip.compress(b"\nb\n")
        self.assertEqual([len(line) for line in lines("x.gz", body)], [3_000_000, 1])

    def test_a_line_end_between_two_chunks_is_one(self) -> None:
        # Members are chunks of their own.
        body = gzip.compress(b"a\r") + gzip.compress(b"\nb")
        self.assertEqual(list(lines("x.gz", body)), ["a", "b"])


class Reading(unittest.TestCase):
    def setUp(self) -> None:
        self.archive = Archive()

    def read(self) -> list[list[str | None]]:
        return self.archive.rows(f"SELECT event_time, message FROM log_lines WHERE {MONTH}")

    def test_the_regex_takes_every_line(self) -> None:
        long = "x" * 1_000_000
        for written, expected in [
            (f"{TIME} hello\n", [[TIME, "hello"]]),
            (f"{TIME} \n", [[TIME, ""]]),
            (f"{TIME}\n", [[None, TIME]]),
            ("\n", [[None, ""]]),
            (f"{TIME} Traceback\n  File x\n\tat y\n", [[TIME, "Traceback"], [None, "  File x"], [None, "\tat y"]]),
            (f"{TIME} said {TIME} twice\n", [[TIME, f"said {TIME} twice"]]),
            (f" {TIME} indented\n", [[None, f" {TIME} indented"]]),
            (f"{TIME}  two blanks\n", [[TIME, " two blanks"]]),
            (f"{TIME} a\tb\n", [[TIME, "a\tb"]]),
            (f"{TIME} 日本語 🎌\n", [[TIME, "日本語 🎌"]]),
            (f"{TIME} {long}\n", [[TIME, long]]),
            (f"{TIME} one\r\n{TIME} two\r\n", [[TIME, "one"], [TIME, "two"]]),
            (f'{TIME} "quoted", \\n and \x00 and \x1f\n', [[TIME, '"quoted", \\n and \x00 and \x1f']]),
            (f"{TIME} \u2028 separators \u0085 end nothing\n", [[TIME, "\u2028 separators \u0085 end nothing"]]),
            ("２０２６-10-05T00:00:00.123Z full width\n", [[None, "２０２６-10-05T00:00:00.123Z full width"]]),
        ]:
            with self.subTest(written[:40]):
                self.archive.put(f"{ORDERS}task/main/000000.gz", written)
                self.assertEqual(self.read(), expected)

    def test_a_line_that_does_not_match_is_a_row_of_nulls(self) -> None:
        self.archive.table(
            "strict", [("a", "string"), ("b", "string")], [], "org.apache.hadoop.hive.serde2.RegexSerDe", {"input.regex": r"(\d+)-(x)?"}, {}
        )
        self.archive.put("archive/strict/data", "1-x\n2-\n1-x and more\n")
        self.assertEqual(self.archive.rows("SELECT * FROM strict"), [["1", "x"], ["2", None], [None, None]])

    def test_a_regex_that_java_takes_otherwise_is_refused(self) -> None:
        for regex, construct in {
            r"\p{L}(.)": r"\p",
            r"(?P<a>.)": "(?P<",
            r"[a[b]](.)": "a union or intersection of classes",
            r"(.)\Z": r"\Z",
        }.items():
            with self.subTest(regex):
                self.archive.table("odd", [("a", "string")], [], "org.apache.hadoop.hive.serde2.RegexSerDe", {"input.regex": regex}, {})
                self.archive.put("archive/odd/data", "x\n")
                self.assertEqual(
                    self.archive.failure("SELECT * FROM odd"),
                    f"NOT_SUPPORTED: {construct} in the regular expression {regex} is not supported by the local Athena",
                )

    def test_groups_and_columns_must_be_as_many(self) -> None:
        self.archive.table("few", [("a", "string")], [], "org.apache.hadoop.hive.serde2.RegexSerDe", {"input.regex": "(.)(.)"}, {})
        message = "HIVE_INVALID_METADATA: Number of matching groups (2) doesn't match the number of columns (1)"
        self.archive.put("archive/few/data", "xy\n")
        self.assertEqual(self.archive.failure("SELECT * FROM few"), message)

    def test_everything_below_is_read_but_hidden_names(self) -> None:
        for key in ["aws-logs-write-test", "task/a/000000", "task/a/000001", "task/a-b/000000"]:
            self.archive.put(ORDERS + key, key)
        for key in ["_manifest.json", ".hidden", "task/_temporary/x", "_folder/deep/x", "task/a/"]:
            self.archive.put(ORDERS + key, "hidden")
        # Not below: another month whose name begins alike, another log group.
        self.archive.put(ORDERS.rstrip("/") + "0/x", "another")
        self.archive.put(ORDERS.replace("orders", "orders2") + "x", "another")
        self.assertEqual([row[1] for row in self.read()], ["aws-logs-write-test", "task/a-b/000000", "task/a/000000", "task/a/000001"])

    def test_many_partitions_are_listed_together_and_kept_apart(self) -> None:
        for month in range(1, 13):
            self.archive.put(f"archive/log_group=/aws/lambda/orders/year=2026/month={month:02}/x", f"{month}\n")
        rows = self.archive.rows("SELECT month, message FROM log_lines WHERE log_group = '/aws/lambda/orders' AND year = 2026")
        self.assertEqual(rows, [[str(month), str(month)] for month in range(1, 13)])

    def test_the_pseudo_columns(self) -> None:
        size = self.archive.put(f"{ORDERS}task/main/000000.gz", "a\nb\n")
        rows = self.archive.rows(f'SELECT "$path", "$file_size", message FROM log_lines WHERE {MONTH}')
        path = f"s3://bucket/{ORDERS}task/main/000000.gz"
        self.assertEqual(rows, [[path, str(size), "a"], [path, str(size), "b"]])
        # A star does not have them.
        self.assertEqual(
            [name for name, _ in self.archive.query(f"SELECT * FROM log_lines WHERE {MONTH}").columns],
            ["event_time", "message", "log_group", "year", "month"],
        )

    def test_row_number_counts_lines_as_they_lie_in_an_object(self) -> None:
        self.archive.manifest()
        for stream in ["a", "b", "c"]:
            self.archive.put(f"{ORDERS}task/{stream}/000000.gz", "".join(f"{stream}{9999 - n}\n" for n in range(3000)))
        rows = self.archive.rows(f"SELECT line, message FROM logs WHERE {MONTH}")
        self.assertEqual(len(rows), 9000)
        self.assertEqual([row for row in rows if row[1] != f"{row[1][0]}{10000 - int(row[0] or 0)}"], [])

    def test_the_order_of_reading_is_asked_for_and_not_hoped_for(self) -> None:
        _, relation = self.archive.engine.plan("SELECT * FROM logs", "archive")
        self.assertIn('ORDER BY "log_lines"."$position"', relation.sql())
        # Through a subquery that has the path under another name.
        sql = 'SELECT row_number() OVER (PARTITION BY object) FROM (SELECT "$path" AS object FROM log_lines) AS l'
        _, relation = self.archive.engine.plan(sql, "archive")
        self.assertIn('ORDER BY "l"."$position"', relation.sql())
        self.assertIn('"log_lines"."$position" AS "$position"', relation.sql())
        # An order that is given stays.
        _, relation = self.archive.engine.plan(sql.replace("PARTITION BY object", "ORDER BY object"), "archive")
        self.assertNotIn("$position", relation.sql())

    def test_json_rows(self) -> None:
        line = {"Log_Group": "/g", "TASK_ID": 7, "objects": "12", "warnings": [{"NAME": "W", "message": {"a": [1, None]}}], "unknown": 1}
        self.archive.put("archive/manifests/year=2026/month=10/a.json", json.dumps(line) + "\n\n")
        answer = self.archive.query("SELECT * FROM manifests WHERE year = 2026 AND month = 10")
        self.assertEqual(answer.columns[3], ("warnings", "array(row(name varchar, message varchar))"))
        self.assertEqual(
            answer.rows, [["/g", "7", "12", '[{name=W, message={"a":[1,null]}}]', "2026", "10"], [None, None, None, None, "2026", "10"]]
        )

    def test_json_that_is_none_fails_the_query(self) -> None:
        self.archive.put("archive/manifests/year=2026/month=10/a.json", "{\n")
        self.assertRegex(
            self.archive.failure("SELECT * FROM manifests WHERE year = 2026"),
            "^HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: ",
        )

    def test_no_objects_are_no_rows(self) -> None:
        self.assertEqual(self.read(), [])
