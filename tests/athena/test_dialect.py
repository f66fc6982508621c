"""What an engine that is not Athena cannot tell: that the SQL says nothing Athena does not understand.

The engine of test_queries.py is DuckDB behind a translator, which lets things through that only DuckDB knows. These tests
read the files as text and as syntax trees, and know Athena's functions and rules by name.
"""

from __future__ import annotations

import base64
import json
import re
import unittest

import sqlglot
from sqlglot import exp
from sqlglot.tokens import Token, TokenType

import expected
import template
from sql_files import FOLDER, PLACEHOLDERS, PROJECTED_COLUMNS, ROOT, VIEWS, SqlFile, read, read_all

# Functions of Athena engine version 3, as far as the files use them.
FUNCTIONS = {
    "array_agg",
    "array_join",
    "avg",
    "chr",
    "coalesce",
    "concat_ws",
    "count",
    "count_if",
    "date_add",
    "date_format",
    "date_trunc",
    "element_at",
    "from_iso8601_timestamp",
    "if",
    "json_extract_scalar",
    "json_parse",
    "length",
    "lower",
    "lpad",
    "max",
    "min",
    "regexp_extract",
    "regexp_like",
    "regexp_replace",
    "round",
    "row_number",
    "sequence",
    "split",
    "split_part",
    "starts_with",
    "strpos",
    "sum",
    "try",
    "with_timezone",
}
# Words before a parenthesis that are syntax, or types.
SYNTAX = {"and", "as", "by", "cast", "from", "in", "join", "on", "over", "partition", "timestamp", "try_cast", "unnest", "with"}
# Tokens of other dialects, which sqlglot takes without a word.
FOREIGN_TOKENS = {
    TokenType.DCOLON,
    TokenType.GLOB,
    TokenType.ILIKE,
    TokenType.RLIKE,
    TokenType.SEMICOLON,
}
# Hive DDL: Athena hands it to another parser than queries.
HIVE_DDL = {"table-for-another-prefix.sql", "publish-compaction.sql", "unpublish-compaction.sql"}


def queries() -> list[SqlFile]:
    return [file for file in read_all() if file.file not in HIVE_DDL]


def parse(file: SqlFile) -> exp.Expression:
    return sqlglot.parse_one(re.sub(r"\$\{\w+\}", "", file.text), read="athena")


def called(file: SqlFile) -> set[str]:
    """Names that stand before a parenthesis, as they are written. Names of columns in `AS months (month_number)` are none."""
    tokens = sqlglot.tokenize(re.sub(r"\$\{\w+\}", "", file.text), read="athena")
    pairs = zip([None, *tokens], tokens, tokens[1:], strict=False)
    return {
        token.text.lower()
        for before, token, after in pairs
        if after.token_type == TokenType.L_PAREN and re.fullmatch(r"\w+", token.text) and not _alias(before, token)
    } - SYNTAX


def _alias(before: Token | None, token: Token) -> bool:
    return before is not None and before.text.lower() == "as" and token.text.lower() not in FUNCTIONS


class EachFile(unittest.TestCase):
    def test_has_an_expectation(self) -> None:
        """A file that nobody says the answer of is not tested."""
        self.assertEqual(
            {file.file for file in read_all()},
            set(VIEWS) | set(expected.QUERIES) | set(expected.STATEMENTS),
        )

    def test_has_a_name_and_a_description_that_athena_takes(self) -> None:
        saved = [file for file in read_all() if file.file not in VIEWS]
        for file in saved:
            with self.subTest(file.file):
                self.assertTrue(file.name and 1 <= len(file.name) <= 128, file.name)
                self.assertTrue(file.description and 1 <= len(file.description) <= 1024, file.description)
                self.assertLessEqual(len(file.text.encode()), 262_144)
        names = [file.name for file in saved]
        self.assertEqual(sorted(set(names)), sorted(names))
        for view in VIEWS:
            self.assertIsNone(read(view).name)

    def test_is_one_statement_with_known_placeholders(self) -> None:
        for file in read_all():
            with self.subTest(file.file):
                self.assertNotIn(";", re.sub(r"--.*", "", file.text))
                known = set(PLACEHOLDERS) if file.file not in HIVE_DDL else {*PLACEHOLDERS, *PROJECTED_COLUMNS}
                self.assertLessEqual(file.placeholders(), known)
                if file.file not in HIVE_DDL:
                    self.assertEqual(len(sqlglot.parse(re.sub(r"\$\{\w+\}", "", file.text), read="athena")), 1)
        for view in VIEWS:
            self.assertEqual(read(view).placeholders(), set())

    def test_views_are_deployed_as_they_are_written(self) -> None:
        """What is run in test_queries.py is the template; after a change: BLESS=1 cargo test -p contract --test athena."""
        tables = template.table_inputs(bucket="b", prefix="p", database="d")
        for view, name in zip(VIEWS, ("logs", "events"), strict=True):
            (text,) = [table["ViewOriginalText"] for table in tables if table["Name"] == name]
            decoded = json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */")))
            self.assertEqual(sqlglot.parse_one(decoded["originalSql"], read="athena"), parse(read(view)))

    def test_is_named_in_the_documentation(self) -> None:
        text = (ROOT / "docs" / "athena.md").read_text(encoding="utf-8")
        for file in read_all():
            with self.subTest(file.file):
                self.assertIn(f"`{file.file}`", text)
                if file.name:
                    self.assertIn(file.name, text)


class Dialect(unittest.TestCase):
    def test_calls_only_functions_that_athena_has(self) -> None:
        used: set[str] = set()
        for file in queries():
            with self.subTest(file.file):
                self.assertLessEqual(called(file), FUNCTIONS)
            used |= called(file)
        self.assertEqual(used, FUNCTIONS, "functions that no file uses any more")

    def test_has_no_syntax_of_other_dialects(self) -> None:
        for file in queries():
            with self.subTest(file.file):
                tokens = sqlglot.tokenize(re.sub(r"\$\{\w+\}", "", file.text), read="athena")
                self.assertEqual([token.text for token in tokens if token.token_type in FOREIGN_TOKENS], [])

    def test_the_checks_see_what_does_not_belong(self) -> None:
        foreign = SqlFile("", "SELECT list_filter(a, b), x::int FROM t WHERE y ILIKE 'z' AND try(json(v)) IS NULL")
        self.assertEqual(called(foreign) - FUNCTIONS, {"list_filter", "json"})
        tokens = {token.token_type for token in sqlglot.tokenize(foreign.text, read="athena")}
        self.assertEqual(tokens & FOREIGN_TOKENS, {TokenType.DCOLON, TokenType.ILIKE})


class Rules(unittest.TestCase):
    def test_rows_come_in_an_order(self) -> None:
        for file in expected.QUERIES:
            with self.subTest(file):
                self.assertIsNotNone(parse(read(file)).args.get("order"))

    def test_every_query_of_log_data_names_its_log_groups_and_month(self) -> None:
        """Without them Athena refuses: the log group's partitions cannot be listed."""
        for file in queries():
            if file.file in (*VIEWS, "view-for-another-prefix.sql"):
                continue
            for select in parse(file).find_all(exp.Select):
                source = select.args.get("from_")
                table = source.this if source is not None else None
                if not isinstance(table, exp.Table) or table.name not in ("logs", "events", "compacted_logs"):
                    continue
                with self.subTest(file.file):
                    conditions = list(select.args["where"].this.flatten())
                    exact = {
                        condition.this.name
                        for condition in conditions
                        if isinstance(condition, exp.EQ | exp.In) and isinstance(condition.this, exp.Column)
                    }
                    self.assertLessEqual({"log_group", "year", "month"}, exact)

    def test_windows_of_the_views_let_conditions_on_partitions_through(self) -> None:
        for view, object_ in (("view-logs.sql", "$path"), ("view-events.sql", "object")):
            windows = list(parse(read(view)).find_all(exp.Window))
            self.assertEqual(len(windows), 1, view)
            columns = {column.name for column in windows[0].args["partition_by"]}
            self.assertEqual(columns, {"log_group", "year", "month", object_}, view)
        grouped = parse(read("view-events.sql")).args["group"]
        self.assertLessEqual({"log_group", "year", "month"}, {column.name for column in grouped.expressions})

    def test_lines_are_numbered_before_anything_is_joined(self) -> None:
        """And by row_number() alone, without an order: Trino then numbers rows as they come, and sorts nothing."""
        numbered = parse(read("view-logs.sql")).args["from_"].this
        window = numbered.find(exp.Window)
        self.assertIsInstance(window.this, exp.RowNumber)
        self.assertIsNone(window.args.get("order"))
        self.assertIsNone(numbered.find(exp.Join))

    def test_month_and_year_are_numbers(self) -> None:
        for file in read_all():
            with self.subTest(file.file):
                self.assertEqual(re.findall(r"\b(?:year|month) = '", file.text), [])

    def test_variants_of_the_views_are_the_views(self) -> None:
        variant = parse(read("view-for-another-prefix.sql")).expression.sql("athena", comments=False)
        view = parse(read("view-logs.sql")).sql("athena", comments=False)
        self.assertEqual(variant, view.replace("FROM log_lines)", "FROM log_lines_web)"))
        self.assertIn("log_lines_web", variant)

        cte = parse(read("events-from-parquet.sql")).find(exp.CTE).this
        where = cte.find(exp.Where)
        where.pop()
        events = parse(read("view-events.sql")).sql("athena", comments=False)
        self.assertEqual(cte.sql("athena", comments=False), events.replace("FROM logs)", "FROM compacted_logs)"))

    def test_there_is_one_idea_of_an_error(self) -> None:
        patterns = {pattern for file in read_all() for pattern in re.findall(r"regexp_like\(message, ('.*?')\)", file.text)}
        self.assertEqual(len(patterns), 1, patterns)

    def test_compaction_speaks_of_one_place(self) -> None:
        files = [read(name).text for name in ("compact-log-group.sql", "publish-compaction.sql")]
        locations = {location for text in files for location in re.findall(r"'(s3://.*?)'", text)}
        self.assertEqual(len(locations), 1, locations)

    def test_there_is_nothing_else_in_the_folder(self) -> None:
        self.assertEqual([path.name for path in FOLDER.iterdir() if path.suffix != ".sql"], [])


if __name__ == "__main__":
    unittest.main()
