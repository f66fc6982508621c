"""Runs every file of infra/athena over the small archive and compares all values of all rows."""

from __future__ import annotations

import json
import unittest
from typing import ClassVar

import archive as a
import expected
from local import DATABASE, LocalAthena, rows
from sql_files import read

from athena.errors import QueryError  # isort: skip (local.py finds the engine)

OF_ORDERS = f"WHERE log_group = '{a.ORDERS}' AND year = 2026 AND month = 10"


# The objects of orders' October.
OBJECTS = {row[2] for row in expected.LOGS}


def with_hidden_streams() -> a.Archive:
    """One object that Athena shows, and three of log streams that it hides."""

    def at(message: str) -> list[str]:
        return [a.event("2026-10-05T01:00:00.000Z", message)]

    contents = a.Archive()
    streams = {"main_.": [at("here")], "_internal": [at("hidden"), at("hidden")], ".dot": [at("hidden")]}
    contents.export(a.ORDERS, "2026-10", a.TASK, streams)
    return contents


class Queries(unittest.TestCase):
    athena: ClassVar[LocalAthena]
    maxDiff = 10_000

    @classmethod
    def setUpClass(cls) -> None:
        cls.athena = LocalAthena(a.build())

    def check(self, sql_or_file: str, columns: tuple[str, ...], wanted: list[tuple[str | None, ...]]) -> None:
        answer = self.athena.run(sql_or_file) if sql_or_file.endswith(".sql") else self.athena.query(sql_or_file)
        self.assertEqual(tuple(name for name, _ in answer.columns), columns)
        self.assertEqual(rows(answer), wanted)


class SavedQueries(Queries):
    def test_answer_what_is_written_down(self) -> None:
        for file, answer in expected.QUERIES.items():
            with self.subTest(file):
                self.check(file, answer.columns, answer.rows)


class Views(Queries):
    def test_logs(self) -> None:
        self.check(f"SELECT * FROM logs {OF_ORDERS} ORDER BY object, line", expected.LOGS_COLUMNS, expected.LOGS)

    def test_events(self) -> None:
        sql = f"SELECT * FROM events {OF_ORDERS} ORDER BY event_time NULLS FIRST, object, line"
        self.check(sql, expected.EVENTS_COLUMNS, expected.EVENTS)

    def test_nothing_is_lost_between_lines_and_events(self) -> None:
        sql = (
            f"SELECT (SELECT count(*) FROM logs {OF_ORDERS}), (SELECT sum(lines) FROM events {OF_ORDERS}), "
            f"(SELECT sum(length(message) + 1) FROM logs {OF_ORDERS}), (SELECT sum(length(message) + 1) FROM events {OF_ORDERS})"
        )
        ((lines, lines_of_events, characters, characters_of_events),) = rows(self.athena.query(sql))
        self.assertEqual(lines, str(len(expected.LOGS)))
        self.assertEqual((lines_of_events, characters_of_events), (lines, characters))

    def test_types_are_those_that_views_and_new_tables_can_have(self) -> None:
        logs = self.athena.query(f"SELECT * FROM logs {OF_ORDERS} LIMIT 1").columns
        events = self.athena.query(f"SELECT * FROM events {OF_ORDERS} LIMIT 1").columns
        types = {
            "event_time": "timestamp(3)",
            "is_continuation": "boolean",
            "line": "bigint",
            "lines": "bigint",
            "month": "integer",
            "year": "integer",
        }
        for name, type_ in [*logs, *events]:
            self.assertEqual(type_, types.get(name, "varchar"), name)

    def test_other_log_groups_and_months_are_others(self) -> None:
        sql = (
            f"SELECT log_group, month, message FROM events WHERE log_group IN ('{a.ORDERS}', '{a.PAYMENTS}') AND year = 2026 "
            "AND month IN (9, 10, 11) AND strpos(message, 'ERROR') > 0 AND strpos(message, 'order') = 0 ORDER BY 1, 2, 3"
        )
        self.check(
            sql,
            ("log_group", "month", "message"),
            [
                (a.ORDERS, "10", a.JSON_BROKEN),
                (a.ORDERS, "10", a.JSON_ERROR),
                (a.ORDERS, "11", f"ERROR the first millisecond of November in Tokyo {a.REQUEST_ID}"),
                (a.PAYMENTS, "10", "ERROR declined"),
            ],
        )

    def test_a_month_exported_and_empty_has_no_rows(self) -> None:
        """The lines of `aws-logs-write-test` are there, below, and do not show."""
        where = f"WHERE log_group = '{a.PAYMENTS}' AND year = 2026 AND month = 9"
        self.check(f"SELECT message FROM log_lines {where}", ("message",), [("Permission Check Successful",)])
        self.check(f"SELECT message FROM logs {where}", ("message",), [])
        self.check(f"SELECT message FROM events {where}", ("message",), [])

    def test_what_does_not_count_is_in_log_lines(self) -> None:
        sql = f"SELECT message FROM log_lines {OF_ORDERS} AND regexp_like(message, 'failed export|^Permission') ORDER BY 1"
        self.check(sql, ("message",), [(f"ERROR of a failed export {a.REQUEST_ID}",), ("Permission Check Successful",)])

    def test_the_manifest_chooses_among_exports(self) -> None:
        """Once it names the other export, the other export's lines count, and only they."""
        contents = a.build()
        (key,) = [key for key, body in contents.objects.items() if "/manifests/" in key and json.loads(body)["task_id"] == a.TASK]
        contents.objects[key] = contents.objects[key].replace(a.TASK.encode(), a.FAILED_TASK.encode())
        answer = LocalAthena(contents).query(f"SELECT task_id, message FROM logs {OF_ORDERS}")
        self.assertEqual(rows(answer), [(a.FAILED_TASK, f"ERROR of a failed export {a.REQUEST_ID}")])

    def test_without_a_manifest_nothing_counts(self) -> None:
        contents = a.build()
        for key in [key for key in contents.objects if "/manifests/" in key]:
            del contents.objects[key]
        self.assertEqual(rows(LocalAthena(contents).query(f"SELECT message FROM logs {OF_ORDERS}")), [])

    def test_log_streams_that_athena_hides(self) -> None:
        """Their names begin with `_` or `.`, and so do their folders: Athena takes no notice of these."""
        athena = LocalAthena(with_hidden_streams())
        for relation in ("logs", "events"):
            with self.subTest(relation):
                answer = athena.query(f"SELECT log_stream, message FROM {relation} {OF_ORDERS}")
                self.assertEqual(rows(answer), [("main_.", "here")])
        raw = athena.query(f"SELECT message FROM log_lines {OF_ORDERS} ORDER BY 1")
        self.assertEqual(rows(raw), [("Permission Check Successful",), ("here",)])
        # The manifest has them.
        counted = athena.query("SELECT objects, hidden_objects FROM manifests WHERE year = 2026 AND month = 10")
        self.assertEqual(rows(counted), [("4", "3")])
        self.assertEqual(len(athena.keys(f"{a.PREFIX}/log_group={a.ORDERS}/year=2026/month=10/{a.TASK}/")), 4)

    def test_an_archive_at_the_root_of_its_bucket(self) -> None:
        contents = a.Archive(prefix="")
        contents.export(a.ORDERS, "2026-10", a.TASK, {a.STREAM_A: [[a.event("2026-10-05T01:00:00.000Z", "here")]]})
        athena = LocalAthena(contents, prefix="")
        sql = f"SELECT log_stream, event_time, message FROM events {OF_ORDERS}"
        self.assertEqual(rows(athena.query(sql)), [(a.STREAM_A, "2026-10-05 01:00:00.000", "here")])


class Scans(Queries):
    def test_a_log_group_must_be_named(self) -> None:
        for relation in ("log_lines", "logs", "events"):
            for where in ("", "WHERE year = 2026 AND month = 10", "WHERE log_group LIKE '/aws/%' AND year = 2026 AND month = 10"):
                sql = f"SELECT * FROM {relation} {where}"
                with self.subTest(sql), self.assertRaises(QueryError) as refused:
                    self.athena.query(sql)
                self.assertEqual(refused.exception.code, "CONSTRAINT_VIOLATION")

    def test_only_the_month_and_its_manifests_are_read(self) -> None:
        """What is scanned is paid: the objects of the log group and month, and the month's manifests, byte by byte."""
        objects = self.athena.s3.objects
        month = [f"{a.PREFIX}/log_group={a.ORDERS}/year=2026/month=10/", f"{a.PREFIX}/manifests/year=2026/month=10/"]
        size = sum(
            len(body)
            for (_, key), body in objects.items()
            if key.startswith(tuple(month)) and not key.rsplit("/", 1)[1].startswith("_")
        )
        for relation in ("logs", "events"):
            with self.subTest(relation):
                self.assertEqual(self.athena.query(f"SELECT * FROM {relation} {OF_ORDERS}").scanned, size)

    def test_manifests_are_read_without_log_data(self) -> None:
        size = sum(len(body) for (_, key), body in self.athena.s3.objects.items() if "/manifests/year=2026/" in key)
        self.assertEqual(self.athena.run("archive-size.sql").scanned, size)


class Compaction(unittest.TestCase):
    """The files in the order in which a person runs them."""

    FOLDER = f"{a.PREFIX}/parquet/log_group={a.ORDERS}/year=2026/month=10/by-hand-1/"
    VERDICT_COLUMNS = (
        "archive_objects",
        "parquet_objects",
        "archive_lines",
        "parquet_lines",
        "archive_events",
        "parquet_events",
        "archive_characters",
        "parquet_characters",
        "verdict",
    )
    maxDiff = 10_000

    def setUp(self) -> None:
        self.athena = LocalAthena(a.build())

    def verdict(self) -> tuple[str | None, ...]:
        answer = self.athena.run("verify-compaction.sql")
        self.assertEqual(tuple(name for name, _ in answer.columns), self.VERDICT_COLUMNS)
        (row,) = rows(answer)
        return row

    def test_from_gz_to_parquet(self) -> None:
        before = dict(self.athena.s3.objects)
        self.athena.run("compact-log-group.sql")
        written = self.athena.keys(self.FOLDER)
        self.assertTrue(written)
        for key in written:
            self.assertEqual(self.athena.s3.objects[a.BUCKET, key][:4], b"PAR1")

        lines, events = len(expected.LOGS), sum(row[4] is not None for row in expected.LOGS)
        characters = sum(len(row[5] or "") for row in expected.LOGS)
        sides = [str(number) for number in (len(OBJECTS), lines, events, characters) for _ in range(2)]
        self.assertEqual(self.verdict(), (*sides, "EQUAL"))

        self.assertEqual(rows(self.athena.query(f"SELECT * FROM compacted_logs {OF_ORDERS}")), [])
        # Nothing to take out yet; that is no error.
        self.athena.run("unpublish-compaction.sql")
        self.athena.run("publish-compaction.sql")
        columns = ", ".join(expected.LOGS_COLUMNS)
        self.assertEqual(
            rows(self.athena.query(f"SELECT {columns} FROM compacted_logs {OF_ORDERS} ORDER BY object, line")),
            expected.LOGS,
        )
        answer = self.athena.run("events-from-parquet.sql")
        self.assertEqual([name for name, _ in answer.columns], ["event_time", "log_stream", "message"])
        self.assertEqual(rows(answer), [(utc, stream, text) for utc, _, stream, text, _ in expected.ORDERS_IN_TIME_ORDER])

        self.athena.run("drop-compaction-table.sql")
        self.athena.run("drop-compaction-table.sql")
        self.assertNotIn((DATABASE, "compaction_by_hand"), self.athena.glue.tables)
        # The files stay, and so does every object of the archive.
        self.assertEqual(self.athena.keys(self.FOLDER), written)
        self.assertEqual({key: self.athena.s3.objects[key] for key in before}, before)

        self.athena.run("unpublish-compaction.sql")
        self.assertEqual(rows(self.athena.query(f"SELECT * FROM compacted_logs {OF_ORDERS}")), [])

    def test_a_lost_line_is_seen(self) -> None:
        self.create_by_hand("FROM logs", f"FROM (SELECT * FROM logs {OF_ORDERS} AND line <> 5) AS fewer")
        self.assertEqual(self.verdict()[-1], "DIFFERENT")

    def test_a_cut_message_is_seen(self) -> None:
        self.create_by_hand("  message,\n", "  substr(message, 1, 1000) AS message,\n")
        self.assertEqual(self.verdict()[2:4], (str(len(expected.LOGS)),) * 2)
        self.assertEqual(self.verdict()[-1], "DIFFERENT")

    def test_a_lost_time_is_seen(self) -> None:
        self.create_by_hand("  event_time,\n", "  nullif(event_time, TIMESTAMP '2026-10-06 02:00:00.000') AS event_time,\n")
        self.assertEqual(self.verdict()[-1], "DIFFERENT")

    def test_nothing_is_not_equal_to_nothing(self) -> None:
        for key in [key for key in self.athena.s3.objects if "/manifests/" in key[1]]:
            del self.athena.s3.objects[key]
        self.create_by_hand("", "")
        self.assertEqual(self.verdict(), (None, "0", "0", "0", "0", "0", None, None, "NOTHING ARCHIVED"))

    def test_a_month_exported_and_empty_is_nothing(self) -> None:
        contents = a.Archive()
        contents.export(a.ORDERS, "2026-10", a.TASK, {})
        self.athena = LocalAthena(contents)
        self.create_by_hand("", "")
        self.assertEqual(self.verdict(), ("0", "0", "0", "0", "0", "0", None, None, "NOTHING ARCHIVED"))

    def test_an_object_that_athena_passes_over_is_seen(self) -> None:
        """One in Deep Archive is missing on both sides: only the manifest knows of it. Here it is gone."""
        for missing, lines in ((expected.OBJECT_B0, "30"), (None, "0")):
            with self.subTest(missing):
                self.athena = LocalAthena(a.build())
                folder = f"s3://{a.BUCKET}/{a.PREFIX}/log_group={a.ORDERS}/year=2026/month=10/{a.TASK}/"
                for bucket, key in list(self.athena.s3.objects):
                    if f"s3://{bucket}/{key}".startswith(missing or folder):
                        del self.athena.s3.objects[bucket, key]
                self.create_by_hand("", "")
                verdict = self.verdict()
                self.assertEqual(verdict[:4], ("3", "2" if missing else "0", lines, lines))
                self.assertEqual((verdict[4], verdict[6]), (verdict[5], verdict[7]))
                self.assertEqual(verdict[-1], "OBJECTS MISSING")

    def test_hidden_objects_are_not_missed(self) -> None:
        self.athena = LocalAthena(with_hidden_streams())
        self.create_by_hand("", "")
        self.assertEqual(self.verdict(), ("1", "1", "1", "1", "1", "1", "4", "4", "EQUAL"))

    def test_a_manifest_from_before_hidden_objects_were_counted_hides_none(self) -> None:
        manifests = {key: json.loads(body) for (_, key), body in self.athena.s3.objects.items() if "/manifests/" in key}
        ((key, row),) = [item for item in manifests.items() if item[1]["task_id"] == a.TASK]
        del row["hidden_objects"]
        self.athena.s3.objects[a.BUCKET, key] = (json.dumps(row) + "\n").encode()
        self.create_by_hand("", "")
        self.assertEqual(self.verdict()[:2], ("3", "3"))
        self.assertEqual(self.verdict()[-1], "EQUAL")

    def test_an_archive_at_the_root_of_its_bucket(self) -> None:
        """Whose place is no other prefix's."""
        contents = a.Archive(prefix="")
        event = a.event("2026-10-05T01:00:00.000Z", "here")
        contents.export(a.ORDERS, "2026-10", a.TASK, {a.STREAM_A: [[event]]})
        contents.export(a.ORDERS, "2026-10", "c0ffee", {a.STREAM_A: [[event]], a.STREAM_B: [[event]]}, prefix=a.OTHER_PREFIX)
        self.athena = LocalAthena(contents, prefix="")
        self.create_by_hand("", "", prefix="")
        self.assertEqual(self.verdict(), ("1", "1", "1", "1", "1", "1", "4", "4", "EQUAL"))

    def test_a_month_of_one_digit(self) -> None:
        """Its folder has two; the query has the number."""
        contents = a.Archive()
        contents.export(a.ORDERS, "2026-08", a.TASK, {a.STREAM_A: [[a.event("2026-08-05T01:00:00.000Z", "here")]]})
        self.athena = LocalAthena(contents)
        self.create_by_hand("month = 10", "month = 8")
        sql = read("verify-compaction.sql").substituted(bucket=a.BUCKET, prefix=a.PREFIX, database=DATABASE)
        (row,) = rows(self.athena.query(sql.replace("month = 10", "month = 8")))
        self.assertEqual(row, ("1", "1", "1", "1", "1", "1", "4", "4", "EQUAL"))

    def create_by_hand(self, text: str, other: str, prefix: str = a.PREFIX) -> None:
        """compact-log-group.sql with something changed in its query."""
        sql = read("compact-log-group.sql").substituted(bucket=a.BUCKET, prefix=prefix, database=DATABASE)
        self.assertIn(text, sql)
        self.athena.query(sql.replace(text, other))


class AnotherPrefix(unittest.TestCase):
    """Entries with an s3Prefix of their own: not in `logs`, and in a table of theirs."""

    WHERE = f"WHERE log_group = '{a.WEB}' AND year = 2026 AND month = 11"

    def setUp(self) -> None:
        self.athena = LocalAthena(a.build())

    def test_logs_has_them_not(self) -> None:
        self.assertEqual(rows(self.athena.query(f"SELECT message FROM logs {self.WHERE}")), [])

    def test_the_table_is_log_lines_in_another_place(self) -> None:
        self.athena.run("table-for-another-prefix.sql")
        table = self.athena.glue.tables[DATABASE, "log_lines_web"]
        model = self.athena.glue.tables[DATABASE, "log_lines"]
        archive_place, other_place = f"s3://{a.BUCKET}/{a.PREFIX}/", f"s3://{a.BUCKET}/{a.OTHER_PREFIX}/"
        storage, model_storage = table["StorageDescriptor"], model["StorageDescriptor"]
        self.assertEqual(storage["SerdeInfo"]["SerializationLibrary"], model_storage["SerdeInfo"]["SerializationLibrary"])
        regex, model_regex = (one["SerdeInfo"]["Parameters"]["input.regex"] for one in (storage, model_storage))
        # Without a backslash, which Hive's string literals would want twice.
        self.assertEqual(regex, model_regex.replace(r"\d", "[0-9]").replace(r"\.", "[.]"))
        self.assertEqual(storage["InputFormat"], model_storage["InputFormat"])
        self.assertEqual(storage["Location"], model_storage["Location"].replace(archive_place, other_place))
        self.assertEqual(names_and_types(storage["Columns"]), names_and_types(model_storage["Columns"]))
        self.assertEqual(names_and_types(table["PartitionKeys"]), names_and_types(model["PartitionKeys"]))

        def of_projection(parameters: dict[str, str]) -> dict[str, str]:
            return {
                name: value.replace(archive_place, other_place)
                for name, value in parameters.items()
                if name.startswith(("projection.", "storage."))
            }

        self.assertEqual(of_projection(table["Parameters"]), of_projection(model["Parameters"]))

    def test_its_lines_that_count(self) -> None:
        self.athena.run("table-for-another-prefix.sql")
        self.athena.run("view-for-another-prefix.sql")
        # It can be made again.
        self.athena.run("view-for-another-prefix.sql")
        columns = "log_stream, line, event_time, message, is_continuation"
        self.assertEqual(
            rows(self.athena.query(f"SELECT {columns} FROM logs_web {self.WHERE} ORDER BY object, line")),
            [
                ("prod-web-1", "1", "2026-11-02 00:00:00.000", "GET /", "false"),
                ("prod-web-1", "2", "2026-11-02 00:00:01.000", "GET /", "false"),
                ("prod-web-1", "3", None, "of two lines", "true"),
            ],
        )
        # The same log group below both prefixes: each table has its own export.
        self.assertEqual(
            rows(self.athena.query(f"SELECT message FROM logs_web {OF_ORDERS}")),
            [(f"ERROR below another prefix {a.REQUEST_ID}",)],
        )


def names_and_types(columns: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in columns]


if __name__ == "__main__":
    unittest.main()
