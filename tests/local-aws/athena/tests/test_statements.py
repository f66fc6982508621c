"""Queries as wholes, views, and statements that change the catalog."""

import unittest

import duckdb

from athena.engine import Run
from athena.errors import QueryCancelled
from athena.scan import Budget
from tests.archive import MONTH, ORDERS, Archive

COPY = f"CREATE TABLE copy WITH (format = 'PARQUET', write_compression = 'ZSTD', external_location = 's3://bucket/copy/') AS SELECT * FROM logs WHERE {MONTH}"
PARTITION = "PARTITION (log_group = '/aws/lambda/orders', year = 2026, month = 10)"


class Statements(unittest.TestCase):
    def setUp(self) -> None:
        self.archive = Archive()
        self.manifest = self.archive.manifest()
        text = "2026-10-05T00:00:00.123Z first\n  goes on\n2026-10-05T00:00:01.000Z second\n"
        self.object = self.archive.put(f"{ORDERS}task/main/000000.gz", text)
        self.other = self.archive.put(f"{ORDERS}older/main/000000.gz", "2026-10-05T00:00:00.123Z older\n")

    def test_a_view_is_its_text(self) -> None:
        answer = self.archive.query(f"SELECT line, event_time, message FROM logs WHERE {MONTH} ORDER BY line")
        self.assertEqual(answer.columns, [("line", "bigint"), ("event_time", "timestamp(3)"), ("message", "varchar")])
        self.assertEqual(
            answer.rows, [["1", "2026-10-05 00:00:00.123", "first"], ["2", None, "  goes on"], ["3", "2026-10-05 00:00:01.000", "second"]]
        )
        self.assertEqual(answer.scanned, self.object + self.other + self.manifest)

    def test_a_view_that_is_not_as_it_declares_is_stale(self) -> None:
        self.archive.query("CREATE VIEW odd AS SELECT 1 AS x")
        self.archive.query("CREATE OR REPLACE VIEW odd AS SELECT 'a' AS x")
        self.assertEqual(self.archive.rows("SELECT * FROM odd"), [["a"]])
        self.archive.glue.tables["archive", "odd"]["ViewOriginalText"] = self.archive.glue.tables["archive", "logs"]["ViewOriginalText"]
        self.archive.query("CREATE VIEW fine AS SELECT 1 AS x")
        self.assertEqual(
            self.archive.failure("CREATE VIEW fine AS SELECT 2 AS x"),
            "TABLE_ALREADY_EXISTS: line 1:1: Table already exists: 'awsdatacatalog.archive.fine'",
        )

    def test_tables_and_views_need_a_serde(self) -> None:
        missing = "HIVE_METASTORE_ERROR: Table storage descriptor is missing SerDe info"
        for name in ("logs", "manifests"):
            with self.subTest(name):
                descriptor = self.archive.glue.tables["archive", name]["StorageDescriptor"]
                there = descriptor.pop("SerdeInfo")
                self.assertEqual(self.archive.failure(f"SELECT 1 FROM {name} WHERE {MONTH}"), missing)
                descriptor["SerdeInfo"] = there
        self.assertEqual(self.archive.rows(f"SELECT count(*) FROM logs WHERE {MONTH}"), [["3"]])

    def test_names_are_resolved_as_trino_does(self) -> None:
        resolved = " cannot be resolved or requester is not authorized to access requested resources"
        for sql, message in {
            "SELECT nothing FROM manifests": f"COLUMN_NOT_FOUND: line 1:8: Column 'nothing'{resolved}",
            "SELECT x.task_id FROM manifests": f"COLUMN_NOT_FOUND: line 1:8: Column 'x.task_id'{resolved}",
            # An alias of SELECT is not known in WHERE and GROUP BY.
            "SELECT task_id AS t FROM manifests WHERE t = 'x'": f"COLUMN_NOT_FOUND: line 1:42: Column 't'{resolved}",
            "SELECT task_id FROM manifests a, manifests b": "AMBIGUOUS_NAME: line 1:8: Column 'task_id' is ambiguous",
            "SELECT * FROM missing": "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.archive.missing' does not exist",
            "SELECT * FROM nowhere.missing": "SCHEMA_NOT_FOUND: Schema nowhere does not exist",
            "SELECT 1 UNION SELECT 'a'": "TYPE_MISMATCH: column 1 in UNION query has incompatible types: integer, varchar",
            "SELECT count(*) FROM manifests WHERE count(*) > 1": (
                "EXPRESSION_NOT_SCALAR: line 1:38: WHERE clause cannot contain aggregations, window functions or grouping operations"
            ),
            "SELECT 1 LIMIT x": "NOT_SUPPORTED: LIMIT x is not supported by the local Athena",
        }.items():
            with self.subTest(sql):
                self.assertEqual(self.archive.failure(sql), message)

    def test_queries(self) -> None:
        for sql, rows in {
            "SELECT 1 AS a, 2, 3 AS a": [["1", "2", "3"]],
            "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t) ORDER BY n DESC": [["2", "b"], ["1", "a"]],
            "SELECT v.n AS m FROM (VALUES 3, 1, 2) AS v(n) ORDER BY m LIMIT 2 OFFSET 1": [["2"], ["3"]],
            "SELECT n FROM (VALUES 2, NULL, 1) AS v(n) ORDER BY n DESC": [["2"], ["1"], [None]],
            "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT * FROM a UNION ALL SELECT * FROM b ORDER BY 1": [
                ["1"],
                ["2"],
            ],
            "SELECT 1 EXCEPT SELECT 1": [],
            "SELECT x, n FROM (VALUES ARRAY['a', 'b']) AS v(l) CROSS JOIN UNNEST(l) WITH ORDINALITY AS u(x, n) ORDER BY n": [
                ["a", "1"],
                ["b", "2"],
            ],
            "SELECT n, x FROM (VALUES (1, ARRAY[7]), (2, ARRAY[])) AS v(n, l) LEFT JOIN UNNEST(l) AS u(x) ON TRUE ORDER BY n": [
                ["1", "7"],
                ["2", None],
            ],
            "SELECT name, message FROM (VALUES ARRAY[CAST(ROW('W', 'm') AS ROW(name varchar, message varchar))]) AS v(w) CROSS JOIN UNNEST(w)": None,
            "SELECT k, x FROM UNNEST(MAP(ARRAY['a'], ARRAY[1])) AS u(k, x)": [["a", "1"]],
            "SELECT a.n FROM (VALUES 1, 2) AS a(n) WHERE EXISTS (SELECT 1 FROM (VALUES 2) AS b(m) WHERE b.m = a.n)": [["2"]],
            "SELECT a.n FROM (VALUES 1, 2) AS a(n) WHERE n NOT IN (SELECT m FROM (VALUES 2) AS b(m))": [["1"]],
            "SELECT (SELECT max(n) FROM (VALUES 1, 2) AS a(n))": [["2"]],
            "SELECT n, lag(n) OVER (ORDER BY n), sum(n) OVER (PARTITION BY n % 2 ORDER BY n) FROM (VALUES 1, 2, 3) AS a(n) ORDER BY n": [
                ["1", None, "1"],
                ["2", "1", "2"],
                ["3", "2", "4"],
            ],
            "SELECT last_value(t) IGNORE NULLS OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM (VALUES (1, 'a'), (2, NULL)) AS v(n, t)": [
                ["a"],
                ["a"],
            ],
            "SELECT n FROM (VALUES 1) AS a(n) JOIN (VALUES (1, 'x')) AS b(n, t) USING (n)": [["1"]],
        }.items():
            with self.subTest(sql):
                if rows is None:
                    self.assertRegex(self.archive.failure(sql), "^COLUMN_NOT_FOUND: ")
                else:
                    self.assertEqual(self.archive.rows(sql), rows)

    def test_create_table_as_writes_parquet_and_registers_the_table(self) -> None:
        answer = self.archive.query(COPY)
        self.assertEqual((answer.kind, answer.update_count, answer.rows), ("CREATE_TABLE_AS_SELECT", 3, []))
        table = self.archive.glue.tables["archive", "copy"]
        self.assertEqual(
            [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]],
            [
                ("object", "string"),
                ("line", "bigint"),
                ("event_time", "timestamp"),
                ("message", "string"),
                ("log_group", "string"),
                ("year", "int"),
                ("month", "int"),
            ],
        )
        order = f"SELECT line, event_time, message FROM {{}} WHERE {MONTH} ORDER BY line"
        self.assertEqual(self.archive.rows(order.format("copy")), self.archive.rows(order.format("logs")))
        keys = [key for _, key in self.archive.s3.objects if key.startswith("copy/")]
        self.assertEqual(len(keys), 1)

    def test_of_parquet_the_columns_that_are_needed_are_scanned(self) -> None:
        self.archive.query(COPY)
        size = len(next(body for (_, key), body in self.archive.s3.objects.items() if key.startswith("copy/")))
        scanned = {
            sql: self.archive.query(sql).scanned
            for sql in ("SELECT count(*) FROM copy", "SELECT line FROM copy", "SELECT line, message FROM copy", "SELECT * FROM copy")
        }
        sizes = list(scanned.values())
        self.assertEqual(sizes[0], 0)
        self.assertEqual(sizes, sorted(set(sizes)))
        self.assertLess(sizes[-1], size)
        self.assertEqual(self.archive.query("SELECT line FROM (SELECT * FROM copy)").scanned, sizes[1])

    def test_a_place_that_is_taken_is_refused(self) -> None:
        self.archive.query(COPY)
        self.assertEqual(
            self.archive.failure(COPY), "TABLE_ALREADY_EXISTS: line 1:1: Destination table 'awsdatacatalog.archive.copy' already exists"
        )
        expected = (
            "HIVE_PATH_ALREADY_EXISTS: Target directory for table 'archive.copy2' already exists: s3://bucket/copy/. You may need to manually clean "
            "the data at location 's3://results/tables/1234' before retrying. Athena will not delete data in your account."
        )
        self.assertEqual(
            self.archive.failure(COPY.replace("copy WITH", "copy2 WITH"), query_id="1234", output_location="s3://results/"), expected
        )

    def test_partitions_are_added_read_and_dropped(self) -> None:
        self.archive.query(
            f"CREATE TABLE copy WITH (external_location = 's3://bucket/copy/') AS SELECT line, message FROM logs WHERE {MONTH}"
        )
        self.archive.query(
            "CREATE EXTERNAL TABLE compacted (line bigint, message string COMMENT 'of a line') PARTITIONED BY (log_group string, year int, month int) "
            "STORED AS PARQUET LOCATION 's3://bucket/parquet/' TBLPROPERTIES ('classification' = 'parquet')"
        )
        self.archive.query(f"ALTER TABLE compacted DROP IF EXISTS {PARTITION}")
        self.archive.query(f"ALTER TABLE archive.compacted ADD {PARTITION} LOCATION 's3://bucket/copy/'")
        self.assertEqual(self.archive.rows("SHOW PARTITIONS compacted"), [["log_group=/aws/lambda/orders/year=2026/month=10"]])
        rows = self.archive.rows("SELECT line, log_group, year, month FROM compacted WHERE year = 2026 AND line = 1")
        self.assertEqual(rows, [["1", "/aws/lambda/orders", "2026", "10"]])
        self.assertEqual(self.archive.query("SELECT message FROM compacted WHERE year = 2027").scanned, 0)
        exists = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. AlreadyExistsException(message:Partition already exists.)"
        self.assertEqual(self.archive.failure(f"ALTER TABLE compacted ADD {PARTITION} LOCATION 's3://bucket/copy/'"), exists)
        self.archive.query(f"ALTER TABLE compacted ADD IF NOT EXISTS {PARTITION} LOCATION 's3://bucket/copy/'")
        self.archive.query(f"ALTER TABLE compacted DROP {PARTITION}")
        self.assertEqual(self.archive.rows("SHOW PARTITIONS compacted"), [])
        self.assertRegex(
            self.archive.failure(f"ALTER TABLE compacted DROP {PARTITION}"),
            r"^FAILED: SemanticException \[Error 10006\]: Partition not found \(",
        )

    def test_partitioned_tables_are_written_and_added_to(self) -> None:
        self.archive.query(
            "CREATE TABLE p WITH (partitioned_by = ARRAY['g', 'y']) AS SELECT 1 AS n, '/a b' AS g, 2026 AS y",
            output_location="s3://bucket/out/",
            query_id="q",
        )
        self.assertEqual(self.archive.query("INSERT INTO p SELECT 2, '/a b', 2026 UNION ALL SELECT 3, 'c', 2027").update_count, 2)
        self.assertEqual(
            self.archive.rows("SELECT n, g, y FROM p ORDER BY n"), [["1", "/a b", "2026"], ["2", "/a b", "2026"], ["3", "c", "2027"]]
        )
        folders = sorted({key.rsplit("/", 1)[0] for _, key in self.archive.s3.objects if key.startswith("out/")})
        self.assertEqual(folders, ["out/tables/q/g=%2Fa%20b/y=2026", "out/tables/q/g=c/y=2027"])
        many = "SELECT n, 'x', n FROM UNNEST(sequence(1, 101)) AS t(n)"
        self.assertRegex(self.archive.failure(f"INSERT INTO p {many}"), "^TYPE_MISMATCH: ")
        expected = "HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers for partitions/buckets"
        self.assertEqual(
            self.archive.failure("INSERT INTO p SELECT 1, 'x', CAST(n AS integer) FROM UNNEST(sequence(1, 101)) AS t(n)"), expected
        )

    def test_tables_are_shown_and_dropped_and_their_data_stays(self) -> None:
        self.archive.query(COPY)
        self.assertEqual(self.archive.rows("SHOW TABLES"), [["copy"], ["log_lines"], ["logs"], ["manifests"]])
        self.assertEqual(self.archive.rows("SHOW TABLES IN archive 'log*'"), [["log_lines"], ["logs"]])
        self.archive.query("DROP TABLE archive.copy")
        self.archive.query("DROP TABLE IF EXISTS copy")
        self.assertEqual(self.archive.failure("DROP TABLE copy"), "FAILED: SemanticException [Error 10001]: Table not found archive.copy")
        self.assertEqual(len([key for _, key in self.archive.s3.objects if key.startswith("copy/")]), 1)

    def test_what_is_not_supported_says_so(self) -> None:
        for sql, what in {
            "MSCK REPAIR TABLE logs": "the statement MSCK REPAIR",
            "WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a": "WITH RECURSIVE",
            "SELECT * FROM manifests TABLESAMPLE BERNOULLI (10)": "TABLESAMPLE",
            "SELECT 1 FROM manifests GROUP BY ROLLUP (task_id)": "GROUPING SETS, CUBE and ROLLUP",
            "CREATE TABLE x WITH (format = 'ORC') AS SELECT 1 AS a": "the format ORC",
            "INSERT INTO manifests SELECT 1": "INSERT INTO a table that is not Parquet, or has partition projection,",
            "ALTER TABLE manifests SET LOCATION 's3://x/'": "ALTER TABLE ... SET",
        }.items():
            with self.subTest(sql):
                self.assertEqual(
                    self.archive.failure(sql, output_location="s3://bucket/out/"),
                    f"NOT_SUPPORTED: {what} is not supported by the local Athena",
                )

    def test_a_cancellation_just_before_duckdb_executes_is_not_lost(self) -> None:
        run, connection = Run(), duckdb.connect()
        run.executes_on(connection)
        run.cancel()
        with self.assertRaises(duckdb.InterruptException):
            connection.execute("SELECT count(*) FROM range(1000000) CROSS JOIN range(20000)")
        run.executes_on(None)
        connection.close()

    def test_a_scan_beyond_the_limit_cancels_the_query(self) -> None:
        budget = Budget(limit=self.object + self.other + self.manifest)
        self.archive.query(f"SELECT 1 FROM logs WHERE {MONTH}", budget=budget)
        with self.assertRaisesRegex(QueryCancelled, "^Bytes scanned limit was exceeded$"):
            self.archive.query(f"SELECT 1 FROM logs WHERE {MONTH}", budget=Budget(limit=self.object + self.other + self.manifest - 1))
