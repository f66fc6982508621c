"""Can the suite fail? Plausible mistakes in the project's SQL are refused, or give other rows. And what the local Athena must refuse."""

import unittest

import sample_archive as a
import expected
from compaction import Compaction
from local import VIEWS, LocalAthena, QueryError, read, substituted

JST = "CAST(with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo' AS date)"
WHERE = f"WHERE log_group = '{a.ORDERS}' AND year = 2026 AND month = 10"
# (file, what it says, what somebody writes instead, the error or other rows)
MISTAKES = [
    # Names and types.
    ("archive-size.sql", "year = 2026", "year = '2026'", "TYPE_MISMATCH"),
    ("archive-size.sql", "sum(bytes) AS bytes", "sum(size) AS bytes", "COLUMN_NOT_FOUND"),
    ("archive-size.sql", "1048576e0", "1048576", "NOT_SUPPORTED"),
    ("archive-size.sql", "GROUP BY log_group, year, month", "GROUP BY log_group, year", "GENERIC_USER_ERROR"),
    ("archive-size.sql", "schema_version = 2 AND ", "", "rows"),
    ("archive-size.sql", "task_id IS NOT NULL", "outcome IN ('exported', 'empty')", "rows"),
    ("archive-size.sql", "task_id IS NOT NULL", "outcome <> 'skipped'", "rows"),
    ("archive-size.sql", "GROUP BY log_group, year, month", "GROUP BY mib", "COLUMN_NOT_FOUND"),
    ("busiest-streams.sql", "count(event_time)", "count(*)", "rows"),
    ("busiest-streams.sql", "ORDER BY characters DESC", "ORDER BY characters", "rows"),
    ("busiest-streams.sql", "sum(length(message))", "max(length(message))", "rows"),
    ("busiest-streams.sql", "log_group = '/aws/lambda/orders'", 'log_group = "/aws/lambda/orders"', "COLUMN_NOT_FOUND"),
    ("busiest-streams.sql", "log_group = '/aws/lambda/orders'", "log_group LIKE '/aws/lambda/orders%'", "CONSTRAINT_VIOLATION"),
    # Times and their zones.
    ("errors-per-day-jst.sql", "with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo'", "event_time", "rows"),
    ("errors-per-day-jst.sql", f"GROUP BY {JST}", "GROUP BY day_jst", "COLUMN_NOT_FOUND"),
    ("errors-per-day-jst.sql", "NULLS FIRST", "", "rows"),
    ("errors-per-day-utc.sql", "CAST(event_time AS date)", "CAST(event_time AS varchar)", "NOT_SUPPORTED"),
    ("errors-per-day-utc.sql", "CAST(event_time AS date)", "event_time::date", "SYNTAX_ERROR"),
    ("errors-per-day-utc.sql", r"\b(ERROR|FATAL|CRITICAL)\b|", "", "rows"),
    ("errors-per-day-utc.sql", "regexp_like(message, ", "(message ~ ", "SYNTAX_ERROR"),
    ("errors-per-hour.sql", "date_trunc('hour', event_time)", "date_trunc('hour', CAST(event_time AS date))", "NOT_SUPPORTED"),
    ("errors-per-hour.sql", "date_trunc('hour', event_time) AS", "event_time AS", "GENERIC_USER_ERROR"),
    ("events-between.sql", "< TIMESTAMP '2026-10-05 01:30:00'", "<= TIMESTAMP '2026-10-05 01:30:00'", "rows"),
    ("events-between.sql", "TIMESTAMP '2026-10-05 01:00:00'", "'2026-10-05 01:00:00'", "TYPE_MISMATCH"),
    ("events-between.sql", "TIMESTAMP '2026-10-05 01:00:00'", "TIMESTAMP '2026-10-05T01:00:00Z'", "INVALID_LITERAL"),
    ("events-in-time-order.sql", "'Asia/Tokyo' AS timestamp(3)", "'Asia/Tokyo' AS timestamp(3) with time zone", "NOT_SUPPORTED"),
    ("events-in-time-order.sql", "ORDER BY event_time NULLS FIRST, object, line", "ORDER BY object, line", "rows"),
    # Texts.
    ("full-text-search.sql", "strpos(lower(message), lower('connection refused'))", "strpos(message, 'connection refused')", "rows"),
    ("full-text-search.sql", "strpos(lower(message), lower('connection refused')) > 0", "message ILIKE '%connection refused%'", "SYNTAX_ERROR"),
    ("full-text-search.sql", "lower('connection refused')) > 0", "'Connection Refused') > 0", "rows"),
    ("json-fields.sql", "TRY(json_parse(message))", "json_parse(message)", "GENERIC_USER_ERROR"),
    ("json-fields.sql", "TRY_CAST(", "CAST(", "GENERIC_USER_ERROR"),
    ("json-fields.sql", "'$.error.code'", "'$.error'", "rows"),
    ("json-fields.sql", "WHERE document IS NOT NULL", "WHERE level IS NOT NULL", "COLUMN_NOT_FOUND"),
    ("lambda-invocations.sql", " ms', 1) AS double)), 1)", " ms') AS double)), 1)", "GENERIC_USER_ERROR"),
    ("lambda-invocations.sql", "strpos(message, 'Init Duration: ') > 0", "strpos('Init Duration: ', message) > 0", "rows"),
    ("lambda-invocations.sql", "([0-9]+) MB', 1) AS integer", "([0-9]+) MB', 2) AS integer", "NOT_SUPPORTED"),
    ("top-error-messages.sql", "split_part(message, chr(10), 1)", "message", "rows"),
    ("top-error-messages.sql", r"|\d+", r"|\\d+", "rows"),
    ("top-error-messages.sql", "split_part(message, chr(10), 1)", r"split_part(message, '\n', 1)", "rows"),
    # Joins and months.
    ("missing-months.sql", "schema_version = 1", "schema_version >= 1", "rows"),
    ("missing-months.sql", "IN ('failed', 'waiting', 'not_asked')", "<> 'lost'", "rows"),
    ("missing-months.sql", "'not_asked'", "'notAsked'", "rows"),
    ("missing-months.sql", "window_to / 1e3", "window_to / 1e6", "rows"),
    ("missing-months.sql", "ORDER BY month, log_group, window_from", "ORDER BY month DESC, log_group, window_from", "rows"),
    ("request-across-log-groups.sql", "log_group IN ('/aws/lambda/orders', '/aws/lambda/payments')", "log_group LIKE '/aws/lambda/%'", "CONSTRAINT_VIOLATION"),
    # Views.
    ("view-logs.sql", " AND manifest.month = exported.month", "", "rows"),
    ("view-logs.sql", " AND manifest.schema_version = 2", "", "rows"),
    ("view-logs.sql", "'/' || manifest.task_id || '/'", "'/'", "rows"),
    ("view-exported_lines.sql", "'/'), -2)", "'/'), -3)", "rows"),
    ("view-exported_lines.sql", "TRY(from_iso8601_timestamp(event_time))", "from_iso8601_timestamp(event_time)", "GENERIC_USER_ERROR"),
    ("view-exported_lines.sql", "concat_ws(' ', numbered.written_time, numbered.message)", "numbered.message", "rows"),
    ("view-exported_lines.sql", "PARTITION BY log_group, year, month, ", "PARTITION BY ", "CONSTRAINT_VIOLATION"),
    ("view-exported_lines.sql", "numbered.line,", "CAST(numbered.line AS varchar) AS line,", "INVALID_VIEW"),
    ("view-events.sql", "count(event_time) OVER", "count(*) OVER", "rows"),
    ("view-events.sql", "chr(10)", "' '", "rows"),
    ("view-events.sql", "array_agg(message ORDER BY line)", "array_agg(message ORDER BY line DESC)", "rows"),
    ("view-events.sql", "GROUP BY task_id, log_stream, object,", "GROUP BY task_id, log_stream,", "GENERIC_USER_ERROR"),
    ("incomplete-months.sql", "complete_from > window_from", "complete_from >= window_to", "rows"),
    ("incomplete-months.sql", "from_unixtime(complete_from / 1e3)", "from_unixtime(window_from / 1e3)", "rows"),
    # What is to be compacted, and Parquet.
    ("view-uncompacted_months.sql", "coalesce(schema_version, 2) = 2", "TRUE", "rows"),
    ("view-uncompacted_months.sql", "('empty', 'skipped')", "('skipped')", "rows"),
    ("view-uncompacted_months.sql", "coalesce(is_in_layout, TRUE)", "TRUE", "rows"),
    ("view-uncompacted_months.sql", "GROUP BY log_group, year, month, task_id", "GROUP BY log_group, year, month", "GENERIC_USER_ERROR"),
    ("view-uncompacted_months.sql", "objects - coalesce(hidden_objects, 0)", "objects - hidden_objects + 1", "rows"),
    ("events-from-parquet.sql", "count(event_time) OVER", "count(line) OVER", "rows"),
]

REFUSED = {
    "NOT_SUPPORTED": [
        f"SELECT {value} FROM logs {WHERE}"
        for value in (
            "CAST(event_time AS varchar)", "date_add('hour', 1, event_time)", "date_trunc('month', CAST(event_time AS date))", "substr(message, 0)",
            "list_filter(split(message, ' '), x -> true)", "split(message, ' ')[99]", "regexp_extract(message, 'a(b)?', 1)", "regexp_extract(message, 'a', 1)",
            "regexp_replace(message, '(a)', '$1')", "regexp_like(message, 'a.b')", "regexp_like(message, log_stream)", "line / 2", "lower(lower(trim(message)))",
            "with_timezone(event_time, 'UTC')", "split_part(message, ' ', 2)", "date_format(event_time, '%j')",
            # Each of these is answered by Athena, and would be otherwise by DuckDB.
            "element_at(split(message, ' ', 2), 2)",
            "CAST(from_unixtime(line / 1e3, 'Asia/Tokyo') AS timestamp(3))", "CAST(from_unixtime(line / 1e3, 9, 0) AS timestamp(3))",
            "CAST(with_timezone(event_time, 'Asia/Tokyo') AS timestamp(3))", "date_format(with_timezone(event_time, 'Asia/Tokyo'), '%H')",
            "max(event_time) - min(event_time)", "DATE '2026-10-05' - DATE '2026-10-01'", "TRY(json_parse(message))", "array_agg(TRY(json_parse(message)))",
            "array_join(array_agg(event_time), ' ')", "array_join(array_agg(line / 2e0), ' ')", "array_join(split(message, ' '), ' ', 'none')",
            "strpos(message, ':', 2)", "sequence(0, 23, 6)",
            # And these are refused by Athena.
            "CAST(json_extract_scalar(message, '$.time') AS timestamp(3))", "CAST(regexp_extract(message, '[0-9T:-]+') AS timestamp(3))",
            "CAST(element_at(split(message, ' '), 1) AS date)", "CAST(TRY(lower(message)) AS date)", "is_continuation IS TRUE",
        )
    ]
    + [
        f"SELECT log_stream, count(*) AS n FROM logs {WHERE} GROUP BY ALL",
        "SELECT 1 AS a UNION SELECT 2 AS a",
        "SELECT 1 AS a INTERSECT SELECT 2 AS a",
        "CREATE TABLE t WITH (format = 'PARQUET', external_location = 's3://b/c/') AS SELECT 1 AS a",
        "ALTER TABLE compacted_logs SET LOCATION 's3://b/c/'",
        "INSERT INTO manifests SELECT 1 AS a",
        "SHOW TABLES",
        "UNLOAD (SELECT 1 AS a) TO 's3://b/c/' WITH (format = 'ORC')",
        "UNLOAD (SELECT 1 AS a) TO 's3://b/c/' WITH (format = 'JSON', partitioned_by = ARRAY['a'])",
        "SELECT 1 AS a FROM other_database.logs",
    ],
    "COLUMN_NOT_FOUND": [f"SELECT lower(message) AS m FROM logs {WHERE} AND m = 'x'", f"SELECT line AS n, n + 1 AS o FROM logs {WHERE}"],
    "GENERIC_USER_ERROR": [f"SELECT CAST({value} AS integer) FROM manifests WHERE year = 2026" for value in ("'1.5'", "log_group")],
    "SYNTAX_ERROR": ["SELEC", "SELECT 1 AS a; SELECT 2 AS b", "SELECT `message` FROM logs", "SELECT '1'::int AS a", "", "SELECT year FROM manifests WHERE year == 2026", "SELECT !TRUE AS a"],
    "FAILED": [
        "ALTER TABLE compacted_logs PARTITION (log_group = '/a', year = 2026, month = 10) SET LOCATION 's3://b/c/'",
        "ALTER TABLE compacted_logs PARTITION (log_group = '/a', year = 2026) SET LOCATION 's3://b/c/'",
        "ALTER TABLE compacted_logs ADD IF NOT EXISTS PARTITION (log_group = '/a', year = 2026) LOCATION 's3://b/c/'",
        "ALTER TABLE compacted_logs DROP PARTITION (log_group = '/a', year = 2026, month = 10)",
    ],
    "TABLE_NOT_FOUND": ["SELECT * FROM nowhere", "DROP TABLE nowhere"],
    "TYPE_MISMATCH": [
        f"SELECT {value} AS a FROM logs {WHERE}"
        for value in (
            "message || line", "year || month", "coalesce(message, line)", "concat_ws(' ', log_stream, line)", "concat_ws(' ', log_stream, is_continuation)",
            "event_time > regexp_extract(message, 'x')",
        )
    ],
}


class Mistakes(unittest.TestCase):
    def outcome(self, file, old, new):
        """The rows in which a mistake would show and what they cost, or the name of the error."""
        athena = LocalAthena(a.build(), views={old: new} if file in VIEWS else {})
        sql = substituted(read(file))
        self.assertIn(old, sql)
        try:
            if file == "view-uncompacted_months.sql":
                answer = athena.query("SELECT * FROM uncompacted_months WHERE year = 2026 ORDER BY log_group, month")
            elif file in VIEWS:
                answer = athena.query(f"SELECT * FROM {VIEWS[file]} {WHERE} ORDER BY event_time NULLS FIRST, object, line")
            elif file in expected.QUERIES:
                answer = athena.query(sql.replace(old, new))
            else:
                Compaction(athena).run("2026-10")
                answer = athena.query(sql.replace(old, new))
            # The size of Parquet says nothing.
            return answer.rows, answer.scanned if file in VIEWS else 0
        except QueryError as error:
            return error.code

    def test_mistakes_show(self):
        right = {}
        for file, old, new, wanted in MISTAKES:
            with self.subTest(file, old=old, new=new):
                if file not in right:
                    right[file] = self.outcome(file, "\n", "\n")
                    self.assertIsInstance(right[file], tuple)
                outcome = self.outcome(file, old, new)
                self.assertEqual("rows" if isinstance(outcome, tuple) else outcome, wanted)
                self.assertTrue(outcome != right[file], "the same rows")


class Refusals(unittest.TestCase):
    def test_what_athena_refuses_or_answers_otherwise(self):
        athena = LocalAthena(a.build())
        for code, statements in REFUSED.items():
            for sql in statements:
                with self.subTest(sql):
                    with self.assertRaises(QueryError) as refused:
                        athena.query(sql)
                    self.assertEqual(refused.exception.code, code, str(refused.exception))

    def test_a_number_is_written_as_java_does(self):
        sql = "SELECT 1e7 AS a, 1.5e-5 AS b, 0e0 AS c, 12.5e0 AS d, -1.234e20 AS e, 1e6 AS f"
        self.assertEqual(LocalAthena(a.Archive()).rows(sql), [("1.0E7", "1.5E-5", "0.0", "12.5", "-1.234E20", "1000000.0")])

    def test_a_null_in_an_array_is_written_as_athena_does(self):
        sql = f"SELECT array_agg(event_time ORDER BY line) AS a FROM logs {WHERE} AND log_stream = '{a.STREAM_A}' AND line BETWEEN 2 AND 3 AND object LIKE '%0.gz'"
        self.assertEqual(LocalAthena(a.build()).rows(sql), [("[2026-10-05 01:00:00.000, null]",)])


if __name__ == "__main__":
    unittest.main()
