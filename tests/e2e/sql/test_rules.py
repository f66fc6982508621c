"""What rows cannot tell: the rules that keep the files of infra/athena right and cheap in the real Athena."""

import re
import unittest

import sqlglot
from sqlglot import exp

import expected
from local import FOLDER, ROOT, VIEWS, files, read

from athena import FUNCTIONS  # isort: skip (local.py finds the engine)

# Hive DDL: Athena hands it to another parser than queries.
HIVE_DDL = {"table-for-another-prefix.sql"}
QUERIES = [file for file in files() if file not in HIVE_DDL]


def parse(file):
    return sqlglot.parse_one(re.sub(r"\$\{\w+\}", "", read(file)), read="athena")


class Rules(unittest.TestCase):
    def test_each_file_has_an_expectation_and_is_documented(self):
        self.assertEqual(set(files()), set(VIEWS) | set(expected.QUERIES) | set(expected.STATEMENTS))
        text = (ROOT / "docs/athena.md").read_text(encoding="utf-8")
        for file in files():
            name = re.search(r"^-- Name: (.+)$", read(file), re.M)
            self.assertIn(f"`{file}`", text)
            self.assertTrue(file in VIEWS or name[1] in text, file)

    def test_placeholders_are_known(self):
        for file in files():
            # They stand for a row's values of the partition columns, and are Athena's own.
            known = {"Bucket", "S3PrefixSlash"} | ({"log_group", "year", "month"} if file in HIVE_DDL else set())
            self.assertLessEqual(set(re.findall(r"\$\{(.*?)\}", read(file))), known, file)

    def test_the_local_athena_knows_no_function_that_nothing_uses(self):
        others = [(ROOT / path).read_text(encoding="utf-8") for path in ("statemachine/compact-logs.asl.json", "docs/athena.md")]
        used = set(re.findall(r"\b([a-z_0-9]+)\(", " ".join([*map(read, files()), *others]).lower()))
        self.assertEqual(FUNCTIONS - used, set())

    def test_rows_come_in_an_order(self):
        for file in expected.QUERIES:
            self.assertIsNotNone(parse(file).args.get("order"), file)

    def test_every_query_of_log_data_names_its_log_groups_and_month(self):
        """Without them Athena refuses: the log group's partitions cannot be listed."""
        for file in set(QUERIES) - {*VIEWS, "view-for-another-prefix.sql"}:
            for select in parse(file).find_all(exp.Select):
                table = select.args["from_"].this if select.args.get("from_") else None
                if isinstance(table, exp.Table) and table.name in ("logs", "events", "compacted_logs"):
                    conditions = select.args["where"].this.flatten()
                    exact = {one.this.name for one in conditions if isinstance(one, exp.EQ | exp.In) and isinstance(one.this, exp.Column)}
                    self.assertLessEqual({"log_group", "year", "month"}, exact, file)

    def test_windows_of_the_views_let_conditions_on_partitions_through(self):
        for view, object_ in (("view-exported_lines.sql", "$path"), ("view-events.sql", "object")):
            (window,) = parse(view).find_all(exp.Window)
            self.assertEqual({column.name for column in window.args["partition_by"]}, {"log_group", "year", "month", object_}, view)
        grouped = parse("view-events.sql").args["group"]
        self.assertLessEqual({"log_group", "year", "month"}, {column.name for column in grouped.expressions})

    def test_lines_are_numbered_before_anything_is_joined(self):
        """And by row_number() alone, without an order: Trino then numbers rows as they come, and sorts nothing."""
        numbered = parse("view-exported_lines.sql").args["from_"].this
        window = numbered.find(exp.Window)
        self.assertIsInstance(window.this, exp.RowNumber)
        self.assertIsNone(window.args.get("order"))
        self.assertIsNone(numbered.find(exp.Join))

    def test_variants_of_the_views_are_the_views(self):
        def sql(tree):
            return tree.sql("athena", comments=False)

        lines = sql(parse("view-exported_lines.sql")).replace("FROM log_lines)", "FROM log_lines_web)")
        logs = sql(parse("view-logs.sql")).replace("FROM exported_lines AS", f"FROM ({lines}) AS")
        self.assertEqual(sql(parse("view-for-another-prefix.sql").expression), logs)
        cte = parse("events-from-parquet.sql").find(exp.CTE).this
        cte.find(exp.Where).pop()
        self.assertEqual(sql(cte), sql(parse("view-events.sql")).replace("FROM logs)", "FROM compacted_logs)"))

    def test_there_is_one_idea_of_an_error(self):
        patterns = {pattern for file in files() for pattern in re.findall(r"regexp_like\(message, ('.*?')\)", read(file))}
        self.assertEqual(len(patterns), 1, patterns)

    def test_there_is_nothing_else_in_the_folder(self):
        self.assertEqual([path.name for path in FOLDER.iterdir() if path.suffix != ".sql"], [])
