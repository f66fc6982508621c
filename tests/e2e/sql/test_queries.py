"""Runs every file of infra/athena over the small archive and compares all values of all rows."""

import gzip
import json
import unittest

import sample_archive as a
import expected
from local import DATABASE, LocalAthena, QueryError

OF_ORDERS = f"WHERE log_group = '{a.ORDERS}' AND year = 2026 AND month = 10"
MONTH_OF_ORDERS = f"{a.PREFIX}/log_group={a.ORDERS}/year=2026/month=10/"


def of_one_event(prefix=a.PREFIX, month="2026-10"):
    contents = a.Archive(prefix=prefix)
    contents.export(a.ORDERS, month, a.TASK, {a.STREAM_A: [[a.event(f"{month}-05T01:00:00.000Z", "here")]]})
    return contents


def with_hidden_streams():
    """One object that Athena shows, and three of log streams that it hides."""

    def at(message):
        return [a.event("2026-10-05T01:00:00.000Z", message)]

    contents = a.Archive()
    streams = {"main_.": [at("here")], "_internal": [at("hidden"), at("hidden")], ".dot": [at("hidden")]}
    contents.export(a.ORDERS, "2026-10", a.TASK, streams)
    return contents


def manifest_of_orders(objects):
    """Key and body of the manifest of orders' October."""
    ((key, body),) = [item for item in objects.items() if "/manifests/" in item[0] and json.loads(item[1])["task_id"] == a.TASK]
    return key, body


class Queries(unittest.TestCase):
    maxDiff = 10_000

    @classmethod
    def setUpClass(cls):
        cls.athena = LocalAthena(a.build())

    def check(self, answer, columns, wanted):
        self.assertEqual(" ".join(name for name, _ in answer.columns), columns)
        self.assertEqual([tuple(row) for row in answer.rows], wanted)

    def test_saved_queries(self):
        for file, (columns, rows) in expected.QUERIES.items():
            with self.subTest(file):
                self.check(self.athena.run(file), columns, rows)

    def test_logs(self):
        self.check(self.athena.query(f"SELECT * FROM logs {OF_ORDERS} ORDER BY object, line"), expected.LOGS_COLUMNS, expected.LOGS)

    def test_events(self):
        sql = f"SELECT * FROM events {OF_ORDERS} ORDER BY event_time NULLS FIRST, object, line"
        self.check(self.athena.query(sql), expected.EVENTS_COLUMNS, expected.EVENTS)

    def test_nothing_is_lost_between_lines_and_events(self):
        sql = (
            f"SELECT (SELECT count(*) FROM logs {OF_ORDERS}), (SELECT sum(lines) FROM events {OF_ORDERS}), "
            f"(SELECT sum(length(message) + 1) FROM logs {OF_ORDERS}), (SELECT sum(length(message) + 1) FROM events {OF_ORDERS})"
        )
        ((lines, lines_of_events, characters, characters_of_events),) = self.athena.rows(sql)
        self.assertEqual(lines, str(len(expected.LOGS)))
        self.assertEqual((lines_of_events, characters_of_events), (lines, characters))

    def test_types_are_those_that_views_and_new_tables_can_have(self):
        types = {"event_time": "timestamp(3)", "is_continuation": "boolean"}
        types |= {"line": "bigint", "lines": "bigint", "month": "integer", "year": "integer"}
        for view in ("exported_lines", "logs", "events"):
            for name, type_ in self.athena.query(f"SELECT * FROM {view} {OF_ORDERS} LIMIT 1").columns:
                self.assertEqual(type_, types.get(name, "varchar"), name)

    def test_other_log_groups_and_months_are_others(self):
        sql = (
            f"SELECT log_group, month, message FROM events WHERE log_group IN ('{a.ORDERS}', '{a.PAYMENTS}') AND year = 2026 "
            "AND month IN (9, 10, 11) AND strpos(message, 'ERROR') > 0 AND strpos(message, 'order') = 0 ORDER BY 1, 2, 3"
        )
        wanted = [
            (a.ORDERS, "10", a.JSON_BROKEN),
            (a.ORDERS, "10", a.JSON_ERROR),
            (a.ORDERS, "11", f"ERROR the first millisecond of November in Tokyo {a.REQUEST_ID}"),
            (a.PAYMENTS, "10", "ERROR declined"),
        ]
        self.check(self.athena.query(sql), "log_group month message", wanted)

    def test_a_month_exported_and_empty_has_no_rows(self):
        """The lines of `aws-logs-write-test` are there, below, and do not show."""
        for relation, rows in {"log_lines": [("Permission Check Successful",)], "logs": [], "events": []}.items():
            sql = f"SELECT message FROM {relation} WHERE log_group = '{a.PAYMENTS}' AND year = 2026 AND month = 9"
            self.assertEqual(self.athena.rows(sql), rows)

    def test_what_does_not_count_is_in_log_lines(self):
        sql = f"SELECT message FROM log_lines {OF_ORDERS} AND regexp_like(message, 'failed export|^Permission') ORDER BY 1"
        self.assertEqual(self.athena.rows(sql), [(f"ERROR of a failed export {a.REQUEST_ID}",), ("Permission Check Successful",)])

    def test_the_manifest_chooses_among_exports(self):
        """Once it names the other export, the other export's lines count, and only they. Without one, nothing counts."""
        contents = a.build()
        key, body = manifest_of_orders(contents.objects)
        contents.objects[key] = body.replace(a.TASK.encode(), a.FAILED_TASK.encode())
        sql = f"SELECT task_id, message FROM logs {OF_ORDERS}"
        self.assertEqual(LocalAthena(contents).rows(sql), [(a.FAILED_TASK, f"ERROR of a failed export {a.REQUEST_ID}")])
        del contents.objects[key]
        self.assertEqual(LocalAthena(contents).rows(sql), [])

    def test_a_month_exported_in_windows(self):
        """Each window has a task of its own. All of them show, and no event shows twice."""
        sql = f"SELECT task_id, event_time, message FROM events WHERE log_group = '{a.NIGHTLY}' AND year = 2026 AND month = 10 ORDER BY event_time"
        wanted = [
            (a.TOKYO_TASK, "2026-10-31 14:59:59.999", "last in Tokyo"),
            (a.UTC_TASK, "2026-10-31 15:00:00.000", "first that Tokyo has in November"),
        ]
        self.assertEqual(self.athena.rows(sql), wanted)

    def test_only_windows_of_schema_2_with_an_export_show(self):
        hidden = [{"schema_version": 1}, {"outcome": "empty"}, {"outcome": "skipped"}]
        for changes, shown in [({}, [("here",)]), ({"outcome": "lost"}, [("here",)]), *((changes, []) for changes in hidden)]:
            with self.subTest(changes):
                contents = a.Archive()
                contents.export(a.ORDERS, "2026-10", a.TASK, {a.STREAM_A: [[a.event("2026-10-05T01:00:00.000Z", "here")]]}, **changes)
                self.assertEqual(LocalAthena(contents).rows(f"SELECT message FROM logs {OF_ORDERS}"), shown)

    def test_a_lost_window_without_an_export_does_not_show(self):
        contents = a.Archive()
        contents.export(a.ORDERS, "2026-10", a.TASK, {a.STREAM_A: [[a.event("2026-10-05T01:00:00.000Z", "here")]]}, counts=False)
        contents.manifest(a.ORDERS, "2026-10", outcome="lost", reason="LogGroupDeleted")
        self.assertEqual(LocalAthena(contents).rows(f"SELECT message FROM logs {OF_ORDERS}"), [])

    def test_a_window_without_an_export_is_a_row_without_a_task(self):
        sql = f"SELECT month, outcome, reason, task_id FROM manifests WHERE year = 2026 AND log_group = '{a.BATCH}' AND task_id IS NULL ORDER BY month"
        wanted = [("3", "skipped", "NoEventsInMonth", None), ("7", "lost", "Expired", None)]
        self.assertEqual(self.athena.rows(sql), wanted)

    def test_an_archive_without_open_windows(self):
        self.assertEqual(LocalAthena(of_one_event()).run("missing-months.sql").rows, [])

    def test_log_streams_that_athena_hides(self):
        """Their names begin with `_` or `.`, and so do their folders: Athena takes no notice of these."""
        athena = LocalAthena(with_hidden_streams())
        for relation in ("logs", "events"):
            with self.subTest(relation):
                self.assertEqual(athena.rows(f"SELECT log_stream, message FROM {relation} {OF_ORDERS}"), [("main_.", "here")])
        raw = athena.rows(f"SELECT message FROM log_lines {OF_ORDERS} ORDER BY 1")
        self.assertEqual(raw, [("Permission Check Successful",), ("here",)])
        # The manifest has them.
        self.assertEqual(athena.rows("SELECT objects, hidden_objects FROM manifests WHERE year = 2026 AND month = 10"), [("4", "3")])
        self.assertEqual(len(athena.keys(f"{MONTH_OF_ORDERS}{a.TASK}/")), 4)

    def test_an_archive_at_the_root_of_its_bucket(self):
        athena = LocalAthena(of_one_event(prefix=""), prefix="")
        sql = f"SELECT log_stream, event_time, message FROM events {OF_ORDERS}"
        self.assertEqual(athena.rows(sql), [(a.STREAM_A, "2026-10-05 01:00:00.000", "here")])

    def test_a_log_group_must_be_named(self):
        for relation in ("log_lines", "exported_lines", "logs", "events"):
            for where in ("", "WHERE year = 2026 AND month = 10", "WHERE log_group LIKE '/aws/%' AND year = 2026 AND month = 10"):
                with self.subTest(relation, where=where), self.assertRaises(QueryError) as refused:
                    self.athena.query(f"SELECT * FROM {relation} {where}")
                self.assertEqual(refused.exception.code, "CONSTRAINT_VIOLATION")

    def test_only_the_month_and_its_manifests_are_read(self):
        """What is scanned is paid: the objects of the log group and month, and the month's manifests, byte by byte."""

        def size(*prefixes):
            shown = {key: body for (_, key), body in self.athena.s3.objects.items() if not key.rsplit("/", 1)[1].startswith("_")}
            return sum(len(body) for key, body in shown.items() if key.startswith(prefixes))

        for relation in ("logs", "events"):
            with self.subTest(relation):
                scanned = self.athena.query(f"SELECT * FROM {relation} {OF_ORDERS}").scanned
                self.assertEqual(scanned, size(MONTH_OF_ORDERS, f"{a.PREFIX}/manifests/year=2026/month=10/"))
        # No log data for a question to the manifests.
        self.assertEqual(self.athena.run("archive-size.sql").scanned, size(f"{a.PREFIX}/manifests/year=2026/"))


class AnotherPrefix(unittest.TestCase):
    """Entries with an s3Prefix of their own: not in `logs`, and in a table of theirs."""

    WHERE = f"WHERE log_group = '{a.WEB}' AND year = 2026 AND month = 11"

    def setUp(self):
        self.athena = LocalAthena(a.build())

    def test_logs_has_them_not(self):
        self.assertEqual(self.athena.rows(f"SELECT message FROM logs {self.WHERE}"), [])

    def test_the_table_is_log_lines_in_another_place(self):
        self.athena.run("table-for-another-prefix.sql")
        tables = self.athena.glue.tables
        archive_place, other_place = f"s3://{a.BUCKET}/{a.PREFIX}/", f"s3://{a.BUCKET}/{a.OTHER_PREFIX}/"

        def described(name):
            storage, parameters = tables[DATABASE, name]["StorageDescriptor"], tables[DATABASE, name]["Parameters"]
            names_and_types = [[(c["Name"], c["Type"]) for c in columns] for columns in (storage["Columns"], tables[DATABASE, name]["PartitionKeys"])]
            of_projection = {name: value for name, value in parameters.items() if name.startswith(("projection.", "storage."))}
            serde = storage["SerdeInfo"]
            text = json.dumps(
                [storage["InputFormat"], storage["Location"], serde["SerializationLibrary"], names_and_types, of_projection], sort_keys=True
            )
            return text.replace(archive_place, other_place), serde["Parameters"]["input.regex"]

        (table, regex), (model, model_regex) = described("log_lines_web"), described("log_lines")
        self.assertEqual(table, model)
        # Without a backslash, which Hive's string literals would want twice.
        self.assertEqual(regex, model_regex.replace(r"\d", "[0-9]").replace(r"\.", "[.]"))

    def test_its_lines_that_count(self):
        self.athena.run("table-for-another-prefix.sql")
        self.athena.run("view-for-another-prefix.sql")
        # It can be made again.
        self.athena.run("view-for-another-prefix.sql")
        sql = f"SELECT log_stream, line, event_time, message, is_continuation FROM logs_web {self.WHERE} ORDER BY object, line"
        wanted = [
            ("prod-web-1", "1", "2026-11-02 00:00:00.000", "GET /", "false"),
            ("prod-web-1", "2", "2026-11-02 00:00:01.000", "GET /", "false"),
            ("prod-web-1", "3", None, "of two lines", "true"),
        ]
        self.assertEqual(self.athena.rows(sql), wanted)
        # The same log group below both prefixes: each table has its own export.
        self.assertEqual(self.athena.rows(f"SELECT message FROM logs_web {OF_ORDERS}"), [(f"ERROR below another prefix {a.REQUEST_ID}",)])


class Unload(unittest.TestCase):
    """UNLOAD writes the rows of a query below a place that must be empty."""

    SQL = f"SELECT event_time, line, message FROM logs WHERE log_group = '{a.WEB}' AND year = 2026 AND month = 11 ORDER BY line"

    def setUp(self):
        contents = a.Archive()
        contents.export(a.WEB, "2026-11", a.TASK, {"s": [[a.event("2026-11-02T00:00:00.000Z", 'GET /\n在庫 "x"')]]})
        self.athena = LocalAthena(contents)

    def unload(self, options, sql=SQL):
        before = set(self.athena.s3.objects)
        self.athena.query(f"UNLOAD ({sql}) TO 's3://{a.BUCKET}/unloaded/' WITH ({options})")
        return {key: self.athena.s3.objects[a.BUCKET, key] for _, key in set(self.athena.s3.objects) - before}

    def test_formats(self):
        json_lines = '{"event_time":"2026-11-02 00:00:00.000","line":1,"message":"GET /"}\n{"event_time":null,"line":2,"message":"在庫 \\"x\\""}\n'
        tabs = '2026-11-02 00:00:00.000\t1\tGET /\n\\N\t2\t在庫 "x"\n'
        wanted = {
            "format = 'JSON'": (".gz", lambda body: gzip.decompress(body).decode() == json_lines),
            "format = 'TEXTFILE', field_delimiter = '\t'": (".gz", lambda body: gzip.decompress(body).decode() == tabs),
            "format = 'TEXTFILE', field_delimiter = '\t', compression = 'none'": ("", lambda body: body.decode() == tabs),
            "format = 'PARQUET', compression = 'ZSTD'": (".parquet", lambda body: body[:4] == b"PAR1"),
        }
        for options, (suffix, holds) in wanted.items():
            with self.subTest(options):
                self.setUp()
                ((key, body),) = self.unload(options).items()
                self.assertRegex(key, f"^unloaded/[0-9a-f-]{{36}}{suffix}$")
                self.assertTrue(holds(body), body)

    def test_a_double_is_a_number_in_json_and_what_is_refused_writes_nothing(self):
        ((_, body),) = self.unload("format = 'JSON', compression = 'NONE'", "SELECT 12.5e0 AS a, 'x' AS b").items()
        self.assertEqual(body, b'{"a":12.5,"b":"x"}\n')
        for format_ in ("JSON", "TEXTFILE", "PARQUET"):
            self.setUp()
            before = set(self.athena.s3.objects)
            with self.assertRaises(QueryError) as refused:
                self.unload(f"format = '{format_}'", "SELECT split('a b', ' ') AS a")
            self.assertEqual((refused.exception.code, set(self.athena.s3.objects)), ("NOT_SUPPORTED", before))

    def test_a_place_that_is_not_empty_is_refused_and_no_rows_are_no_object(self):
        self.assertEqual(self.unload("format = 'JSON'", self.SQL.replace("month = 11", "month = 10")), {})
        self.unload("format = 'JSON'")
        with self.assertRaises(QueryError) as refused:
            self.unload("format = 'JSON'")
        self.assertEqual(refused.exception.code, "HIVE_PATH_ALREADY_EXISTS")


if __name__ == "__main__":
    unittest.main()
