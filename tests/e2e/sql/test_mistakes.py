"""Can the suite fail? Plausible mistakes in the project's SQL are refused, or give other rows. And what the local Athena must refuse."""

import unittest

import archive as a
import expected
from local import VIEWS, LocalAthena, QueryError, read, substituted

JST = "CAST(with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo' AS date)"
WHERE = f"WHERE log_group = '{a.ORDERS}' AND year = 2026 AND month = 10"
# (file, what it says, what somebody writes instead)
MISTAKES = [
    # Names and types.
    ("archive-size.sql", "year = 2026", "year = '2026'"),
    ("archive-size.sql", "sum(bytes) AS bytes", "sum(size) AS bytes"),
    ("archive-size.sql", "1048576e0", "1048576"),
    ("archive-size.sql", "GROUP BY log_group, year, month", "GROUP BY log_group, year"),
    ("archive-size.sql", "GROUP BY log_group, year, month", "GROUP BY mib"),
    ("busiest-streams.sql", "count(event_time)", "count(*)"),
    ("busiest-streams.sql", "ORDER BY characters DESC", "ORDER BY characters"),
    ("busiest-streams.sql", "length(message)", "octet_length(message)"),
    ("busiest-streams.sql", "log_group = '/aws/lambda/orders'", 'log_group = "/aws/lambda/orders"'),
    ("busiest-streams.sql", "log_group = '/aws/lambda/orders'", "log_group LIKE '/aws/lambda/orders%'"),
    # Times and their zones.
    ("errors-per-day-jst.sql", "with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo'", "event_time"),
    ("errors-per-day-jst.sql", f"GROUP BY {JST}", "GROUP BY day_jst"),
    ("errors-per-day-jst.sql", "NULLS FIRST", ""),
    ("errors-per-day-utc.sql", "CAST(event_time AS date)", "CAST(event_time AS varchar)"),
    ("errors-per-day-utc.sql", "CAST(event_time AS date)", "event_time::date"),
    ("errors-per-day-utc.sql", r"\b(ERROR|FATAL|CRITICAL)\b|", ""),
    ("errors-per-day-utc.sql", "regexp_like(message, ", "(message ~ "),
    ("errors-per-hour.sql", "date_trunc('hour', event_time)", "date_trunc('hour', CAST(event_time AS date))"),
    ("errors-per-hour.sql", "date_trunc('hour', event_time) AS", "event_time AS"),
    ("events-between.sql", "< TIMESTAMP '2026-10-05 01:30:00'", "<= TIMESTAMP '2026-10-05 01:30:00'"),
    ("events-between.sql", "TIMESTAMP '2026-10-05 01:00:00'", "'2026-10-05 01:00:00'"),
    ("events-between.sql", "TIMESTAMP '2026-10-05 01:00:00'", "TIMESTAMP '2026-10-05T01:00:00Z'"),
    ("events-in-time-order.sql", "'Asia/Tokyo' AS timestamp(3)", "'Asia/Tokyo' AS timestamp(3) with time zone"),
    ("events-in-time-order.sql", "ORDER BY event_time NULLS FIRST, object, line", "ORDER BY object, line"),
    # Texts.
    ("full-text-search.sql", "strpos(lower(message), lower('connection refused'))", "strpos(message, 'connection refused')"),
    ("full-text-search.sql", "strpos(lower(message), lower('connection refused')) > 0", "message ILIKE '%connection refused%'"),
    ("full-text-search.sql", "lower('connection refused')) > 0", "'Connection Refused') > 0"),
    ("json-fields.sql", "TRY(json_parse(message))", "json_parse(message)"),
    ("json-fields.sql", "TRY_CAST(", "CAST("),
    ("json-fields.sql", "'$.error.code'", "'$.error'"),
    ("json-fields.sql", "WHERE document IS NOT NULL", "WHERE level IS NOT NULL"),
    ("lambda-invocations.sql", " ms', 1) AS double)), 1)", " ms') AS double)), 1)"),
    ("lambda-invocations.sql", "strpos(message, 'Init Duration: ') > 0", "position('Init Duration: ', message) > 0"),
    ("lambda-invocations.sql", "([0-9]+) MB', 1) AS integer", "([0-9]+) MB', 2) AS integer"),
    ("top-error-messages.sql", "split_part(message, chr(10), 1)", "message"),
    ("top-error-messages.sql", r"|\d+", r"|\\d+"),
    ("top-error-messages.sql", "split_part(message, chr(10), 1)", r"split_part(message, '\n', 1)"),
    # Joins and months.
    ("missing-months.sql", "LEFT JOIN", "JOIN"),
    ("missing-months.sql", "sequence(spans.first_month, spans.newest_month)", "generate_series(spans.first_month, spans.newest_month)"),
    ("missing-months.sql", "'%Y-%m'", "'yyyy-MM'"),
    ("request-across-log-groups.sql", "log_group IN ('/aws/lambda/orders', '/aws/lambda/payments')", "log_group LIKE '/aws/lambda/%'"),
    # Views.
    ("view-logs.sql", " AND manifest.month = numbered.month", ""),
    ("view-logs.sql", "'/' || manifest.task_id || '/'", "'/'"),
    ("view-logs.sql", "'/'), -2)", "'/'), -3)"),
    ("view-logs.sql", "TRY(from_iso8601_timestamp(event_time))", "from_iso8601_timestamp(event_time)"),
    ("view-logs.sql", "concat_ws(' ', numbered.written_time, numbered.message)", "numbered.message"),
    ("view-logs.sql", "PARTITION BY log_group, year, month, ", "PARTITION BY "),
    ("view-events.sql", "count(event_time) OVER", "count(*) OVER"),
    ("view-events.sql", "chr(10)", "' '"),
    ("view-events.sql", "array_agg(message ORDER BY line)", "array_agg(message ORDER BY line DESC)"),
    ("view-events.sql", "GROUP BY task_id, log_stream, object,", "GROUP BY task_id, log_stream,"),
    # The compaction, as far as its rows can tell.
    ("compact-log-group.sql", "  message,\n", "  lower(message) AS message,\n"),
    ("compact-log-group.sql", "'PARQUET'", "'ORC'"),
    ("compact-log-group.sql", "month = 10\n", "month = 9\n"),
    ("publish-compaction.sql", "by-hand-1", "by-hand-2"),
    ("publish-compaction.sql", ", month = 10", ""),
    ("events-from-parquet.sql", "count(event_time) OVER", "count(line) OVER"),
]

REFUSED = {
    "NOT_SUPPORTED": [
        f"SELECT {value} FROM logs {WHERE}"
        for value in (
            "CAST(event_time AS varchar)", "date_add('hour', 1, event_time)", "date_trunc('month', CAST(event_time AS date))", "substr(message, 0)",
            "list_filter(split(message, ' '), x -> true)", "split(message, ' ')[99]", "regexp_extract(message, 'a(b)?', 1)", "regexp_extract(message, 'a', 1)",
            "regexp_replace(message, '(a)', '$1')", "regexp_like(message, 'a.b')", "regexp_like(message, log_stream)", "line / 2", "lower(lower(trim(message)))",
            "with_timezone(event_time, 'UTC')", "split_part(message, ' ', 2)", "date_format(event_time, '%j')",
        )
    ]
    + [
        f"SELECT log_stream, count(*) FROM logs {WHERE} GROUP BY log_stream HAVING count(*) > 1",
        "SELECT 1 AS a UNION ALL SELECT 2 AS a",
        "INSERT INTO manifests SELECT 1 AS a",
        "SHOW TABLES",
        "UNLOAD (SELECT 1 AS a) TO 's3://b/c/' WITH (format = 'ORC')",
        "UNLOAD (SELECT 1 AS a) TO 's3://b/c/' WITH (format = 'JSON', partitioned_by = ARRAY['a'])",
        "SELECT 1 AS a FROM other_database.logs",
    ],
    "COLUMN_NOT_FOUND": [f"SELECT lower(message) AS m FROM logs {WHERE} AND m = 'x'", f"SELECT line AS n, n + 1 AS o FROM logs {WHERE}"],
    "GENERIC_USER_ERROR": [f"SELECT CAST({value} AS integer) FROM manifests WHERE year = 2026" for value in ("'1.5'", "log_group")],
    "SYNTAX_ERROR": ["SELEC", "SELECT 1 AS a; SELECT 2 AS b", "SELECT `message` FROM logs", "SELECT '1'::int AS a", ""],
    "TABLE_NOT_FOUND": ["SELECT * FROM nowhere", "DROP TABLE nowhere"],
    "TYPE_MISMATCH": [f"SELECT {value} AS a FROM logs {WHERE}" for value in ("message || line", "year || month", "coalesce(message, line)")],
}


class Mistakes(unittest.TestCase):
    def outcome(self, file, old, new):
        """The rows in which a mistake would show and what they cost, or the name of the error."""
        athena = LocalAthena(a.build(), views={old: new} if file in VIEWS else {})
        sql = substituted(read(file))
        self.assertIn(old, sql)
        try:
            if file in VIEWS:
                answer = athena.query(f"SELECT * FROM {VIEWS[file]} {WHERE} ORDER BY event_time NULLS FIRST, object, line")
            elif file in expected.QUERIES:
                answer = athena.query(sql.replace(old, new))
            else:
                for step in ("compact-log-group.sql", "publish-compaction.sql", "events-from-parquet.sql"):
                    answer = athena.query(sql.replace(old, new) if step == file else substituted(read(step)))
            # The size of Parquet says nothing.
            return answer.rows, answer.scanned if file in VIEWS else 0
        except QueryError as error:
            return error.code

    def test_mistakes_show(self):
        right = {}
        for file, old, new in MISTAKES:
            with self.subTest(file, old=old, new=new):
                if file not in right:
                    right[file] = self.outcome(file, "\n", "\n")
                    self.assertIsInstance(right[file], tuple)
                self.assertTrue(self.outcome(file, old, new) != right[file], "the same rows")


class Refusals(unittest.TestCase):
    def test_what_athena_refuses_or_answers_otherwise(self):
        athena = LocalAthena(a.build())
        for code, statements in REFUSED.items():
            for sql in statements:
                with self.subTest(sql), self.assertRaises(QueryError) as refused:
                    athena.query(sql)
                self.assertEqual(refused.exception.code, code, f"{sql}: {refused.exception}")

    def test_a_number_is_written_as_java_does(self):
        sql = "SELECT 1e7 AS a, 1.5e-5 AS b, 0e0 AS c, 12.5e0 AS d, -1.234e20 AS e, 1e6 AS f"
        self.assertEqual(LocalAthena(a.Archive()).rows(sql), [("1.0E7", "1.5E-5", "0.0", "12.5", "-1.234E20", "1000000.0")])


if __name__ == "__main__":
    unittest.main()
